-- An organization's own mail relay. Its password is a secret, by its name. While the relay does not take mails, that and
-- since when is written down, mails go by the server's own, and the owners are told once a day at most.
CREATE TABLE mail_relays (
  tenant_id uuid NOT NULL, relay jsonb NOT NULL, changed_at timestamptz NOT NULL, changed_by text NOT NULL,
  refused_at timestamptz, refusal text, told_at timestamptz,
  CONSTRAINT mail_relays_pkey PRIMARY KEY (tenant_id),
  CONSTRAINT mail_relays_tenant FOREIGN KEY (tenant_id) REFERENCES tenants,
  CONSTRAINT mail_relays_refused CHECK ((refused_at IS NULL) = (refusal IS NULL)));
CALL protect('mail_relays', false);
GRANT SELECT, INSERT, UPDATE, DELETE ON mail_relays TO app_tenant;
