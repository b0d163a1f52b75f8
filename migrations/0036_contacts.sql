-- Whom to ask at a client; those who are told get the mails of its incidents beside the organization's own addresses.
CREATE TABLE contacts (
  tenant_id uuid NOT NULL, client_id uuid NOT NULL, contact_id uuid NOT NULL, name text NOT NULL, email text NOT NULL, phone text,
  is_told boolean NOT NULL DEFAULT false,
  CONSTRAINT contacts_pkey PRIMARY KEY (tenant_id, contact_id),
  CONSTRAINT contacts_email UNIQUE (tenant_id, client_id, email),
  CONSTRAINT contacts_client_fkey FOREIGN KEY (tenant_id, client_id) REFERENCES clients);
CALL protect('contacts', true);
GRANT SELECT, INSERT, UPDATE, DELETE ON contacts TO app_tenant;

ALTER TABLE clients ADD COLUMN archived_by text;
