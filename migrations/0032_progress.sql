-- What a fix has written so far, while it runs: told by its host now and then, and replaced by the result.
CREATE TABLE run_progress (
  tenant_id uuid NOT NULL, client_id uuid NOT NULL, run_id uuid NOT NULL, purpose text NOT NULL, leg smallint NOT NULL, attempt smallint NOT NULL,
  at timestamptz NOT NULL, bytes bytea NOT NULL,
  CONSTRAINT run_progress_pkey PRIMARY KEY (tenant_id, run_id, purpose, leg, attempt),
  CONSTRAINT run_progress_run_fkey FOREIGN KEY (tenant_id, client_id, run_id) REFERENCES runs (tenant_id, client_id, run_id),
  CONSTRAINT run_progress_size CHECK (octet_length(bytes) <= 98304));
CALL protect('run_progress', true);
GRANT SELECT, INSERT, UPDATE, DELETE ON run_progress TO app_tenant;
