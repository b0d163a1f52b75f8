-- Tokens that enrol many hosts. The secret's hash stands in `credentials` with token_id as the subject; `begins` is what
-- people recognise a token by.
CREATE TABLE enrolment_tokens (
  tenant_id uuid NOT NULL, client_id uuid NOT NULL, token_id uuid NOT NULL, site_id uuid, tags jsonb NOT NULL DEFAULT '{}',
  networks text[] NOT NULL DEFAULT '{}', begins text NOT NULL, uses int NOT NULL,
  created_at timestamptz NOT NULL, created_by text NOT NULL, expires_at timestamptz NOT NULL,
  CONSTRAINT enrolment_tokens_pkey PRIMARY KEY (tenant_id, token_id),
  CONSTRAINT enrolment_tokens_client_fkey FOREIGN KEY (tenant_id, client_id) REFERENCES clients,
  CONSTRAINT enrolment_tokens_site_fkey FOREIGN KEY (tenant_id, client_id, site_id) REFERENCES sites (tenant_id, client_id, site_id),
  CONSTRAINT enrolment_tokens_uses CHECK (uses BETWEEN 1 AND 500),
  CONSTRAINT enrolment_tokens_life CHECK (expires_at > created_at AND expires_at <= created_at + interval '30 days'));
CREATE INDEX enrolment_tokens_newest ON enrolment_tokens (tenant_id, created_at DESC);
CALL protect('enrolment_tokens', true);
GRANT SELECT, INSERT ON enrolment_tokens TO app_tenant;

-- The same of tokens for one host; those that a file made have no maker and no beginning that was kept.
ALTER TABLE enrolments ADD COLUMN networks text[] NOT NULL DEFAULT '{}', ADD COLUMN begins text, ADD COLUMN created_by text;

-- A host that came by a token for many is not trusted until a person accepts it. `machine` is the hash of what the machine
-- calls itself: the same machine enrolled anew keeps its host, once a person says so.
ALTER TABLE hosts ADD COLUMN token_id uuid, ADD COLUMN accepted_at timestamptz, ADD COLUMN machine bytea;
CREATE INDEX hosts_machine ON hosts (tenant_id, client_id, machine) WHERE machine IS NOT NULL;
CREATE INDEX hosts_waiting ON hosts (tenant_id, enrolled_at) WHERE token_id IS NOT NULL AND accepted_at IS NULL AND state = 'quarantined';

-- A machine that is a host already and asks with another key; one at a time for each host.
CREATE TABLE host_claims (
  tenant_id uuid NOT NULL, client_id uuid NOT NULL, host_id uuid NOT NULL, public_key bytea NOT NULL, key_id bytea NOT NULL,
  hostname text NOT NULL, address text, asked_at timestamptz NOT NULL,
  CONSTRAINT host_claims_pkey PRIMARY KEY (tenant_id, host_id),
  CONSTRAINT host_claims_host_fkey FOREIGN KEY (tenant_id, client_id, host_id) REFERENCES hosts (tenant_id, client_id, host_id));
CALL protect('host_claims', true);
GRANT SELECT, INSERT, UPDATE, DELETE ON host_claims TO app_tenant;
