-- An owner lets the platform's staff look, and not act, for a while: every session needs one of these that has not ended.
CREATE TABLE support_grants (
  tenant_id uuid NOT NULL, grant_id uuid NOT NULL, granted_at timestamptz NOT NULL, granted_by text NOT NULL, reason text NOT NULL,
  ends_at timestamptz NOT NULL, ended_at timestamptz, ended_by text,
  CONSTRAINT support_grants_pkey PRIMARY KEY (tenant_id, grant_id),
  CONSTRAINT support_grants_tenant FOREIGN KEY (tenant_id) REFERENCES tenants,
  CONSTRAINT support_grants_life CHECK (ends_at > granted_at AND ends_at <= granted_at + interval '72 hours'),
  CONSTRAINT support_grants_ended CHECK ((ended_at IS NULL) = (ended_by IS NULL)));
CREATE INDEX support_grants_granted ON support_grants (tenant_id, granted_at);
CALL protect('support_grants', false);
GRANT SELECT, INSERT, UPDATE (ended_at, ended_by) ON support_grants TO app_tenant;
ALTER TABLE credentials DROP CONSTRAINT credentials_kind, ADD CONSTRAINT credentials_kind
  CHECK (kind IN ('api_token','enrolment_token','host_key','invitation','receiver','dead_man','support'));
