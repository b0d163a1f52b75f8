-- Entries about an account and about what an operator does say how it was before and is after, and an organization's hosts and
-- members are counted as its plan counts them. The functions that do less stay: the server before this one calls them until it is
-- replaced.
CREATE FUNCTION maintenance.note_account(of_login uuid, only_in uuid, what text, about jsonb, was jsonb, becomes jsonb, at timestamptz,
  linked_at timestamptz, came_from text, asked_in uuid) RETURNS bigint LANGUAGE plpgsql
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  place uuid;
  n bigint := 0;
BEGIN
  IF what !~ '^(account|member)\.[a-z_]+$' THEN RAISE EXCEPTION 'not what happens to an account: %', what; END IF;
  FOR place IN SELECT m.tenant_id FROM public.memberships m JOIN public.tenants t ON t.tenant_id = m.tenant_id
    WHERE m.login_id = of_login AND (only_in IS NULL OR m.tenant_id = only_in) AND t.state IN ('active', 'suspended') ORDER BY m.tenant_id
  LOOP
    PERFORM set_config('app.tenant_id', place::text, true);
    INSERT INTO public.tenant_audit (tenant_id, audit_id, at, actor, action, subject_kind, subject_id, detail, before, after, source, request_id)
      VALUES (place, gen_random_uuid(), at, 'member ' || of_login, what, 'member', of_login, about, was, becomes, came_from, asked_in);
    INSERT INTO public.tenant_wakeups (tenant_id, queue, due_at) VALUES (place, 'audit', linked_at);
    n := n + 1;
  END LOOP;
  PERFORM set_config('app.tenant_id', '', true);
  RETURN n;
END $$;
REVOKE ALL ON FUNCTION maintenance.note_account(uuid, uuid, text, jsonb, jsonb, jsonb, timestamptz, timestamptz, text, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION maintenance.note_account(uuid, uuid, text, jsonb, jsonb, jsonb, timestamptz, timestamptz, text, uuid) TO app_system;

CREATE FUNCTION maintenance.note_operator(of_tenant uuid, what text, about jsonb, was jsonb, becomes jsonb, at timestamptz,
  linked_at timestamptz, asked_in uuid) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF what NOT IN ('organization.suspended', 'organization.resumed', 'organization.plan') THEN RAISE EXCEPTION 'not what an operator does: %', what; END IF;
  PERFORM set_config('app.tenant_id', of_tenant::text, true);
  INSERT INTO public.tenant_audit (tenant_id, audit_id, at, actor, action, subject_kind, subject_id, detail, before, after, request_id)
    VALUES (of_tenant, gen_random_uuid(), at, 'operator', what, 'tenant', of_tenant, about, was, becomes, asked_in);
  INSERT INTO public.tenant_wakeups (tenant_id, queue, due_at) VALUES (of_tenant, 'audit', linked_at);
  PERFORM set_config('app.tenant_id', '', true);
END $$;
REVOKE ALL ON FUNCTION maintenance.note_operator(uuid, text, jsonb, jsonb, jsonb, timestamptz, timestamptz, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION maintenance.note_operator(uuid, text, jsonb, jsonb, jsonb, timestamptz, timestamptz, uuid) TO app_system;

CREATE FUNCTION maintenance.survey(of_tenant uuid, at timestamptz) RETURNS TABLE (
  name text, state text, plan text, clients bigint, hosts bigint, linked bigint, checks bigint, members bigint,
  open_incidents bigint, running bigint, is_stopped boolean, deletes_at timestamptz, versions jsonb) LANGUAGE plpgsql
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM set_config('app.tenant_id', of_tenant::text, true), set_config('app.all_clients', 'yes', true);
  RETURN QUERY SELECT t.name, t.state, t.plan,
    (SELECT count(*) FROM public.clients c WHERE c.tenant_id = of_tenant AND c.archived_at IS NULL),
    (SELECT count(*) FROM public.hosts h JOIN public.clients c ON c.tenant_id = h.tenant_id AND c.client_id = h.client_id
      WHERE h.tenant_id = of_tenant AND h.state <> 'retired' AND c.archived_at IS NULL),
    (SELECT count(*) FROM public.host_links l WHERE l.tenant_id = of_tenant AND l.unlinked_at IS NULL),
    (SELECT count(*) FROM public.checks k WHERE k.tenant_id = of_tenant AND k.archived_at IS NULL),
    -- Whoever has a place in the plan: people, service accounts, and whom an invitation waits for.
    (SELECT count(*) FROM public.memberships m WHERE m.tenant_id = of_tenant)
      + (SELECT count(*) FROM public.service_seats v WHERE v.tenant_id = of_tenant)
      + (SELECT count(*) FROM public.invitations i WHERE i.tenant_id = of_tenant AND i.state = 'open' AND i.expires_at > at),
    (SELECT count(*) FROM public.incidents i WHERE i.tenant_id = of_tenant AND i.state <> 'closed'),
    (SELECT count(*) FROM public.runs r WHERE r.tenant_id = of_tenant AND r.state IN ('admitted', 'running', 'unknown', 'verifying', 'undoing')),
    EXISTS (SELECT 1 FROM public.guardrail_buckets b WHERE b.tenant_id = of_tenant AND b.scope_kind = 'tenant' AND b.scope_key = of_tenant::text AND b.frozen),
    (SELECT d.due_at FROM public.deletions d WHERE d.tenant_id = of_tenant AND d.kind = 'tenant' AND d.called_off_at IS NULL),
    (SELECT coalesce(jsonb_object_agg(v.version, v.n), '{}') FROM (SELECT coalesce(h.agent_version, 'unknown') AS version, count(*) AS n
      FROM public.hosts h WHERE h.tenant_id = of_tenant AND h.state <> 'retired' GROUP BY 1 ORDER BY 2 DESC LIMIT 20) v)
  FROM public.tenants t WHERE t.tenant_id = of_tenant;
  PERFORM set_config('app.tenant_id', '', true), set_config('app.all_clients', '', true);
END $$;
REVOKE ALL ON FUNCTION maintenance.survey(uuid, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION maintenance.survey(uuid, timestamptz) TO app_system;
