-- Signing in by an organization's own provider (OpenID Connect). Where it is required, a password opens the seats of owners
-- alone. Each change of it counts the version on, and what was begun under another one ends.
ALTER TABLE tenants ADD COLUMN requires_sign_on boolean NOT NULL DEFAULT false, ADD COLUMN sign_on_version int NOT NULL DEFAULT 0;
GRANT UPDATE (requires_sign_on, sign_on_version) ON tenants TO app_tenant;
GRANT SELECT (requires_sign_on, sign_on_version) ON tenants TO app_system;
CREATE TABLE sign_on (
  tenant_id uuid NOT NULL, issuer text NOT NULL, application_id text NOT NULL, secret_sealed bytea NOT NULL, version int NOT NULL,
  domains text[] NOT NULL, changed_at timestamptz NOT NULL, changed_by text NOT NULL,
  CONSTRAINT sign_on_pkey PRIMARY KEY (tenant_id),
  CONSTRAINT sign_on_tenant FOREIGN KEY (tenant_id) REFERENCES tenants,
  CONSTRAINT sign_on_domains CHECK (cardinality(domains) BETWEEN 1 AND 20));
CALL protect('sign_on', false);
GRANT SELECT, INSERT, UPDATE, DELETE ON sign_on TO app_tenant;

-- Whom the provider means by a subject: bound when a member first comes by it.
CREATE TABLE sign_on_subjects (
  tenant_id uuid NOT NULL, login_id uuid NOT NULL, issuer text NOT NULL, subject text NOT NULL, bound_at timestamptz NOT NULL,
  CONSTRAINT sign_on_subjects_pkey PRIMARY KEY (tenant_id, login_id),
  CONSTRAINT sign_on_subjects_subject UNIQUE (tenant_id, issuer, subject),
  CONSTRAINT sign_on_subjects_member FOREIGN KEY (tenant_id, login_id) REFERENCES memberships ON DELETE CASCADE);
CALL protect('sign_on_subjects', false);
GRANT SELECT, INSERT, DELETE ON sign_on_subjects TO app_tenant;

ALTER TABLE ceremonies DROP CONSTRAINT ceremonies_purpose, ADD CONSTRAINT ceremonies_purpose
  CHECK (purpose IN ('passkey_add', 'passkey_sign_in', 'passkey_second', 'passkey_prove', 'sign_on'));
