-- Deleting a client or a whole organization, and giving an owner every row of it.

-- What is deleted, who asked, and how far it is: it can be called off until it has begun, and begins when nothing runs any more.
CREATE TABLE deletions (
  tenant_id uuid NOT NULL, deletion_id uuid NOT NULL, kind text NOT NULL, subject_id uuid NOT NULL, name text NOT NULL,
  asked_at timestamptz NOT NULL, asked_by text NOT NULL, due_at timestamptz NOT NULL,
  called_off_at timestamptz, called_off_by text, begun_at timestamptz, ended_at timestamptz,
  CONSTRAINT deletions_pkey PRIMARY KEY (tenant_id, deletion_id),
  CONSTRAINT deletions_tenant FOREIGN KEY (tenant_id) REFERENCES tenants,
  CONSTRAINT deletions_kind CHECK (kind IN ('client', 'tenant') AND (kind <> 'tenant' OR subject_id = tenant_id)),
  CONSTRAINT deletions_due CHECK (due_at >= asked_at),
  CONSTRAINT deletions_called_off CHECK ((called_off_at IS NULL) = (called_off_by IS NULL) AND (called_off_at IS NULL OR begun_at IS NULL)),
  CONSTRAINT deletions_ended CHECK (ended_at IS NULL OR begun_at IS NOT NULL));
CREATE UNIQUE INDEX deletions_one ON deletions (tenant_id, subject_id) WHERE called_off_at IS NULL;
CALL protect('deletions', false);
GRANT SELECT, INSERT, UPDATE (called_off_at, called_off_by, begun_at) ON deletions TO app_tenant;
-- Which organizations something is being deleted in is found before one is known.
CREATE POLICY system_lookup ON deletions FOR SELECT TO app_system USING (true);
GRANT SELECT (tenant_id, deletion_id, kind, begun_at, ended_at) ON deletions TO app_system;

-- The key that an organization's secrets are sealed with, itself sealed with the master key: without this row they are
-- noise, whoever holds the master key. What was sealed before there was one says no version.
CREATE TABLE sealing_keys (
  tenant_id uuid NOT NULL, version int NOT NULL, sealed bytea NOT NULL, created_at timestamptz NOT NULL,
  CONSTRAINT sealing_keys_pkey PRIMARY KEY (tenant_id, version),
  CONSTRAINT sealing_keys_tenant FOREIGN KEY (tenant_id) REFERENCES tenants,
  CONSTRAINT sealing_keys_version CHECK (version >= 1));
CALL protect('sealing_keys', false);
GRANT SELECT, INSERT ON sealing_keys TO app_tenant;
ALTER TABLE tenant_keys ADD COLUMN sealing_version int;

ALTER TABLE tenants DROP CONSTRAINT tenants_state,
  ADD CONSTRAINT tenants_state CHECK (state IN ('active', 'suspended', 'archived', 'deleting'));
-- The audit outlives the client it tells of.
ALTER TABLE audit DROP CONSTRAINT audit_client_fkey;

-- Deletes the next rows, about `at_most`, of what a deletion that has begun is about, those first that refer to others, and
-- says how many; 0: nothing is left but what is kept, and that is written down. -1: something runs still, and nothing goes.
-- It works as the organization itself, so the policies hold it to its rows. What is kept of an organization is its audit,
-- for 400 days; then that goes too, and at last its name.
CREATE FUNCTION maintenance.erase(of_tenant uuid, which uuid, at_most int, at timestamptz) RETURNS bigint LANGUAGE plpgsql
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
  d public.deletions;
  client uuid;
  kept text[] := ARRAY['audit', 'tenant_audit', 'audit_chain', 'audit_heads', 'deletions', 'tenants'];
  place record;
  filter text;
  first timestamptz;
  n bigint;
  total bigint := 0;
