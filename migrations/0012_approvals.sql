-- A yes is looked for by its run; waiting runs are looked through for those that nobody answered.
CREATE INDEX approvals_run ON approvals (tenant_id, run_id, answered_at);
CREATE INDEX runs_awaiting ON runs (tenant_id) WHERE state = 'awaiting_approval';
