-- Planned maintenance: actions are kept off a scope at times written in its clock. A row holds the stretch that holds now or
-- comes next. Like the other guardrail tables it carries no client: it is read whole under the locks.
CREATE TABLE maintenance_windows (
  tenant_id uuid NOT NULL, window_id uuid NOT NULL, name text NOT NULL,
  scope_kind text NOT NULL, scope_key text NOT NULL, host_name text,      -- of a host: its client's id and its name; it may not be enrolled yet
  times jsonb NOT NULL, active boolean NOT NULL,
  starts_at timestamptz, ends_at timestamptz, begun_at timestamptz,
  CONSTRAINT maintenance_windows_pkey PRIMARY KEY (tenant_id, window_id),
  CONSTRAINT maintenance_windows_name UNIQUE (tenant_id, name),
  CONSTRAINT maintenance_windows_kind CHECK (scope_kind IN ('tenant', 'client', 'host') AND (scope_kind = 'host') = (host_name IS NOT NULL)),
  CONSTRAINT maintenance_windows_span CHECK ((starts_at IS NULL) = (ends_at IS NULL) AND ends_at > starts_at AND (begun_at IS NULL OR starts_at IS NOT NULL)));
CALL protect('maintenance_windows', false);
GRANT SELECT, INSERT, UPDATE ON maintenance_windows TO app_tenant;
