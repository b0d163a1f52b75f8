-- What every later migration stands on: the policy writer, what exists before a tenant is known, and finding work.
CREATE EXTENSION IF NOT EXISTS btree_gist;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO app_tenant, app_system;

-- Writes the one policy of a tenant table. Called by migrations only; never a RESTRICTIVE policy, because a
-- distributed engine drops that word on its shards. `all_clients` is said, never implied: with nothing set no row is seen.
CREATE PROCEDURE protect(t regclass, carries_client boolean) LANGUAGE plpgsql AS $$
DECLARE rows_seen text := $f$tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid$f$;
BEGIN
  IF carries_client THEN
    rows_seen := rows_seen || $f$ AND CASE current_setting('app.all_clients', true) WHEN 'yes' THEN true
      ELSE client_id = ANY (coalesce(nullif(current_setting('app.client_ids', true), ''), '{}')::uuid[]) END$f$;
  END IF;
  EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', t);
  EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', t);
  EXECUTE format('CREATE POLICY isolation ON %s TO app_tenant USING (%s)', t, rows_seen);
END $$;
REVOKE ALL ON PROCEDURE protect FROM PUBLIC;

-- Before the tenant is known ----------------------------------------------------------------------------
CREATE TABLE tenants (
  tenant_id uuid NOT NULL, name text NOT NULL, state text NOT NULL DEFAULT 'active', created_at timestamptz NOT NULL,
  CONSTRAINT tenants_pkey PRIMARY KEY (tenant_id),
  CONSTRAINT tenants_state CHECK (state IN ('active', 'suspended', 'archived')));
CALL protect('tenants', false);
GRANT SELECT, UPDATE (name) ON tenants TO app_tenant;
GRANT SELECT (tenant_id, state), INSERT ON tenants TO app_system;
CREATE POLICY system_door ON tenants TO app_system USING (true);

CREATE TABLE logins (
  login_id uuid NOT NULL, email text NOT NULL, password_hash text,
  failed_count int NOT NULL DEFAULT 0, locked_until timestamptz,
  CONSTRAINT logins_pkey PRIMARY KEY (login_id));
CREATE UNIQUE INDEX logins_email_key ON logins (lower(email));          -- global by written decision (ARCHITECTURE.md)
CREATE TABLE sessions (
  session_hash bytea NOT NULL, login_id uuid, data jsonb NOT NULL,
  created_at timestamptz NOT NULL, seen_at timestamptz NOT NULL, expires_at timestamptz NOT NULL,
  CONSTRAINT sessions_pkey PRIMARY KEY (session_hash),
  CONSTRAINT sessions_login_fkey FOREIGN KEY (login_id) REFERENCES logins ON DELETE CASCADE);
CREATE INDEX sessions_login ON sessions (login_id);
CREATE INDEX sessions_expiry ON sessions (expires_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON logins, sessions TO app_system;

CREATE TABLE credentials (                                              -- every secret that names a tenant
  kind text NOT NULL, secret_hash bytea NOT NULL, tenant_id uuid NOT NULL, subject_id uuid NOT NULL,
  expires_at timestamptz, uses_left int, revoked_at timestamptz,
  CONSTRAINT credentials_pkey PRIMARY KEY (kind, secret_hash),          -- global by written decision: the hash is the question
  CONSTRAINT credentials_kind CHECK (kind IN ('api_token','enrolment_token','host_key','invitation','receiver','dead_man')),
  CONSTRAINT credentials_uses CHECK (uses_left >= 0));
CREATE INDEX credentials_subject ON credentials (tenant_id, kind, subject_id);
CALL protect('credentials', false);
CREATE POLICY system_door ON credentials TO app_system USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON credentials TO app_system;
GRANT INSERT, SELECT (kind, tenant_id, subject_id, expires_at, uses_left, revoked_at), UPDATE (revoked_at, uses_left) ON credentials TO app_tenant;

CREATE TABLE memberships (
  tenant_id uuid NOT NULL, login_id uuid NOT NULL, name text NOT NULL, email text NOT NULL,   -- copies: app_tenant cannot read logins
  role text NOT NULL, client_ids uuid[],
  CONSTRAINT memberships_pkey PRIMARY KEY (tenant_id, login_id),
  CONSTRAINT memberships_tenant FOREIGN KEY (tenant_id) REFERENCES tenants,
  CONSTRAINT memberships_login_fkey FOREIGN KEY (login_id) REFERENCES logins,
  CONSTRAINT memberships_role CHECK (role IN ('owner', 'admin', 'technician', 'viewer', 'client_viewer')));
CREATE INDEX memberships_login ON memberships (login_id);
CALL protect('memberships', false);
GRANT SELECT, INSERT, UPDATE, DELETE ON memberships TO app_tenant;
CREATE POLICY system_lookup ON memberships FOR SELECT TO app_system USING (true);
CREATE POLICY system_email ON memberships FOR UPDATE TO app_system USING (true);
GRANT UPDATE (email) ON memberships TO app_system;
GRANT SELECT (tenant_id, login_id, role, client_ids) ON memberships TO app_system;

CREATE TABLE platform_state (
  only_row boolean NOT NULL DEFAULT true, frozen boolean NOT NULL DEFAULT false, storm boolean NOT NULL DEFAULT false, version bigint NOT NULL DEFAULT 1,
  CONSTRAINT platform_state_pkey PRIMARY KEY (only_row), CONSTRAINT platform_state_one CHECK (only_row));
INSERT INTO platform_state DEFAULT VALUES;
GRANT SELECT ON platform_state TO app_tenant;
GRANT SELECT, UPDATE (frozen, storm, version) ON platform_state TO app_system;

-- The server's own keys, sealed with the master key that lives outside the database.
CREATE TABLE server_keys (
  kind text NOT NULL, version int NOT NULL, public_key bytea NOT NULL, sealed bytea NOT NULL, created_at timestamptz NOT NULL,
  CONSTRAINT server_keys_pkey PRIMARY KEY (kind, version), CONSTRAINT server_keys_kind CHECK (kind IN ('dispatch')));
GRANT SELECT, INSERT ON server_keys TO app_system;

-- Finding work without crossing tenants ------------------------------------------------------------------
CREATE TABLE tenant_wakeups (
  tenant_id uuid NOT NULL, queue text NOT NULL, due_at timestamptz NOT NULL, wakeup_id bigint GENERATED ALWAYS AS IDENTITY,
  CONSTRAINT tenant_wakeups_pkey PRIMARY KEY (tenant_id, queue, wakeup_id))
  WITH (autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0);
CREATE INDEX tenant_wakeups_due ON tenant_wakeups (queue, due_at);
CALL protect('tenant_wakeups', false);
CREATE POLICY system_door ON tenant_wakeups TO app_system USING (true);
GRANT INSERT ON tenant_wakeups TO app_tenant;                           -- no SELECT, no UPDATE
GRANT SELECT, INSERT, DELETE, UPDATE (due_at) ON tenant_wakeups TO app_system;   -- UPDATE only because FOR UPDATE asks for it

CREATE TABLE nodes (
  node_id uuid NOT NULL, started_at timestamptz NOT NULL, seen_at timestamptz NOT NULL,
  CONSTRAINT nodes_pkey PRIMARY KEY (node_id));
GRANT SELECT, INSERT, UPDATE, DELETE ON nodes TO app_system;
GRANT SELECT ON nodes TO app_tenant;