BEGIN
  IF at_most NOT BETWEEN 1 AND 100000 THEN RAISE EXCEPTION 'not a number of rows: %', at_most; END IF;
  PERFORM set_config('app.tenant_id', of_tenant::text, true), set_config('app.all_clients', 'yes', true);
  SELECT * INTO d FROM public.deletions x WHERE x.tenant_id = of_tenant AND x.deletion_id = which
    AND x.begun_at IS NOT NULL AND x.called_off_at IS NULL FOR UPDATE;
  IF NOT FOUND THEN RAISE EXCEPTION 'no deletion that has begun: %', which; END IF;
  IF d.kind = 'client' THEN client := d.subject_id; END IF;
  IF d.ended_at IS NULL AND (
      EXISTS (SELECT 1 FROM public.jobs j WHERE j.tenant_id = of_tenant AND (client IS NULL OR j.client_id = client)
        AND j.state IN ('queued', 'leased', 'permitted', 'unknown'))
      OR EXISTS (SELECT 1 FROM public.runs r WHERE r.tenant_id = of_tenant AND (client IS NULL OR r.client_id = client)
        AND r.state IN ('admitted', 'running', 'unknown', 'verifying', 'undoing'))) THEN
    RETURN -1;
  END IF;
  IF client IS NULL THEN
    UPDATE public.tenants t SET state = 'deleting' WHERE t.tenant_id = of_tenant AND t.state <> 'deleting';
    IF d.ended_at <= at - interval '400 days' THEN kept := '{}'; END IF;
  ELSE
    -- What names the client, its hosts or its tokens without being a row of theirs.
    DELETE FROM public.credentials c WHERE c.tenant_id = of_tenant AND c.subject_id IN (
      SELECT h.host_id FROM public.hosts h WHERE h.tenant_id = of_tenant AND h.client_id = client
      UNION ALL SELECT e.enrolment_id FROM public.enrolments e WHERE e.tenant_id = of_tenant AND e.client_id = client
      UNION ALL SELECT k.token_id FROM public.enrolment_tokens k WHERE k.tenant_id = of_tenant AND k.client_id = client);
    UPDATE public.memberships m SET client_ids = array_remove(m.client_ids, client) WHERE m.tenant_id = of_tenant AND client = ANY (m.client_ids);
    UPDATE public.invitations i SET client_ids = array_remove(i.client_ids, client) WHERE i.tenant_id = of_tenant AND client = ANY (i.client_ids);
  END IF;
  FOR place IN
    WITH RECURSIVE columns AS (SELECT a.attrelid AS id, a.attname AS name FROM pg_attribute a WHERE a.attnum > 0 AND NOT a.attisdropped),
    tables AS (SELECT c.oid AS id, c.relname AS name, c.relkind = 'p' AS by_day FROM pg_class c JOIN columns k ON k.id = c.oid AND k.name = 'tenant_id'
      WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition),
    refers AS (SELECT DISTINCT f.conrelid AS child, f.confrelid AS parent FROM pg_constraint f WHERE f.contype = 'f' AND f.conparentid = 0 AND f.conrelid <> f.confrelid),
    depths AS (SELECT t.id, 0 AS depth FROM tables t UNION SELECT r.child, p.depth + 1 FROM depths p JOIN refers r ON r.parent = p.id WHERE p.depth < 30)
    SELECT * FROM (SELECT t.name, t.by_day, max(p.depth) AS depth,
      EXISTS (SELECT 1 FROM columns k WHERE k.id = t.id AND k.name = 'client_id') AS of_client,
      (SELECT k.name FROM columns k WHERE k.id = t.id AND k.name IN ('scope_key', 'subject_key')) AS keyed
    FROM tables t JOIN depths p ON p.id = t.id GROUP BY t.id, t.name, t.by_day) q
    -- Last of all the rows by which a deletion that was cut off is found again; first the key.
    ORDER BY q.name = 'tenants', q.name = 'deletions', q.name <> 'sealing_keys', q.keyed IS NULL, q.depth DESC, q.name
  LOOP
    CONTINUE WHEN place.name = ANY (kept);
    IF client IS NULL THEN
      -- The last entries of the audit wait for their links.
      filter := CASE WHEN place.name = 'tenant_wakeups' AND cardinality(kept) > 0 THEN 'AND x.queue <> ''audit''' ELSE '' END;
    ELSIF place.of_client THEN
      filter := 'AND x.client_id = $2';
    ELSIF place.keyed IS NOT NULL THEN
      filter := format('AND left(x.%I, 36) IN (SELECT $2::text UNION ALL SELECT h.host_id::text FROM public.hosts h WHERE h.tenant_id = $1 AND h.client_id = $2)', place.keyed);
    ELSE
      CONTINUE;
    END IF;
    IF place.by_day THEN
      -- A day at a time: rows of a partition are found by their instant.
      EXECUTE format('SELECT x.at FROM public.%I x WHERE x.tenant_id = $1 %s LIMIT 1', place.name, filter) INTO first USING of_tenant, client;
      CONTINUE WHEN first IS NULL;
      EXECUTE format('DELETE FROM public.%I x WHERE x.tenant_id = $1 AND x.at >= $3 AND x.at < $4 %s', place.name, filter)
        USING of_tenant, client, date_trunc('day', first), date_trunc('day', first) + interval '1 day';
    ELSE
      EXECUTE format('DELETE FROM public.%1$I x WHERE x.tenant_id = $1 AND x.ctid = ANY (ARRAY(SELECT x.ctid FROM public.%1$I x WHERE x.tenant_id = $1 %2$s LIMIT $3))',
        place.name, filter) USING of_tenant, client, at_most - total;
    END IF;
    GET DIAGNOSTICS n = ROW_COUNT;
    total := total + n;
    EXIT WHEN total >= at_most OR place.by_day AND n > 0;
  END LOOP;
  IF total = 0 AND d.ended_at IS NULL THEN
    UPDATE public.deletions x SET ended_at = at WHERE x.tenant_id = of_tenant AND x.deletion_id = which;
    IF client IS NULL THEN
      INSERT INTO public.tenant_audit (tenant_id, audit_id, at, actor, action, subject_kind, subject_id, detail)
        VALUES (of_tenant, gen_random_uuid(), at, 'loop erase', 'organization.deleted', 'tenant', of_tenant, jsonb_build_object('name', d.name, 'asked_by', d.asked_by));
    ELSE
      INSERT INTO public.audit (tenant_id, client_id, audit_id, at, actor, action, subject_kind, subject_id, detail)
        VALUES (of_tenant, client, gen_random_uuid(), at, 'loop erase', 'client.deleted', 'client', client, jsonb_build_object('name', d.name, 'asked_by', d.asked_by));
    END IF;
    INSERT INTO public.tenant_wakeups (tenant_id, queue, due_at) VALUES (of_tenant, 'audit', at + interval '2 seconds');
  END IF;
  PERFORM set_config('app.tenant_id', '', true), set_config('app.all_clients', '', true);
  RETURN total;
