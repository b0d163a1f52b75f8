-- Stage classify: signals become alerts, alerts become incidents, mappings say what is known about them.
CREATE TABLE incidents (
  tenant_id uuid NOT NULL, client_id uuid NOT NULL, incident_id uuid NOT NULL, title text NOT NULL, severity text NOT NULL,
  state text NOT NULL, opened_at timestamptz NOT NULL, closed_at timestamptz, outcome text,
  escalated_at timestamptz, escalation_reason text, version bigint NOT NULL DEFAULT 1,
  CONSTRAINT incidents_pkey PRIMARY KEY (tenant_id, incident_id),
  CONSTRAINT incidents_client UNIQUE (tenant_id, client_id, incident_id),
  CONSTRAINT incidents_client_fkey FOREIGN KEY (tenant_id, client_id) REFERENCES clients,
  CONSTRAINT incidents_severity CHECK (severity IN ('warning', 'critical')),
  CONSTRAINT incidents_state CHECK (state IN ('open', 'escalated', 'closed')),
  CONSTRAINT incidents_closed CHECK ((state = 'closed') = (closed_at IS NOT NULL) AND (closed_at IS NULL) = (outcome IS NULL)),
  CONSTRAINT incidents_outcome CHECK (outcome IN ('fixed', 'recovered', 'by_person')),
  CONSTRAINT incidents_escalated CHECK ((escalated_at IS NULL) = (escalation_reason IS NULL) AND (state <> 'escalated' OR escalated_at IS NOT NULL)));
CREATE INDEX incidents_newest ON incidents (tenant_id, opened_at DESC, incident_id);
CREATE INDEX incidents_client_newest ON incidents (tenant_id, client_id, opened_at DESC);
CALL protect('incidents', true);
GRANT SELECT, INSERT, UPDATE ON incidents TO app_tenant;

CREATE TABLE alerts (
  tenant_id uuid NOT NULL, client_id uuid NOT NULL, alert_id uuid NOT NULL, incident_id uuid NOT NULL, host_id uuid NOT NULL,
  check_id uuid NOT NULL, target text NOT NULL, fingerprint bytea NOT NULL, severity text NOT NULL, state text NOT NULL,
  opened_at timestamptz NOT NULL, closed_at timestamptz, close_cause text,
  newest_version bigint NOT NULL, newest_ok boolean NOT NULL DEFAULT false, signal_count int NOT NULL DEFAULT 1,
  CONSTRAINT alerts_pkey PRIMARY KEY (tenant_id, alert_id),
  CONSTRAINT alerts_client UNIQUE (tenant_id, client_id, alert_id),
  CONSTRAINT alerts_incident_fkey FOREIGN KEY (tenant_id, client_id, incident_id) REFERENCES incidents (tenant_id, client_id, incident_id),
  CONSTRAINT alerts_host_fkey FOREIGN KEY (tenant_id, client_id, host_id) REFERENCES hosts (tenant_id, client_id, host_id),
  CONSTRAINT alerts_severity CHECK (severity IN ('warning', 'critical')),
  CONSTRAINT alerts_state CHECK (state IN ('open', 'closed')),
  CONSTRAINT alerts_closed CHECK ((state = 'closed') = (closed_at IS NOT NULL) AND (closed_at IS NULL) = (close_cause IS NULL)),
  CONSTRAINT alerts_cause CHECK (close_cause IN ('fixed', 'recovered', 'by_person')));
CREATE UNIQUE INDEX alerts_one_open ON alerts (tenant_id, fingerprint) WHERE state = 'open';
CREATE INDEX alerts_incident ON alerts (tenant_id, incident_id);
CREATE INDEX alerts_host ON alerts (tenant_id, host_id, opened_at);
CALL protect('alerts', true);
GRANT SELECT, INSERT, UPDATE ON alerts TO app_tenant;

CREATE TABLE mappings (
  tenant_id uuid NOT NULL, mapping_id uuid NOT NULL, name text NOT NULL, version int NOT NULL, archived_at timestamptz,
  CONSTRAINT mappings_pkey PRIMARY KEY (tenant_id, mapping_id),
  CONSTRAINT mappings_name UNIQUE (tenant_id, name));
CALL protect('mappings', false);
GRANT SELECT, INSERT, UPDATE ON mappings TO app_tenant;
CREATE TABLE mapping_versions (
  tenant_id uuid NOT NULL, mapping_id uuid NOT NULL, version int NOT NULL, mode text NOT NULL, definition jsonb NOT NULL,
  created_at timestamptz NOT NULL, created_by text NOT NULL,
  CONSTRAINT mapping_versions_pkey PRIMARY KEY (tenant_id, mapping_id, version),
  CONSTRAINT mapping_versions_mapping FOREIGN KEY (tenant_id, mapping_id) REFERENCES mappings,
  CONSTRAINT mapping_versions_mode CHECK (mode IN ('observe', 'approve', 'auto')));
CALL protect('mapping_versions', false);
GRANT SELECT, INSERT ON mapping_versions TO app_tenant;

-- What a stage decided and why. The record's form is pinned by golden files.
CREATE TABLE decisions (
  tenant_id uuid NOT NULL, client_id uuid NOT NULL, decision_id uuid NOT NULL, stage text NOT NULL,
  incident_id uuid, subject_id uuid NOT NULL, decided_at timestamptz NOT NULL, outcome text NOT NULL, record jsonb NOT NULL,
  CONSTRAINT decisions_pkey PRIMARY KEY (tenant_id, decision_id),
  CONSTRAINT decisions_client_fkey FOREIGN KEY (tenant_id, client_id) REFERENCES clients,
  CONSTRAINT decisions_stage CHECK (stage IN ('detect', 'classify', 'remediate', 'verify')));
CREATE INDEX decisions_incident ON decisions (tenant_id, incident_id, decided_at);
CREATE INDEX decisions_subject ON decisions (tenant_id, subject_id, decided_at);
CALL protect('decisions', true);
GRANT SELECT, INSERT ON decisions TO app_tenant;
