-- Who is looked after: clients, sites, hosts and their links; and the tenant's own keys and channels.
CREATE TABLE clients (
  tenant_id uuid NOT NULL, client_id uuid NOT NULL, name text NOT NULL, time_zone text NOT NULL DEFAULT 'UTC',
  created_at timestamptz NOT NULL, archived_at timestamptz,
  CONSTRAINT clients_pkey PRIMARY KEY (tenant_id, client_id),
  CONSTRAINT clients_name UNIQUE (tenant_id, name),
  CONSTRAINT clients_tenant FOREIGN KEY (tenant_id) REFERENCES tenants);
CALL protect('clients', true);
GRANT SELECT, INSERT, UPDATE ON clients TO app_tenant;

CREATE TABLE sites (
  tenant_id uuid NOT NULL, client_id uuid NOT NULL, site_id uuid NOT NULL, name text NOT NULL,
  CONSTRAINT sites_pkey PRIMARY KEY (tenant_id, site_id),
  CONSTRAINT sites_name UNIQUE (tenant_id, client_id, name),
  CONSTRAINT sites_client UNIQUE (tenant_id, client_id, site_id),
  CONSTRAINT sites_client_fkey FOREIGN KEY (tenant_id, client_id) REFERENCES clients);
CALL protect('sites', true);
GRANT SELECT, INSERT, UPDATE, DELETE ON sites TO app_tenant;

CREATE TABLE hosts (
  tenant_id uuid NOT NULL, client_id uuid NOT NULL, host_id uuid NOT NULL, site_id uuid, name text NOT NULL, tags jsonb NOT NULL DEFAULT '{}',
  public_key bytea NOT NULL, state text NOT NULL, quarantine_reason text, quarantined_at timestamptz,
  enrolled_at timestamptz NOT NULL, agent_version text, boot_id uuid, booted_at timestamptz,
  next_fence bigint NOT NULL DEFAULT 1, seen_fence bigint NOT NULL DEFAULT 0, config_version bigint NOT NULL DEFAULT 1,
  own_limits jsonb, notes jsonb NOT NULL DEFAULT '[]',
  CONSTRAINT hosts_pkey PRIMARY KEY (tenant_id, host_id),
  CONSTRAINT hosts_client UNIQUE (tenant_id, client_id, host_id),
  CONSTRAINT hosts_name UNIQUE (tenant_id, client_id, name),
  CONSTRAINT hosts_public_key UNIQUE (tenant_id, public_key),
  CONSTRAINT hosts_client_fkey FOREIGN KEY (tenant_id, client_id) REFERENCES clients,
  CONSTRAINT hosts_site_fkey FOREIGN KEY (tenant_id, client_id, site_id) REFERENCES sites (tenant_id, client_id, site_id),
  CONSTRAINT hosts_state CHECK (state IN ('trusted', 'quarantined', 'retired')),
  CONSTRAINT hosts_quarantine CHECK ((state = 'quarantined') = (quarantined_at IS NOT NULL)));
CALL protect('hosts', true);
GRANT SELECT, INSERT, UPDATE ON hosts TO app_tenant;

-- One row a planned host; its token's hash stands in `credentials` with this id as the subject.
CREATE TABLE enrolments (
  tenant_id uuid NOT NULL, client_id uuid NOT NULL, enrolment_id uuid NOT NULL, site_id uuid, host_name text NOT NULL, tags jsonb NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL, expires_at timestamptz NOT NULL,
  public_key bytea, host_id uuid, spent_at timestamptz,                  -- who spent it: the same key is answered again
  CONSTRAINT enrolments_pkey PRIMARY KEY (tenant_id, enrolment_id),
  CONSTRAINT enrolments_client_fkey FOREIGN KEY (tenant_id, client_id) REFERENCES clients,
  CONSTRAINT enrolments_host_fkey FOREIGN KEY (tenant_id, client_id, host_id) REFERENCES hosts (tenant_id, client_id, host_id),
  CONSTRAINT enrolments_spent CHECK ((spent_at IS NULL) = (host_id IS NULL) AND (host_id IS NULL) = (public_key IS NULL)));
CALL protect('enrolments', true);
GRANT SELECT, INSERT, UPDATE ON enrolments TO app_tenant;

CREATE TABLE host_links (
  tenant_id uuid NOT NULL, host_id uuid NOT NULL, client_id uuid NOT NULL, node_id uuid NOT NULL,
  epoch bigint NOT NULL, instance_id uuid, linked_at timestamptz NOT NULL, unlinked_at timestamptz, goodbye text,
  CONSTRAINT host_links_pkey PRIMARY KEY (tenant_id, host_id),
  CONSTRAINT host_links_host_fkey FOREIGN KEY (tenant_id, client_id, host_id) REFERENCES hosts (tenant_id, client_id, host_id));
CALL protect('host_links', true);
GRANT SELECT, INSERT, UPDATE ON host_links TO app_tenant;

-- The tenant's playbook keys: sealed with the master key (server-signed tenants), or public only (sealed tenants).
CREATE TABLE tenant_keys (
  tenant_id uuid NOT NULL, key_id uuid NOT NULL, version int NOT NULL, public_key bytea NOT NULL, sealed bytea,
  created_at timestamptz NOT NULL, retired_at timestamptz,
  CONSTRAINT tenant_keys_pkey PRIMARY KEY (tenant_id, key_id),
  CONSTRAINT tenant_keys_version UNIQUE (tenant_id, version));
CALL protect('tenant_keys', false);
GRANT SELECT, INSERT, UPDATE ON tenant_keys TO app_tenant;

-- Where messages go. `client_id` is not carried: a channel serves the whole tenant.
CREATE TABLE channels (
  tenant_id uuid NOT NULL, channel_id uuid NOT NULL, kind text NOT NULL, address text NOT NULL,
  CONSTRAINT channels_pkey PRIMARY KEY (tenant_id, channel_id),
  CONSTRAINT channels_address UNIQUE (tenant_id, kind, address),
  CONSTRAINT channels_kind CHECK (kind IN ('email')));
CALL protect('channels', false);
GRANT SELECT, INSERT, UPDATE, DELETE ON channels TO app_tenant;
