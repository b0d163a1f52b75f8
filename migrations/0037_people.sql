-- What a person proves themselves with beside the password, letters about an account, and invitations.

-- The second factor: the secret is sealed with the master key; a step of time is taken once.
ALTER TABLE logins
  ADD COLUMN totp_sealed bytea, ADD COLUMN totp_version int NOT NULL DEFAULT 0,
  ADD COLUMN totp_since timestamptz, ADD COLUMN totp_step bigint,
  ADD COLUMN second_failed_count int NOT NULL DEFAULT 0, ADD COLUMN second_locked_until timestamptz,
  ADD CONSTRAINT logins_totp CHECK (totp_since IS NULL OR totp_sealed IS NOT NULL);
CREATE TABLE recovery_codes (
  login_id uuid NOT NULL, code_hash bytea NOT NULL, used_at timestamptz,
  CONSTRAINT recovery_codes_pkey PRIMARY KEY (login_id, code_hash),
  CONSTRAINT recovery_codes_login_fkey FOREIGN KEY (login_id) REFERENCES logins ON DELETE CASCADE);

-- Where tries come from that fail: an address, or a network of one customer.
CREATE TABLE sources (
  source text NOT NULL, failed_count int NOT NULL, locked_until timestamptz, last_at timestamptz NOT NULL,
  CONSTRAINT sources_pkey PRIMARY KEY (source));
CREATE INDEX sources_last ON sources (last_at);

-- Mails to one person about their account. Its link is made when it is sent and only the link's hash is kept, so a
-- letter holds no secret; sent again it has a second link, and the letter is used once.
CREATE TABLE letters (
  letter_id uuid NOT NULL, kind text NOT NULL, address text NOT NULL, login_id uuid, facts jsonb NOT NULL,
  state text NOT NULL DEFAULT 'queued', created_at timestamptz NOT NULL, due_at timestamptz NOT NULL,
  attempts int NOT NULL DEFAULT 0, last_error text, lease_token uuid, lease_expires_at timestamptz,
  ended_at timestamptz, used_at timestamptz,
  CONSTRAINT letters_pkey PRIMARY KEY (letter_id),
  CONSTRAINT letters_kind CHECK (kind IN ('sign_up', 'has_account', 'invitation', 'reset', 'confirm_address', 'account_changed')),
  CONSTRAINT letters_state CHECK (state IN ('queued', 'sent', 'failed')),
  CONSTRAINT letters_end CHECK ((state = 'queued') = (ended_at IS NULL)),
  CONSTRAINT letters_login_fkey FOREIGN KEY (login_id) REFERENCES logins ON DELETE CASCADE);
CREATE INDEX letters_due ON letters (due_at) WHERE state = 'queued';
CREATE INDEX letters_address ON letters (lower(address), created_at);
CREATE TABLE links (
  secret_hash bytea NOT NULL, letter_id uuid NOT NULL, expires_at timestamptz NOT NULL,
  CONSTRAINT links_pkey PRIMARY KEY (secret_hash),
  CONSTRAINT links_letter_fkey FOREIGN KEY (letter_id) REFERENCES letters ON DELETE CASCADE);
CREATE INDEX links_letter ON links (letter_id);
GRANT SELECT, INSERT, UPDATE, DELETE ON recovery_codes, sources, letters, links TO app_system;
-- A tenant invites: it may queue a letter, and neither read nor change one.
GRANT INSERT (letter_id, kind, address, facts, created_at, due_at) ON letters TO app_tenant;

CREATE TABLE invitations (
  tenant_id uuid NOT NULL, invitation_id uuid NOT NULL, email text NOT NULL, role text NOT NULL, client_ids uuid[],
  invited_by text NOT NULL, invited_at timestamptz NOT NULL, expires_at timestamptz NOT NULL,
  state text NOT NULL DEFAULT 'open', ended_at timestamptz, login_id uuid,
  CONSTRAINT invitations_pkey PRIMARY KEY (tenant_id, invitation_id),
  CONSTRAINT invitations_tenant FOREIGN KEY (tenant_id) REFERENCES tenants,
  CONSTRAINT invitations_role CHECK (role IN ('owner', 'admin', 'technician', 'viewer', 'client_viewer')),
  CONSTRAINT invitations_state CHECK (state IN ('open', 'accepted', 'revoked')),
  CONSTRAINT invitations_end CHECK ((state = 'open') = (ended_at IS NULL)),
  CONSTRAINT invitations_accepted CHECK ((state = 'accepted') = (login_id IS NOT NULL)));
CREATE UNIQUE INDEX invitations_one_open ON invitations (tenant_id, lower(email)) WHERE state = 'open';
CALL protect('invitations', false);
GRANT SELECT, INSERT, UPDATE ON invitations TO app_tenant;

-- What an organization asks of its members, and how organizations come to be.
ALTER TABLE tenants ADD COLUMN requires_second_factor boolean NOT NULL DEFAULT false;
GRANT UPDATE (requires_second_factor) ON tenants TO app_tenant;
GRANT SELECT (requires_second_factor) ON tenants TO app_system;
ALTER TABLE platform_state ADD COLUMN sign_up text NOT NULL DEFAULT 'closed',
  ADD CONSTRAINT platform_state_sign_up CHECK (sign_up IN ('open', 'invitation', 'closed'));
GRANT UPDATE (sign_up) ON platform_state TO app_system;
