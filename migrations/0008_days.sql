-- Tables that are kept by day, and the one pair of functions that may make or drop a day.
CREATE TABLE host_metrics (tenant_id uuid NOT NULL, client_id uuid NOT NULL, host_id uuid NOT NULL, at timestamptz NOT NULL,  -- one row a host and minute
  layout smallint NOT NULL, samples real[] NOT NULL, extra jsonb,
  CONSTRAINT host_metrics_pkey PRIMARY KEY (tenant_id, host_id, at)) PARTITION BY RANGE (at);
CREATE TABLE run_output (tenant_id uuid NOT NULL, client_id uuid NOT NULL, run_id uuid NOT NULL, purpose text NOT NULL, leg smallint NOT NULL, attempt smallint NOT NULL,
  byte_offset bigint NOT NULL, at timestamptz NOT NULL,   -- jobs.permitted_at, so that a chunk sent again meets its key
  bytes bytea NOT NULL,
  CONSTRAINT run_output_pkey PRIMARY KEY (tenant_id, run_id, purpose, leg, attempt, byte_offset, at)) PARTITION BY RANGE (at);
CALL protect('host_metrics', true); CALL protect('run_output', true);
GRANT SELECT, INSERT ON host_metrics, run_output TO app_tenant;        -- on the parent only: nobody but the owner may touch a partition by name
CREATE SCHEMA maintenance;
GRANT USAGE ON SCHEMA maintenance TO app_system;
CREATE FUNCTION maintenance.ensure_day(parent text, day date, today date) RETURNS void LANGUAGE plpgsql
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET lock_timeout = '200ms' AS $$
DECLARE child text := format('%s_%s', parent, to_char(day, 'YYYYMMDD'));
BEGIN
  IF parent NOT IN ('host_metrics', 'run_output') THEN RAISE EXCEPTION 'not a daily table: %', parent; END IF;
  IF day NOT BETWEEN today - 1 AND today + 14 THEN RAISE EXCEPTION 'day out of range: %', day; END IF;
  IF to_regclass('public.' || child) IS NOT NULL THEN RETURN; END IF;
  EXECUTE format('CREATE TABLE public.%I (LIKE public.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS, CONSTRAINT bounds CHECK (at >= %L AND at < %L))',
                 child, parent, day::timestamptz, (day + 1)::timestamptz);
  EXECUTE format('ALTER TABLE public.%I ENABLE ROW LEVEL SECURITY', child);
  EXECUTE format('ALTER TABLE public.%I FORCE ROW LEVEL SECURITY', child);   -- no policy: closed to all
  EXECUTE format('ALTER TABLE public.%I ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)',
                 parent, child, day::timestamptz, (day + 1)::timestamptz);
  EXECUTE format('ALTER TABLE public.%I DROP CONSTRAINT bounds', child);
END $$;
CREATE FUNCTION maintenance.drop_day(parent text, day date, keep_days int, today date) RETURNS void LANGUAGE plpgsql
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET lock_timeout = '200ms' AS $$
BEGIN
  IF parent NOT IN ('host_metrics', 'run_output') THEN RAISE EXCEPTION 'not a daily table: %', parent; END IF;
  IF keep_days < 1 OR day >= today - keep_days THEN RAISE EXCEPTION 'still to be kept: %', day; END IF;
  EXECUTE format('DROP TABLE IF EXISTS public.%I', format('%s_%s', parent, to_char(day, 'YYYYMMDD')));
END $$;
REVOKE ALL ON FUNCTION maintenance.ensure_day, maintenance.drop_day FROM PUBLIC;
GRANT EXECUTE ON FUNCTION maintenance.ensure_day, maintenance.drop_day TO app_system;
