-- How many reports of metrics an organization's hosts may send a minute, and how many were not kept because of it. Nothing else
-- that a host says is counted: what a check saw, what a fix did and what calls a person is taken whatever the plan says.
ALTER TABLE plans ADD COLUMN max_reports int, ADD CONSTRAINT plans_reports CHECK (max_reports >= 1);

CREATE TABLE ingest_days (
  tenant_id uuid NOT NULL, client_id uuid NOT NULL, day date NOT NULL, not_kept bigint NOT NULL,
  CONSTRAINT ingest_days_pkey PRIMARY KEY (tenant_id, client_id, day),
  CONSTRAINT ingest_days_client_fkey FOREIGN KEY (tenant_id, client_id) REFERENCES clients,
  CONSTRAINT ingest_days_not_kept CHECK (not_kept > 0));
CALL protect('ingest_days', true);
GRANT SELECT, INSERT, UPDATE (not_kept) ON ingest_days TO app_tenant;
