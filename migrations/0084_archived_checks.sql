-- A check can be archived, and its name is free again. One that was made on a host's page is the client's, and goes with it.
ALTER TABLE checks DROP CONSTRAINT checks_name;
CREATE UNIQUE INDEX checks_name ON checks (tenant_id, name) WHERE archived_at IS NULL;
ALTER TABLE checks ADD COLUMN archived_by text, ADD COLUMN made_for_client uuid, ADD COLUMN made_for_host uuid;
-- Who made one on a host's page stands in the audit with the client. (The owner, too, is held by forced policies.)
ALTER TABLE checks NO FORCE ROW LEVEL SECURITY;
ALTER TABLE audit NO FORCE ROW LEVEL SECURITY;
ALTER TABLE hosts NO FORCE ROW LEVEL SECURITY;
UPDATE checks k SET made_for_client = a.client_id,
    made_for_host = (SELECT h.host_id FROM hosts h WHERE h.tenant_id = k.tenant_id AND h.client_id = a.client_id AND h.name = k.definition->'selector'->>'host')
  FROM audit a WHERE a.tenant_id = k.tenant_id AND a.action = 'check.made' AND a.subject_id = k.check_id;
ALTER TABLE checks FORCE ROW LEVEL SECURITY;
ALTER TABLE audit FORCE ROW LEVEL SECURITY;
ALTER TABLE hosts FORCE ROW LEVEL SECURITY;
GRANT DELETE ON checks, run_neighbours TO app_tenant;
