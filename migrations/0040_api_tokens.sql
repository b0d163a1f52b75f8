-- Tokens of the API: what a token may is its scopes and never more than what its maker may today. Its secret is a row of
-- `credentials` of kind `api_token`, as a hash; here is what people see of it.
CREATE TABLE api_tokens (
  tenant_id uuid NOT NULL, token_id uuid NOT NULL, name text NOT NULL, hint text NOT NULL, login_id uuid NOT NULL,
  scopes text[] NOT NULL, networks text[] NOT NULL, made_at timestamptz NOT NULL, expires_at timestamptz NOT NULL,
  used_at timestamptz, used_from text, revoked_at timestamptz, revoked_by text,
  CONSTRAINT api_tokens_pkey PRIMARY KEY (tenant_id, token_id),
  CONSTRAINT api_tokens_life CHECK (expires_at > made_at),
  CONSTRAINT api_tokens_revoked CHECK ((revoked_at IS NULL) = (revoked_by IS NULL)));
CREATE INDEX api_tokens_made ON api_tokens (tenant_id, made_at, token_id);
CALL protect('api_tokens', false);
GRANT SELECT, INSERT, UPDATE (used_at, used_from, revoked_at, revoked_by) ON api_tokens TO app_tenant;

-- What was answered to a request that carried an Idempotency-Key: written in the transaction of what it did, so that the
-- same key does it once. Kept for a day.
CREATE TABLE api_answers (
  tenant_id uuid NOT NULL, token_id uuid NOT NULL, idempotency_key text NOT NULL, digest bytea NOT NULL,
  status smallint NOT NULL, body jsonb NOT NULL, at timestamptz NOT NULL,
  CONSTRAINT api_answers_pkey PRIMARY KEY (tenant_id, token_id, idempotency_key),
  CONSTRAINT api_answers_key CHECK (length(idempotency_key) BETWEEN 1 AND 255));
CREATE INDEX api_answers_at ON api_answers (tenant_id, token_id, at);
CALL protect('api_answers', false);
GRANT SELECT, INSERT, UPDATE (status, body), DELETE ON api_answers TO app_tenant;
-- The list of runs, the newest first.
CREATE INDEX runs_planned ON runs (tenant_id, planned_at, run_id);
