-- Storms: how many hosts of a client, or clients of an organization with the same check, turn critical within five minutes.
ALTER TABLE guardrail_buckets ADD COLUMN max_storm int,
  ADD CONSTRAINT guardrail_buckets_storm CHECK (max_storm >= 1);
CREATE INDEX alerts_onset ON alerts (tenant_id, opened_at) INCLUDE (client_id, host_id, check_id, severity);
