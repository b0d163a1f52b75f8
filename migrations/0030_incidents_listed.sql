-- The list of incidents: open ones first, the newest first in each; read backwards from where a page ended.
CREATE INDEX incidents_listed ON incidents (tenant_id, (state <> 'closed'), opened_at, incident_id);
