-- Passkeys: what a device signs for a login, after the password or instead of it. The credential holds a public key alone.
CREATE TABLE passkeys (
  passkey_id uuid NOT NULL, login_id uuid NOT NULL, credential_id bytea NOT NULL, name text NOT NULL,
  credential jsonb NOT NULL, counter bigint NOT NULL, added_at timestamptz NOT NULL, used_at timestamptz,
  CONSTRAINT passkeys_pkey PRIMARY KEY (passkey_id),
  CONSTRAINT passkeys_credential_key UNIQUE (credential_id),
  CONSTRAINT passkeys_counter CHECK (counter >= 0),
  CONSTRAINT passkeys_login_fkey FOREIGN KEY (login_id) REFERENCES logins ON DELETE CASCADE);
CREATE INDEX passkeys_login ON passkeys (login_id);

-- What a browser has begun and not finished: the other half of a challenge. It is found by the hash of a cookie of that
-- browser, and taken once.
CREATE TABLE ceremonies (
  secret_hash bytea NOT NULL, purpose text NOT NULL, login_id uuid, source text NOT NULL, state jsonb NOT NULL,
  expires_at timestamptz NOT NULL,
  CONSTRAINT ceremonies_pkey PRIMARY KEY (secret_hash),
  CONSTRAINT ceremonies_purpose CHECK (purpose IN ('passkey_add', 'passkey_sign_in', 'passkey_second', 'passkey_prove')),
  CONSTRAINT ceremonies_login_fkey FOREIGN KEY (login_id) REFERENCES logins ON DELETE CASCADE);
CREATE INDEX ceremonies_source ON ceremonies (source, expires_at);
CREATE INDEX ceremonies_expiry ON ceremonies (expires_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON passkeys TO app_system;
GRANT SELECT, INSERT, DELETE ON ceremonies TO app_system;
