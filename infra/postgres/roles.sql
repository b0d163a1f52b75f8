-- Once per cluster, in database postgres, by a role that may create roles; safe to run again, also in parallel.
BEGIN;
SELECT pg_advisory_xact_lock(7240001);
DO $$ DECLARE r text; BEGIN
  FOREACH r IN ARRAY ARRAY['app_owner LOGIN', 'app_tenant NOLOGIN', 'app_all_clients NOLOGIN', 'app_system LOGIN', 'app_login LOGIN NOINHERIT'] LOOP
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = split_part(r, ' ', 1)) THEN EXECUTE 'CREATE ROLE ' || r; END IF;
  END LOOP;
END $$;
GRANT app_tenant, app_all_clients TO app_login;
GRANT app_tenant, app_all_clients, app_system TO app_owner;   -- for the operator's scope only; app_owner keeps INHERIT: it owns schema public through pg_database_owner
COMMIT;
