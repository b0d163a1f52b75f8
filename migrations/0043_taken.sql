-- Who has an incident: somebody acknowledged it, or took it (then hands are off its hosts as well).
ALTER TABLE incidents ADD COLUMN owner_login_id uuid, ADD COLUMN owner text, ADD COLUMN taken_at timestamptz,
  ADD CONSTRAINT incidents_taken CHECK ((owner IS NULL) = (taken_at IS NULL) AND (owner IS NULL) = (owner_login_id IS NULL));
-- What was mailed when: pages of a night are counted.
CREATE INDEX outbox_sent ON outbox (tenant_id, ended_at) WHERE state = 'sent';
