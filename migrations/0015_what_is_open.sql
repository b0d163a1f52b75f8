-- What is open is asked for on every page, and is little beside what was ever closed.
CREATE INDEX incidents_unclosed ON incidents (tenant_id, opened_at DESC, incident_id) WHERE state <> 'closed';
