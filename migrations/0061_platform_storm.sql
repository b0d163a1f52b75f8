-- A storm of the whole platform: fixes that have no permit wait everywhere until it ends, by time or by an operator.
-- What makes one is counted from signs, of which each says that an organization had something at an instant, and no more.
CREATE TABLE platform_signs (
  tenant_id uuid NOT NULL, sign text NOT NULL, at timestamptz NOT NULL,
  CONSTRAINT platform_signs_pkey PRIMARY KEY (tenant_id, sign, at),
  CONSTRAINT platform_signs_sign CHECK (sign IN ('began', 'bad', 'storm')))
  WITH (autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0);
CALL protect('platform_signs', false);
CREATE POLICY system_door ON platform_signs TO app_system USING (true);
GRANT SELECT, INSERT ON platform_signs TO app_tenant;
GRANT SELECT, DELETE ON platform_signs TO app_system;

-- Signs from before storm_looked_at do not count: an operator has seen what they tell of. Who set a storm stands in the
-- platform's audit; what tenants may read here is that there is one, whether it was measured or set, and when it ends.
ALTER TABLE platform_state
  ADD COLUMN storm_kind text, ADD COLUMN storm_since timestamptz, ADD COLUMN storm_ends_at timestamptz, ADD COLUMN storm_looked_at timestamptz,
  ADD CONSTRAINT platform_state_storm_kind CHECK (storm_kind IN ('measured', 'set')),
  ADD CONSTRAINT platform_state_storm CHECK (storm = (storm_kind IS NOT NULL) AND storm = (storm_since IS NOT NULL) AND storm = (storm_ends_at IS NOT NULL));
GRANT UPDATE (storm_kind, storm_since, storm_ends_at, storm_looked_at) ON platform_state TO app_system;