END $$;
REVOKE ALL ON FUNCTION maintenance.erase FROM PUBLIC;
GRANT EXECUTE ON FUNCTION maintenance.erase TO app_system;

-- The rows of a table after one of them, in the order of its key; as whoever asks, so the policies hold.
CREATE FUNCTION export_part(of_tenant uuid, of_table text, after jsonb, at_most int) RETURNS SETOF jsonb LANGUAGE plpgsql STABLE
  SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE key text;
BEGIN
  SELECT string_agg(format('t.%I', a.attname), ', ' ORDER BY k.n) INTO key
  FROM pg_index i CROSS JOIN unnest(i.indkey::int2[]) WITH ORDINALITY AS k(num, n) JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.num
  WHERE i.indrelid = to_regclass(format('public.%I', of_table)) AND i.indisprimary;
  IF key IS NULL THEN RAISE EXCEPTION 'not a table with a key: %', of_table; END IF;
  RETURN QUERY EXECUTE format(
    'SELECT to_jsonb(t) FROM public.%1$I t WHERE t.tenant_id = $1 AND ($2 IS NULL OR (%2$s) > (SELECT %2$s FROM jsonb_populate_record(NULL::public.%1$I, $2) t)) ORDER BY %2$s LIMIT $3',
    of_table, key) USING of_tenant, after, at_most;
END $$;
REVOKE ALL ON FUNCTION export_part FROM PUBLIC;
GRANT EXECUTE ON FUNCTION export_part TO app_tenant;
