-- Bounds on damage: what is unproven, what went badly, how a version is tried out.
ALTER TABLE guardrail_buckets ADD COLUMN max_wave int, ADD CONSTRAINT guardrail_buckets_wave CHECK (max_wave >= 1);
ALTER TABLE remediations ADD COLUMN relapsed_at timestamptz;
CREATE INDEX runs_client_open ON runs (tenant_id, client_id) WHERE ended_at IS NULL;
CREATE INDEX runs_version ON runs (tenant_id, client_id, playbook_digest, started_at);
CREATE INDEX runs_host ON runs (tenant_id, host_id, planned_at);
CREATE INDEX runs_digest ON runs (tenant_id, playbook_digest, started_at);
CREATE INDEX remediations_closed_at ON remediations (tenant_id, client_id, closed_at);
CREATE INDEX remediations_relapsed ON remediations (tenant_id, client_id, relapsed_at) WHERE relapsed_at IS NOT NULL;
