-- An organization's secrets: keys and passwords that are used by their name and never shown. Each is sealed with the
-- organization's sealing key for its row, its name, its kind and its version.
CREATE TABLE secrets (
  tenant_id uuid NOT NULL, secret_id uuid NOT NULL, name text NOT NULL, kind text NOT NULL, version int NOT NULL,
  sealed bytea NOT NULL, sealing_version int NOT NULL, set_at timestamptz NOT NULL, set_by text NOT NULL, used_at timestamptz,
  CONSTRAINT secrets_pkey PRIMARY KEY (tenant_id, secret_id),
  CONSTRAINT secrets_tenant FOREIGN KEY (tenant_id) REFERENCES tenants,
  CONSTRAINT secrets_name UNIQUE (tenant_id, name),
  CONSTRAINT secrets_kind CHECK (kind IN ('ssh_key', 'api_key', 'smtp_password')),
  CONSTRAINT secrets_version CHECK (version >= 1 AND sealing_version >= 1));
CALL protect('secrets', false);
GRANT SELECT, INSERT, DELETE, UPDATE (version, sealed, sealing_version, set_at, set_by, used_at) ON secrets TO app_tenant;

-- A provider's secret is sealed like every other one; what was sealed with the master key before says no version.
ALTER TABLE sign_on ADD COLUMN sealing_version int;

-- A sealing key that a newer one took over from is destroyed.
GRANT DELETE ON sealing_keys TO app_tenant;
