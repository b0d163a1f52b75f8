-- Hosts, or services of them, that are declared to stand in for each other: fixes there run one after the other.
CREATE TABLE service_groups (
  tenant_id uuid NOT NULL, client_id uuid NOT NULL, group_id uuid NOT NULL, name text NOT NULL,
  tags jsonb NOT NULL,                            -- the client's hosts that carry all of these
  targets text[] NOT NULL DEFAULT '{}',           -- only fixes of these services; none said: of all
  active boolean NOT NULL DEFAULT true,
  CONSTRAINT service_groups_pkey PRIMARY KEY (tenant_id, group_id),
  CONSTRAINT service_groups_name UNIQUE (tenant_id, client_id, name),
  CONSTRAINT service_groups_tags CHECK (jsonb_typeof(tags) = 'object' AND tags <> '{}'),
  CONSTRAINT service_groups_client FOREIGN KEY (tenant_id, client_id) REFERENCES clients);
CALL protect('service_groups', true);
GRANT SELECT, INSERT, UPDATE ON service_groups TO app_tenant;

ALTER TABLE proposed_changes DROP CONSTRAINT proposed_changes_kind,
  ADD CONSTRAINT proposed_changes_kind CHECK (kind IN ('mode', 'limit', 'service_group'));
