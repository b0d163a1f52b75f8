-- What an operator does to one organization on the platform's pages stands in its own audit too, as what the command line does, in
-- the same transaction. It says that the operator did it: who that is and from where stands in the platform's audit.
CREATE FUNCTION maintenance.note_operator(of_tenant uuid, what text, about jsonb, at timestamptz, linked_at timestamptz, asked_in uuid)
  RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF what NOT IN ('organization.suspended', 'organization.resumed', 'organization.plan') THEN RAISE EXCEPTION 'not what an operator does: %', what; END IF;
  PERFORM set_config('app.tenant_id', of_tenant::text, true);
  INSERT INTO public.tenant_audit (tenant_id, audit_id, at, actor, action, subject_kind, subject_id, detail, request_id)
    VALUES (of_tenant, gen_random_uuid(), at, 'operator', what, 'tenant', of_tenant, about, asked_in);
  INSERT INTO public.tenant_wakeups (tenant_id, queue, due_at) VALUES (of_tenant, 'audit', linked_at);
  PERFORM set_config('app.tenant_id', '', true);
END $$;
REVOKE ALL ON FUNCTION maintenance.note_operator FROM PUBLIC;
GRANT EXECUTE ON FUNCTION maintenance.note_operator TO app_system;
