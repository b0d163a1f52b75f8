-- An API token stands on the password that it was made under: where a login gets a new one, turns on its first second factor or
-- signs out everywhere, its own tokens end in each organization where it has a seat, with those that they made (which are the
-- login's too), in the transaction that does it. Those of service accounts go on. Says how many there were. It works as each
-- organization in turn, ends tokens of that login, writes their entries, and does nothing else.
CREATE FUNCTION maintenance.end_tokens(of_login uuid, why text, at timestamptz, linked_at timestamptz, came_from text, asked_in uuid)
  RETURNS bigint LANGUAGE plpgsql
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  place uuid;
  ended record;
  found_now bigint;
  found_here bigint;
  n bigint := 0;
BEGIN
  FOR place IN SELECT m.tenant_id FROM public.memberships m JOIN public.tenants t ON t.tenant_id = m.tenant_id
    WHERE m.login_id = of_login AND t.state IN ('active', 'suspended') ORDER BY m.tenant_id
  LOOP
    PERFORM set_config('app.tenant_id', place::text, true);
    found_here := 0;
    -- A token that makes another is locked until that one is there: each look comes after the locks of the one before it.
    LOOP
      found_now := 0;
      FOR ended IN UPDATE public.api_tokens a SET revoked_at = at, revoked_by = why
        WHERE a.tenant_id = place AND a.login_id = of_login AND a.seat_id IS NULL AND a.revoked_at IS NULL AND a.expires_at > at
        RETURNING a.token_id, a.name
      LOOP
        UPDATE public.credentials c SET revoked_at = at
          WHERE c.tenant_id = place AND c.kind = 'api_token' AND c.subject_id = ended.token_id;
        INSERT INTO public.tenant_audit (tenant_id, audit_id, at, actor, action, subject_kind, subject_id, detail, before, after, source, request_id)
          VALUES (place, gen_random_uuid(), at, 'member ' || of_login, 'token.revoked', 'token', ended.token_id,
            jsonb_build_object('name', ended.name, 'with', NULL, 'why', why),
            jsonb_build_object('revoked', false), jsonb_build_object('revoked', true), came_from, asked_in);
        found_now := found_now + 1;
      END LOOP;
      EXIT WHEN found_now = 0;
      found_here := found_here + found_now;
    END LOOP;
    IF found_here > 0 THEN
      INSERT INTO public.tenant_wakeups (tenant_id, queue, due_at) VALUES (place, 'audit', linked_at);
      n := n + found_here;
    END IF;
  END LOOP;
  PERFORM set_config('app.tenant_id', '', true);
  RETURN n;
END $$;
REVOKE ALL ON FUNCTION maintenance.end_tokens FROM PUBLIC;
GRANT EXECUTE ON FUNCTION maintenance.end_tokens TO app_system;
-- What ends and what is listed is looked for by whose it is.
CREATE INDEX api_tokens_of_login ON api_tokens (tenant_id, login_id) WHERE revoked_at IS NULL;
