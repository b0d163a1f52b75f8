-- What a look for due work reads must not grow with the work that is done.
CREATE INDEX jobs_queued ON jobs (tenant_id, expires_at) WHERE state = 'queued';
CREATE INDEX jobs_leased ON jobs (tenant_id, lease_expires_at) WHERE state = 'leased';
CREATE INDEX jobs_permitted ON jobs (tenant_id, permit_ends_at) WHERE state = 'permitted';
-- Each run that takes slots takes one of its organization's bucket, each undo one of its client's.
CREATE INDEX guardrail_admissions_unreleased ON guardrail_admissions (tenant_id, run_id)
  WHERE released_at IS NULL AND scope_kind IN ('tenant', 'undo');
