-- As before; the entry of what was deleted says in `before` what it was called.
-- Deletes the next rows, about `at_most`, of what a deletion that has begun is about, those first that refer to others, and
-- says how many; 0: nothing is left but what is kept, and that is written down. -1: something runs still, and nothing goes.
-- It works as the organization itself, so the policies hold it to its rows. What is kept of an organization is its audit,
-- for 400 days; then that goes too, and at last its name.
CREATE OR REPLACE FUNCTION maintenance.erase(of_tenant uuid, which uuid, at_most int, at timestamptz) RETURNS bigint LANGUAGE plpgsql
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
      INSERT INTO public.tenant_audit (tenant_id, audit_id, at, actor, action, subject_kind, subject_id, detail, before)
        VALUES (of_tenant, gen_random_uuid(), at, 'loop erase', 'organization.deleted', 'tenant', of_tenant, jsonb_build_object('asked_by', d.asked_by), jsonb_build_object('name', d.name));
    ELSE
      INSERT INTO public.audit (tenant_id, client_id, audit_id, at, actor, action, subject_kind, subject_id, detail, before)
        VALUES (of_tenant, client, gen_random_uuid(), at, 'loop erase', 'client.deleted', 'client', client, jsonb_build_object('asked_by', d.asked_by), jsonb_build_object('name', d.name));
    END IF;
    INSERT INTO public.tenant_wakeups (tenant_id, queue, due_at) VALUES (of_tenant, 'audit', at + interval '2 seconds');
  END IF;
  PERFORM set_config('app.tenant_id', '', true), set_config('app.all_clients', '', true);
  RETURN total;
END $$;
