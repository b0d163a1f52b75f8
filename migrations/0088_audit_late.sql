-- That the owners were told on a day (days since 1970, UTC) that entries of their audit stand in no chain: once a day.
CREATE TABLE audit_late_days (
  tenant_id uuid NOT NULL, day int NOT NULL, entries bigint NOT NULL, told_at timestamptz NOT NULL,
  CONSTRAINT audit_late_days_pkey PRIMARY KEY (tenant_id, day));
CALL protect('audit_late_days', false);
GRANT SELECT, INSERT ON audit_late_days TO app_tenant;
