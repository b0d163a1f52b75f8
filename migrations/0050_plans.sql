-- Plans, and what an organization uses of its own. A plan bounds what is added, never what is done: no limit here holds
-- back a result, a fix or a call. NULL: no limit.
CREATE TABLE plans (
  plan text NOT NULL, max_hosts int, max_checks int, max_members int, keep_days int,
  CONSTRAINT plans_pkey PRIMARY KEY (plan),
  CONSTRAINT plans_name CHECK (plan ~ '^[a-z0-9][a-z0-9-]{0,39}$'),
  CONSTRAINT plans_limits CHECK (max_hosts >= 0 AND max_checks >= 0 AND max_members >= 1 AND keep_days >= 30));
INSERT INTO plans (plan) VALUES ('unlimited');
GRANT SELECT ON plans TO app_tenant;
GRANT SELECT, INSERT, UPDATE ON plans TO app_system;
-- The plan's name, and no foreign key: a tenant's row refers to nothing that is not the tenant's.
ALTER TABLE tenants ADD COLUMN plan text NOT NULL DEFAULT 'unlimited';
GRANT SELECT (plan), UPDATE (plan) ON tenants TO app_system;

-- The most hosts that a client had on a day (UTC), for the organization's own invoices.
CREATE TABLE usage_days (
  tenant_id uuid NOT NULL, client_id uuid NOT NULL, day date NOT NULL, hosts int NOT NULL,
  CONSTRAINT usage_days_pkey PRIMARY KEY (tenant_id, client_id, day),
  CONSTRAINT usage_days_client_fkey FOREIGN KEY (tenant_id, client_id) REFERENCES clients,
  CONSTRAINT usage_days_hosts CHECK (hosts > 0));
CREATE INDEX usage_days_day ON usage_days (tenant_id, day);
CALL protect('usage_days', true);
GRANT SELECT, INSERT, UPDATE (hosts) ON usage_days TO app_tenant;

-- Deletes a day of an organization's metrics and output that is older than its plan keeps, and says how many rows went.
CREATE FUNCTION maintenance.prune(of_tenant uuid, today date) RETURNS bigint LANGUAGE plpgsql
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
  keep int;
  until timestamptz;
  place text;
  first timestamptz;
  n bigint := 0;
BEGIN
  PERFORM set_config('app.tenant_id', of_tenant::text, true), set_config('app.all_clients', 'yes', true);
  SELECT p.keep_days INTO keep FROM public.tenants t JOIN public.plans p ON p.plan = t.plan WHERE t.tenant_id = of_tenant;
  IF keep IS NOT NULL THEN
    until := (today - keep)::timestamptz;
    FOREACH place IN ARRAY ARRAY['run_output', 'host_metrics_1h', 'host_metrics_5m', 'host_metrics'] LOOP
      EXECUTE format('SELECT x.at FROM public.%I x WHERE x.tenant_id = $1 AND x.at < $2 LIMIT 1', place) INTO first USING of_tenant, until;
      CONTINUE WHEN first IS NULL;
      EXECUTE format('DELETE FROM public.%I x WHERE x.tenant_id = $1 AND x.at >= $2 AND x.at < $3', place)
        USING of_tenant, date_trunc('day', first), date_trunc('day', first) + interval '1 day';
      GET DIAGNOSTICS n = ROW_COUNT;
      EXIT WHEN n > 0;
    END LOOP;
  END IF;
  PERFORM set_config('app.tenant_id', '', true), set_config('app.all_clients', '', true);
  RETURN n;
END $$;
REVOKE ALL ON FUNCTION maintenance.prune FROM PUBLIC;
GRANT EXECUTE ON FUNCTION maintenance.prune TO app_system;
-- Whoever sees all clients takes everything along.
GRANT EXECUTE ON FUNCTION export_part TO app_all_clients;
