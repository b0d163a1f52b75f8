-- What the server asks over the network itself: one row for each such check on each host it selects.
-- A check with a row here is the server's to look at; every other one is the agent's.
ALTER TABLE checks DROP CONSTRAINT checks_kind;
ALTER TABLE checks ADD CONSTRAINT checks_kind CHECK (kind IN ('service', 'heartbeat', 'http', 'tcp'));
CREATE TABLE probes (
  tenant_id uuid NOT NULL, client_id uuid NOT NULL, host_id uuid NOT NULL, check_id uuid NOT NULL,
  due_at timestamptz NOT NULL, lease_token uuid, lease_expires_at timestamptz, lease_count int NOT NULL DEFAULT 0,
  CONSTRAINT probes_pkey PRIMARY KEY (tenant_id, host_id, check_id),
  CONSTRAINT probes_host_fkey FOREIGN KEY (tenant_id, client_id, host_id) REFERENCES hosts (tenant_id, client_id, host_id),
  CONSTRAINT probes_check_fkey FOREIGN KEY (tenant_id, check_id) REFERENCES checks,
  CONSTRAINT probes_lease CHECK ((lease_token IS NULL) = (lease_expires_at IS NULL)))
  WITH (fillfactor = 70);
CREATE INDEX probes_due ON probes (tenant_id, due_at);
CALL protect('probes', true);
GRANT SELECT, INSERT, UPDATE, DELETE ON probes TO app_tenant;
-- Before a job is handed out, the newest look of the server's own is looked for.
CREATE INDEX check_requests_look_again ON check_requests (tenant_id, host_id, check_id, asked_at) WHERE asked_for = 'look_again';
