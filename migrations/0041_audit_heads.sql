-- The head of a chain that the owners were told of on a day (days since 1970, UTC): once a day, and never changed.
CREATE TABLE audit_heads (
  tenant_id uuid NOT NULL, day int NOT NULL, seq bigint NOT NULL, told_at timestamptz NOT NULL,
  CONSTRAINT audit_heads_pkey PRIMARY KEY (tenant_id, day));
CALL protect('audit_heads', false);
GRANT SELECT, INSERT ON audit_heads TO app_tenant;
ALTER TABLE letters DROP CONSTRAINT letters_kind, ADD CONSTRAINT letters_kind
  CHECK (kind IN ('sign_up', 'has_account', 'invitation', 'reset', 'confirm_address', 'account_changed', 'audit_head'));
