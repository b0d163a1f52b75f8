-- Which clients have a run that waits: asked for a fair share.
CREATE INDEX runs_waiting ON runs (tenant_id, client_id, due_at) WHERE state IN ('planned', 'held');
