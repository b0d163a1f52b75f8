-- Worse is measured: the host's other checks that were ok when a run got its permit, and the question asked of each after it.
CREATE TABLE run_neighbours (
  tenant_id uuid NOT NULL, client_id uuid NOT NULL, run_id uuid NOT NULL, attempt smallint NOT NULL,
  host_id uuid NOT NULL, check_id uuid NOT NULL, target text NOT NULL, request_id uuid,
  CONSTRAINT run_neighbours_pkey PRIMARY KEY (tenant_id, run_id, attempt, check_id, target),
  CONSTRAINT run_neighbours_run_fkey FOREIGN KEY (tenant_id, client_id, run_id) REFERENCES runs (tenant_id, client_id, run_id),
  CONSTRAINT run_neighbours_check_fkey FOREIGN KEY (tenant_id, check_id) REFERENCES checks);
CALL protect('run_neighbours', true);
GRANT SELECT, INSERT, UPDATE ON run_neighbours TO app_tenant;
