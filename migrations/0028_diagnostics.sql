-- Read-only diagnostics: asked of a host when a person is called, and what it answered.
CREATE TABLE diagnostics (
  tenant_id uuid NOT NULL, client_id uuid NOT NULL, host_id uuid NOT NULL, incident_id uuid NOT NULL, diagnostics_id uuid NOT NULL,
  target text,                                                          -- what the incident's check looks at, if a service or a place
  asked_at timestamptz NOT NULL, expires_at timestamptz NOT NULL, answered_at timestamptz,
  sections jsonb,
  CONSTRAINT diagnostics_pkey PRIMARY KEY (tenant_id, diagnostics_id),
  CONSTRAINT diagnostics_host_fkey FOREIGN KEY (tenant_id, client_id, host_id) REFERENCES hosts (tenant_id, client_id, host_id),
  CONSTRAINT diagnostics_incident_fkey FOREIGN KEY (tenant_id, client_id, incident_id) REFERENCES incidents (tenant_id, client_id, incident_id),
  CONSTRAINT diagnostics_answer CHECK ((answered_at IS NULL) = (sections IS NULL)));
CREATE INDEX diagnostics_host ON diagnostics (tenant_id, host_id, asked_at);
CREATE INDEX diagnostics_incident ON diagnostics (tenant_id, incident_id, asked_at);
CALL protect('diagnostics', true);
GRANT SELECT, INSERT, UPDATE ON diagnostics TO app_tenant;
