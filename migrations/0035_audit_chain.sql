-- From where a person's request came (loops and commands come from nowhere), which request it was, and what was before and
-- after. Both tables stay INSERT-only; nothing deletes from them.
ALTER TABLE audit ADD source text, ADD request_id uuid, ADD before jsonb, ADD after jsonb;
ALTER TABLE tenant_audit ADD source text, ADD request_id uuid, ADD before jsonb, ADD after jsonb;
CREATE INDEX audit_at ON audit (tenant_id, at, audit_id);
CREATE INDEX tenant_audit_at ON tenant_audit (tenant_id, at, audit_id);

-- Each entry is linked once, after its transaction, in the order in which entries became visible. The last row of every
-- batch is signed: whatever is exported ends with a signed one.
CREATE TABLE audit_chain (
  tenant_id uuid NOT NULL, seq bigint NOT NULL, audit_id uuid NOT NULL, hash bytea NOT NULL, linked_at timestamptz NOT NULL,
  signature text, public_key bytea,
  CONSTRAINT audit_chain_pkey PRIMARY KEY (tenant_id, seq),
  CONSTRAINT audit_chain_once UNIQUE (tenant_id, audit_id),
  CONSTRAINT audit_chain_seq CHECK (seq > 0),
  CONSTRAINT audit_chain_hash CHECK (octet_length(hash) = 32),
  CONSTRAINT audit_chain_signed CHECK ((signature IS NULL) = (public_key IS NULL)));
CALL protect('audit_chain', false);
GRANT SELECT, INSERT ON audit_chain TO app_tenant;

ALTER TABLE server_keys DROP CONSTRAINT server_keys_kind, ADD CONSTRAINT server_keys_kind CHECK (kind IN ('dispatch', 'audit'));
