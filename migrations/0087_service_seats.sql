-- Service accounts: seats of programs. Nobody signs in to one: it has no login, no address and no password, so no letter and no
-- call goes to it. Its tokens are made by who manages people, and go on when that person leaves.
CREATE TABLE service_seats (
  tenant_id uuid NOT NULL, seat_id uuid NOT NULL, name text NOT NULL, role text NOT NULL, sees_all boolean NOT NULL,
  made_at timestamptz NOT NULL, made_by text NOT NULL,
  CONSTRAINT service_seats_pkey PRIMARY KEY (tenant_id, seat_id),
  CONSTRAINT service_seats_tenant FOREIGN KEY (tenant_id) REFERENCES tenants,
  CONSTRAINT service_seats_name UNIQUE (tenant_id, name),
  -- Never one that says who may do what, or that stands for a client's person.
  CONSTRAINT service_seats_role CHECK (role IN ('technician', 'viewer')));
CALL protect('service_seats', false);
GRANT SELECT, INSERT, DELETE ON service_seats TO app_tenant;

-- The clients that one sees which does not see all: rows of the client, so they go with it.
CREATE TABLE service_seat_clients (
  tenant_id uuid NOT NULL, client_id uuid NOT NULL, seat_id uuid NOT NULL,
  CONSTRAINT service_seat_clients_pkey PRIMARY KEY (tenant_id, seat_id, client_id),
  CONSTRAINT service_seat_clients_seat FOREIGN KEY (tenant_id, seat_id) REFERENCES service_seats ON DELETE CASCADE,
  CONSTRAINT service_seat_clients_client FOREIGN KEY (tenant_id, client_id) REFERENCES clients);
CALL protect('service_seat_clients', true);
GRANT SELECT, INSERT ON service_seat_clients TO app_tenant;

-- The seat that a token is of; none: it is its maker's own. What only a person answers or sets is no token's of a service.
ALTER TABLE api_tokens ADD COLUMN seat_id uuid,
  ADD CONSTRAINT api_tokens_of_service CHECK (seat_id IS NULL OR NOT scopes && ARRAY['approve', 'confirm', 'people', 'settings', 'own']);
