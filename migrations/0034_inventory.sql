-- What a host last said it is: one row a host, replaced.
CREATE TABLE host_inventory (
  tenant_id uuid NOT NULL, client_id uuid NOT NULL, host_id uuid NOT NULL,
  told_at timestamptz NOT NULL, found jsonb NOT NULL,
  CONSTRAINT host_inventory_pkey PRIMARY KEY (tenant_id, host_id),
  CONSTRAINT host_inventory_host_fkey FOREIGN KEY (tenant_id, client_id, host_id) REFERENCES hosts (tenant_id, client_id, host_id));
CALL protect('host_inventory', true);
GRANT SELECT, INSERT, UPDATE ON host_inventory TO app_tenant;
