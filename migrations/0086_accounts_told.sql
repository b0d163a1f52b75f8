-- What happens to an account (a password set, an address changed, somebody signed in) stands in the audit of each organization
-- where it has a seat, or of the one that is meant, in the transaction that does it. Says in how many. An account is no
-- organization's, so this begins before one is known; and it writes entries about a member who is that account, and nothing else.
CREATE FUNCTION maintenance.note_account(of_login uuid, only_in uuid, what text, about jsonb, at timestamptz, linked_at timestamptz,
  came_from text, asked_in uuid) RETURNS bigint LANGUAGE plpgsql
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
    INSERT INTO public.tenant_audit (tenant_id, audit_id, at, actor, action, subject_kind, subject_id, detail, source, request_id)
      VALUES (place, gen_random_uuid(), at, 'member ' || of_login, what, 'member', of_login, about, came_from, asked_in);
    INSERT INTO public.tenant_wakeups (tenant_id, queue, due_at) VALUES (place, 'audit', linked_at);
    n := n + 1;
  END LOOP;
  PERFORM set_config('app.tenant_id', '', true);
  RETURN n;
END $$;
REVOKE ALL ON FUNCTION maintenance.note_account FROM PUBLIC;
GRANT EXECUTE ON FUNCTION maintenance.note_account TO app_system;
