-- Stage verify, and what people are told.
CREATE TABLE verifications (
  tenant_id uuid NOT NULL, client_id uuid NOT NULL, run_id uuid NOT NULL, attempt smallint NOT NULL,
  phase text NOT NULL, due_at timestamptz, request_id uuid, settle_secs int NOT NULL, stable_secs int NOT NULL,
  first_ok_at timestamptz, outcome text, ended_at timestamptz,
  lease_token uuid, lease_expires_at timestamptz, lease_count int NOT NULL DEFAULT 0,
  CONSTRAINT verifications_pkey PRIMARY KEY (tenant_id, run_id, attempt),
  CONSTRAINT verifications_run_fkey FOREIGN KEY (tenant_id, client_id, run_id) REFERENCES runs (tenant_id, client_id, run_id),
  CONSTRAINT verifications_phase CHECK (phase IN ('settling', 'asked_first', 'stabilizing', 'asked_again', 'ended')),
  CONSTRAINT verifications_due CHECK ((phase = 'ended') = (due_at IS NULL)),
  CONSTRAINT verifications_asked CHECK ((phase IN ('asked_first', 'asked_again')) <= (request_id IS NOT NULL)),
  CONSTRAINT verifications_ended CHECK ((phase = 'ended') = (ended_at IS NOT NULL) AND (ended_at IS NULL) = (outcome IS NULL)),
  CONSTRAINT verifications_outcome CHECK (outcome IN ('fixed', 'not_fixed', 'cannot_tell', 'made_worse')),
  CONSTRAINT verifications_lease CHECK ((lease_token IS NULL) = (lease_expires_at IS NULL)));
CREATE INDEX verifications_due_at ON verifications (tenant_id, due_at) WHERE due_at IS NOT NULL;
CALL protect('verifications', true);
GRANT SELECT, INSERT, UPDATE ON verifications TO app_tenant;

CREATE TABLE outbox (
  tenant_id uuid NOT NULL, client_id uuid NOT NULL, outbox_id uuid NOT NULL, incident_id uuid NOT NULL, run_id uuid, kind text NOT NULL,
  message_id text NOT NULL, address text NOT NULL, subject text NOT NULL, html text NOT NULL, body_text text NOT NULL,
  state text NOT NULL, created_at timestamptz NOT NULL, due_at timestamptz, attempts int NOT NULL DEFAULT 0, last_error text, ended_at timestamptz,
  lease_token uuid, lease_expires_at timestamptz, lease_count int NOT NULL DEFAULT 0,
  CONSTRAINT outbox_pkey PRIMARY KEY (tenant_id, outbox_id),
  CONSTRAINT outbox_message UNIQUE (tenant_id, message_id),
  CONSTRAINT outbox_incident_fkey FOREIGN KEY (tenant_id, client_id, incident_id) REFERENCES incidents (tenant_id, client_id, incident_id),
  CONSTRAINT outbox_kind CHECK (kind IN ('fixed', 'needs_you', 'held')),
  CONSTRAINT outbox_state CHECK (state IN ('queued', 'sent', 'failed', 'withdrawn')),
  CONSTRAINT outbox_due CHECK ((state = 'queued') = (due_at IS NOT NULL)),
  CONSTRAINT outbox_ended CHECK ((state = 'queued') = (ended_at IS NULL)),
  CONSTRAINT outbox_lease CHECK ((lease_token IS NULL) = (lease_expires_at IS NULL)));
CREATE INDEX outbox_due_at ON outbox (tenant_id, due_at) WHERE state = 'queued';
CREATE INDEX outbox_incident ON outbox (tenant_id, incident_id, created_at);
CALL protect('outbox', true);
GRANT SELECT, INSERT, UPDATE ON outbox TO app_tenant;

-- Append only; linked into a chain later, in commit-visible order, by one writer a tenant.
CREATE TABLE audit (
  tenant_id uuid NOT NULL, client_id uuid NOT NULL, audit_id uuid NOT NULL, at timestamptz NOT NULL, actor text NOT NULL,
  action text NOT NULL, subject_kind text NOT NULL, subject_id uuid NOT NULL, detail jsonb NOT NULL,
  CONSTRAINT audit_pkey PRIMARY KEY (tenant_id, audit_id),
  CONSTRAINT audit_client_fkey FOREIGN KEY (tenant_id, client_id) REFERENCES clients);
CREATE INDEX audit_subject ON audit (tenant_id, subject_id, at);
CALL protect('audit', true);
GRANT SELECT, INSERT ON audit TO app_tenant;
CREATE TABLE tenant_audit (                           -- entries that tell nothing of one client
  tenant_id uuid NOT NULL, audit_id uuid NOT NULL, at timestamptz NOT NULL, actor text NOT NULL,
  action text NOT NULL, subject_kind text NOT NULL, subject_id uuid NOT NULL, detail jsonb NOT NULL,
  CONSTRAINT tenant_audit_pkey PRIMARY KEY (tenant_id, audit_id));
CALL protect('tenant_audit', false);
GRANT SELECT, INSERT ON tenant_audit TO app_tenant;
