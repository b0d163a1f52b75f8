-- Metrics: the newest report of each host, and the minutes of host_metrics rolled up.

CREATE TABLE host_now (                                                 -- one row a host, written in place at each report
  tenant_id uuid NOT NULL, client_id uuid NOT NULL, host_id uuid NOT NULL, at timestamptz NOT NULL,
  layout smallint NOT NULL, samples real[] NOT NULL, extra jsonb NOT NULL,
  CONSTRAINT host_now_pkey PRIMARY KEY (tenant_id, host_id),
  CONSTRAINT host_now_host_fkey FOREIGN KEY (tenant_id, client_id, host_id) REFERENCES hosts (tenant_id, client_id, host_id))
  WITH (fillfactor = 50);
CREATE TABLE host_metrics_5m (tenant_id uuid NOT NULL, client_id uuid NOT NULL, host_id uuid NOT NULL, at timestamptz NOT NULL,
  layout smallint NOT NULL, samples real[] NOT NULL,
  CONSTRAINT host_metrics_5m_pkey PRIMARY KEY (tenant_id, host_id, at)) PARTITION BY RANGE (at);
CREATE TABLE host_metrics_1h (tenant_id uuid NOT NULL, client_id uuid NOT NULL, host_id uuid NOT NULL, at timestamptz NOT NULL,
  layout smallint NOT NULL, samples real[] NOT NULL,
  CONSTRAINT host_metrics_1h_pkey PRIMARY KEY (tenant_id, host_id, at)) PARTITION BY RANGE (at);
CALL protect('host_now', true); CALL protect('host_metrics_5m', true); CALL protect('host_metrics_1h', true);
GRANT SELECT, INSERT, UPDATE ON host_now TO app_tenant;
GRANT SELECT, INSERT, UPDATE ON host_metrics_5m, host_metrics_1h TO app_tenant;   -- on the parents only; UPDATE: a window is rolled up again when more of it comes

-- Makes the partition that holds `day`: that day, or its month for the hours.
CREATE OR REPLACE FUNCTION maintenance.ensure_day(parent text, day date, today date) RETURNS void LANGUAGE plpgsql
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET lock_timeout = '200ms' AS $$
DECLARE monthly boolean := parent = 'host_metrics_1h';
  first date := CASE WHEN monthly THEN date_trunc('month', day)::date ELSE day END;
  after date := CASE WHEN monthly THEN (date_trunc('month', day) + interval '1 month')::date ELSE day + 1 END;
  child text := format('%s_%s', parent, to_char(first, CASE WHEN monthly THEN 'YYYYMM' ELSE 'YYYYMMDD' END));
BEGIN
  IF parent NOT IN ('host_metrics', 'host_metrics_5m', 'host_metrics_1h', 'run_output') THEN RAISE EXCEPTION 'not a daily table: %', parent; END IF;
  IF day NOT BETWEEN today - 1 AND today + 14 THEN RAISE EXCEPTION 'day out of range: %', day; END IF;
  IF to_regclass('public.' || child) IS NOT NULL THEN RETURN; END IF;
  EXECUTE format('CREATE TABLE public.%I (LIKE public.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS, CONSTRAINT bounds CHECK (at >= %L AND at < %L))',
                 child, parent, first::timestamptz, after::timestamptz);
  EXECUTE format('ALTER TABLE public.%I ENABLE ROW LEVEL SECURITY', child);
  EXECUTE format('ALTER TABLE public.%I FORCE ROW LEVEL SECURITY', child);   -- no policy: closed to all
  EXECUTE format('ALTER TABLE public.%I ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)',
                 parent, child, first::timestamptz, after::timestamptz);
  EXECUTE format('ALTER TABLE public.%I DROP CONSTRAINT bounds', child);
END $$;
-- Drops the partition that holds `day` once all of it is older than `keep_days`.
CREATE OR REPLACE FUNCTION maintenance.drop_day(parent text, day date, keep_days int, today date) RETURNS void LANGUAGE plpgsql
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET lock_timeout = '200ms' AS $$
DECLARE monthly boolean := parent = 'host_metrics_1h';
  last date := CASE WHEN monthly THEN (date_trunc('month', day) + interval '1 month - 1 day')::date ELSE day END;
BEGIN
  IF parent NOT IN ('host_metrics', 'host_metrics_5m', 'host_metrics_1h', 'run_output') THEN RAISE EXCEPTION 'not a daily table: %', parent; END IF;
  IF keep_days < 1 OR last >= today - keep_days THEN RAISE EXCEPTION 'still to be kept: %', day; END IF;
  EXECUTE format('DROP TABLE IF EXISTS public.%I', format('%s_%s', parent, to_char(day, CASE WHEN monthly THEN 'YYYYMM' ELSE 'YYYYMMDD' END)));
END $$;
