-- Who sees all clients of a tenant and who sees some are two roles, each with one policy. A policy that asks a setting on each
-- row whether to look at the client costs 20 to 60 % of a list; what a role may see is decided once a statement. The wide
-- reach is said, never implied: app_tenant sees the clients that are named, and with none named nothing of a client.
GRANT USAGE ON SCHEMA public TO app_all_clients;

CREATE OR REPLACE PROCEDURE protect(t regclass, carries_client boolean) LANGUAGE plpgsql AS $$
DECLARE
  of_tenant text := $f$tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid$f$;
  of_clients text := of_tenant || $f$ AND client_id = ANY (coalesce(nullif(current_setting('app.client_ids', true), ''), '{}')::uuid[])$f$;
BEGIN
  EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', t);
  EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', t);
  IF carries_client THEN
    EXECUTE format('CREATE POLICY isolation ON %s TO app_tenant USING (%s)', t, of_clients);
    EXECUTE format('CREATE POLICY isolation_of_all ON %s TO app_all_clients USING (%s)', t, of_tenant);
  ELSE
    EXECUTE format('CREATE POLICY isolation ON %s TO app_tenant, app_all_clients USING (%s)', t, of_tenant);
  END IF;
END $$;
REVOKE ALL ON PROCEDURE protect FROM PUBLIC;

DO $$ DECLARE p record; BEGIN
  FOR p IN SELECT polrelid::regclass AS t, EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = polrelid AND a.attname = 'client_id' AND NOT a.attisdropped) AS carries_client
           FROM pg_policy WHERE polname = 'isolation' LOOP
    EXECUTE format('DROP POLICY isolation ON %s', p.t);
    CALL protect(p.t, p.carries_client);
  END LOOP;
END $$;

-- Gives app_all_clients what app_tenant has. Called after every run of migrations, so that no migration grants anything twice.
CREATE PROCEDURE grant_alike() LANGUAGE plpgsql AS $$
DECLARE g record; BEGIN
  FOR g IN
    SELECT x.privilege_type || ' ON ' || c.oid::regclass AS what
      FROM pg_class c, aclexplode(c.relacl) x WHERE c.relnamespace = 'public'::regnamespace AND x.grantee = 'app_tenant'::regrole
    UNION ALL SELECT format('%s (%I) ON %s', x.privilege_type, a.attname, c.oid::regclass)
      FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid, aclexplode(a.attacl) x
      WHERE c.relnamespace = 'public'::regnamespace AND x.grantee = 'app_tenant'::regrole
  LOOP EXECUTE format('GRANT %s TO app_all_clients', g.what); END LOOP;
END $$;
REVOKE ALL ON PROCEDURE grant_alike FROM PUBLIC;

-- What the board asks: nobody said yes in time, silences that ended, and how many days went.
CREATE INDEX runs_lapsed ON runs (tenant_id, ended_at) WHERE state = 'expired';
CREATE INDEX alerts_check_closed ON alerts (tenant_id, check_id, closed_at) WHERE state = 'closed';
DROP INDEX incidents_newest;
CREATE INDEX incidents_newest ON incidents (tenant_id, opened_at DESC, incident_id) INCLUDE (client_id, outcome, escalated_at);
