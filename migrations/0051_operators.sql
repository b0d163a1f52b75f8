-- The operators of the platform: what they do, and what they may see, which are counts.
CREATE TABLE operators (
  login_id uuid NOT NULL, since timestamptz NOT NULL,
  CONSTRAINT operators_pkey PRIMARY KEY (login_id),
  CONSTRAINT operators_login_fkey FOREIGN KEY (login_id) REFERENCES logins);
-- A link that makes somebody one: printed on the server's own machine, used once.
CREATE TABLE operator_links (
  secret_hash bytea NOT NULL, email text NOT NULL, expires_at timestamptz NOT NULL, used_at timestamptz,
  CONSTRAINT operator_links_pkey PRIMARY KEY (secret_hash));
-- Who did what to the platform; append only.
CREATE TABLE platform_audit (
  audit_id uuid NOT NULL, at timestamptz NOT NULL, actor text NOT NULL, action text NOT NULL, organization uuid,
  detail jsonb NOT NULL, source text, request_id uuid,
  CONSTRAINT platform_audit_pkey PRIMARY KEY (audit_id));
CREATE INDEX platform_audit_at ON platform_audit (at, audit_id);
GRANT SELECT, INSERT, DELETE ON operators TO app_system;
GRANT SELECT, INSERT, UPDATE (used_at) ON operator_links TO app_system;
GRANT SELECT, INSERT ON platform_audit TO app_system;

-- How an organization stands, in numbers; its name and its agents' versions are the only words.
CREATE FUNCTION maintenance.survey(of_tenant uuid) RETURNS TABLE (
  name text, state text, plan text, clients bigint, hosts bigint, linked bigint, checks bigint, members bigint,
  open_incidents bigint, running bigint, is_stopped boolean, deletes_at timestamptz, versions jsonb) LANGUAGE plpgsql
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM set_config('app.tenant_id', of_tenant::text, true), set_config('app.all_clients', 'yes', true);
  RETURN QUERY SELECT t.name, t.state, t.plan,
    (SELECT count(*) FROM public.clients c WHERE c.tenant_id = of_tenant AND c.archived_at IS NULL),
    (SELECT count(*) FROM public.hosts h WHERE h.tenant_id = of_tenant AND h.state <> 'retired'),
    (SELECT count(*) FROM public.host_links l WHERE l.tenant_id = of_tenant AND l.unlinked_at IS NULL),
    (SELECT count(*) FROM public.checks k WHERE k.tenant_id = of_tenant AND k.archived_at IS NULL),
    (SELECT count(*) FROM public.memberships m WHERE m.tenant_id = of_tenant),
    (SELECT count(*) FROM public.incidents i WHERE i.tenant_id = of_tenant AND i.state <> 'closed'),
    (SELECT count(*) FROM public.runs r WHERE r.tenant_id = of_tenant AND r.state IN ('admitted', 'running', 'unknown', 'verifying', 'undoing')),
    EXISTS (SELECT 1 FROM public.guardrail_buckets b WHERE b.tenant_id = of_tenant AND b.scope_kind = 'tenant' AND b.scope_key = of_tenant::text AND b.frozen),
    (SELECT d.due_at FROM public.deletions d WHERE d.tenant_id = of_tenant AND d.kind = 'tenant' AND d.called_off_at IS NULL),
    (SELECT coalesce(jsonb_object_agg(v.version, v.n), '{}') FROM (SELECT coalesce(h.agent_version, 'unknown') AS version, count(*) AS n
      FROM public.hosts h WHERE h.tenant_id = of_tenant AND h.state <> 'retired' GROUP BY 1 ORDER BY 2 DESC LIMIT 20) v)
  FROM public.tenants t WHERE t.tenant_id = of_tenant;
  PERFORM set_config('app.tenant_id', '', true), set_config('app.all_clients', '', true);
END $$;
REVOKE ALL ON FUNCTION maintenance.survey FROM PUBLIC;
GRANT EXECUTE ON FUNCTION maintenance.survey TO app_system;
