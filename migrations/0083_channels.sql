-- Somebody has another address: what an organization called them by is the new one from then on. It works as the organization
-- itself, and writes the entry of what it does.
CREATE FUNCTION maintenance.move_channel(of_tenant uuid, of_login uuid, old_address text, new_address text, at timestamptz) RETURNS boolean LANGUAGE plpgsql
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE moved boolean;
BEGIN
  PERFORM set_config('app.tenant_id', of_tenant::text, true);
  moved := EXISTS (SELECT 1 FROM public.memberships m WHERE m.tenant_id = of_tenant AND m.login_id = of_login)
    AND EXISTS (SELECT 1 FROM public.channels c WHERE c.tenant_id = of_tenant AND c.kind = 'email' AND lower(c.address) = lower(old_address));
  IF moved THEN
    DELETE FROM public.channels c WHERE c.tenant_id = of_tenant AND c.kind = 'email' AND lower(c.address) = lower(old_address);
    INSERT INTO public.channels (tenant_id, channel_id, kind, address)
      SELECT of_tenant, gen_random_uuid(), 'email', new_address
      WHERE NOT EXISTS (SELECT 1 FROM public.channels c WHERE c.tenant_id = of_tenant AND c.kind = 'email' AND lower(c.address) = lower(new_address));
    INSERT INTO public.tenant_audit (tenant_id, audit_id, at, actor, action, subject_kind, subject_id, detail, before, after)
      VALUES (of_tenant, gen_random_uuid(), at, 'member ' || of_login, 'channel.moved', 'member', of_login, '{}',
        jsonb_build_object('address', old_address), jsonb_build_object('address', new_address));
    INSERT INTO public.tenant_wakeups (tenant_id, queue, due_at) VALUES (of_tenant, 'audit', at + interval '2 seconds');
  END IF;
  PERFORM set_config('app.tenant_id', '', true);
  RETURN moved;
END $$;
REVOKE ALL ON FUNCTION maintenance.move_channel FROM PUBLIC;
GRANT EXECUTE ON FUNCTION maintenance.move_channel TO app_system;
