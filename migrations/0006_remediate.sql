-- Stage remediate: playbooks, remediations, runs and their jobs.
CREATE TABLE playbooks (
  tenant_id uuid NOT NULL, playbook_id uuid NOT NULL, name text NOT NULL,
  CONSTRAINT playbooks_pkey PRIMARY KEY (tenant_id, playbook_id),
  CONSTRAINT playbooks_name UNIQUE (tenant_id, name));
CALL protect('playbooks', false);
GRANT SELECT, INSERT ON playbooks TO app_tenant;
CREATE TABLE playbook_versions (                      -- content-addressed: the digest is SHA-256 of content
  tenant_id uuid NOT NULL, digest bytea NOT NULL, playbook_id uuid NOT NULL, version int NOT NULL,
  content text NOT NULL, signature text NOT NULL, key_id uuid NOT NULL, published_at timestamptz NOT NULL, published_by text NOT NULL,
  CONSTRAINT playbook_versions_pkey PRIMARY KEY (tenant_id, digest),
  CONSTRAINT playbook_versions_number UNIQUE (tenant_id, playbook_id, version),
  CONSTRAINT playbook_versions_playbook FOREIGN KEY (tenant_id, playbook_id) REFERENCES playbooks,
  CONSTRAINT playbook_versions_key FOREIGN KEY (tenant_id, key_id) REFERENCES tenant_keys);
CALL protect('playbook_versions', false);
GRANT SELECT, INSERT ON playbook_versions TO app_tenant;

CREATE TABLE remediations (
  tenant_id uuid NOT NULL, client_id uuid NOT NULL, remediation_id uuid NOT NULL, alert_id uuid NOT NULL, incident_id uuid NOT NULL,
  mapping_id uuid NOT NULL, mapping_version int NOT NULL, opened_at timestamptz NOT NULL, closed_at timestamptz, outcome text,
  CONSTRAINT remediations_pkey PRIMARY KEY (tenant_id, remediation_id),
  CONSTRAINT remediations_client UNIQUE (tenant_id, client_id, remediation_id),
  CONSTRAINT remediations_alert_fkey FOREIGN KEY (tenant_id, client_id, alert_id) REFERENCES alerts (tenant_id, client_id, alert_id),
  CONSTRAINT remediations_mapping FOREIGN KEY (tenant_id, mapping_id, mapping_version) REFERENCES mapping_versions,
  CONSTRAINT remediations_closed CHECK ((closed_at IS NULL) = (outcome IS NULL)));
CALL protect('remediations', true);
GRANT SELECT, INSERT, UPDATE ON remediations TO app_tenant;

CREATE TABLE runs (
  tenant_id uuid NOT NULL, client_id uuid NOT NULL, run_id uuid NOT NULL, remediation_id uuid NOT NULL, alert_id uuid NOT NULL, incident_id uuid NOT NULL,
  host_id uuid NOT NULL, check_id uuid NOT NULL, target text NOT NULL, rung smallint NOT NULL, playbook_id uuid NOT NULL, playbook_digest bytea NOT NULL,
  parameters jsonb NOT NULL, mode text NOT NULL, state text NOT NULL, version bigint NOT NULL DEFAULT 1, attempt smallint NOT NULL DEFAULT 0, not_run_count smallint NOT NULL DEFAULT 0,
  planned_at timestamptz NOT NULL, due_at timestamptz, hold_reason text, hold_until timestamptz,
  admitted_at timestamptz, started_at timestamptz, ended_at timestamptz, end_reason text,
  lease_token uuid, lease_expires_at timestamptz, lease_count int NOT NULL DEFAULT 0,
  CONSTRAINT runs_pkey PRIMARY KEY (tenant_id, run_id),
  CONSTRAINT runs_client UNIQUE (tenant_id, client_id, run_id),
  CONSTRAINT runs_rung UNIQUE (tenant_id, remediation_id, rung),
  CONSTRAINT runs_remediation_fkey FOREIGN KEY (tenant_id, client_id, remediation_id) REFERENCES remediations (tenant_id, client_id, remediation_id),
  CONSTRAINT runs_alert_fkey FOREIGN KEY (tenant_id, client_id, alert_id) REFERENCES alerts (tenant_id, client_id, alert_id),
  CONSTRAINT runs_host_fkey FOREIGN KEY (tenant_id, client_id, host_id) REFERENCES hosts (tenant_id, client_id, host_id),
  CONSTRAINT runs_playbook_fkey FOREIGN KEY (tenant_id, playbook_digest) REFERENCES playbook_versions,
  CONSTRAINT runs_mode CHECK (mode IN ('observe', 'approve', 'auto')),
  CONSTRAINT runs_state CHECK (state IN ('planned','held','awaiting_approval','observed','admitted','running','unknown','verifying',
    'fixed','not_fixed','cannot_tell','made_worse','undoing','undone','undo_failed','refused','not_run','denied','expired','cancelled')),
  CONSTRAINT runs_due CHECK ((state IN ('planned', 'held')) = (due_at IS NOT NULL)),
  CONSTRAINT runs_hold CHECK ((state = 'held') <= (hold_reason IS NOT NULL)),
  CONSTRAINT runs_admitted CHECK ((state IN ('admitted','running','unknown','verifying','fixed','not_fixed','cannot_tell','made_worse','undoing','undone','undo_failed')) <= (admitted_at IS NOT NULL)),
  CONSTRAINT runs_started CHECK ((state IN ('running','unknown','verifying','fixed','not_fixed','cannot_tell','made_worse','undoing','undone','undo_failed')) <= (started_at IS NOT NULL)),
  CONSTRAINT runs_ended CHECK ((state IN ('observed','denied','expired','cancelled','refused','not_run','fixed','not_fixed','cannot_tell','made_worse','undone','undo_failed')) = (ended_at IS NOT NULL)),
  CONSTRAINT runs_lease CHECK ((lease_token IS NULL) = (lease_expires_at IS NULL)))
  WITH (autovacuum_vacuum_threshold = 500, autovacuum_vacuum_scale_factor = 0);
CREATE INDEX runs_due_at ON runs (tenant_id, due_at) WHERE state IN ('planned', 'held');
CREATE INDEX runs_incident ON runs (tenant_id, incident_id, planned_at);
CREATE INDEX runs_alert ON runs (tenant_id, alert_id);
CREATE INDEX runs_host_open ON runs (tenant_id, host_id) WHERE ended_at IS NULL;
CALL protect('runs', true);
GRANT SELECT, INSERT, UPDATE ON runs TO app_tenant;

CREATE TABLE run_events (
  tenant_id uuid NOT NULL, client_id uuid NOT NULL, run_id uuid NOT NULL, seq bigint NOT NULL, at timestamptz NOT NULL,
  from_state text, to_state text NOT NULL, cause text NOT NULL, detail jsonb NOT NULL DEFAULT '{}', actor text NOT NULL,
  CONSTRAINT run_events_pkey PRIMARY KEY (tenant_id, run_id, seq),
  CONSTRAINT run_events_run_fkey FOREIGN KEY (tenant_id, client_id, run_id) REFERENCES runs (tenant_id, client_id, run_id));
CALL protect('run_events', true);
GRANT SELECT, INSERT ON run_events TO app_tenant;

CREATE TABLE approvals (
  tenant_id uuid NOT NULL, client_id uuid NOT NULL, approval_id uuid NOT NULL, run_id uuid NOT NULL, plan_digest bytea NOT NULL,
  login_id uuid NOT NULL, answer text NOT NULL, reason text NOT NULL, answered_at timestamptz NOT NULL, expires_at timestamptz NOT NULL,
  CONSTRAINT approvals_pkey PRIMARY KEY (tenant_id, approval_id),
  CONSTRAINT approvals_run_fkey FOREIGN KEY (tenant_id, client_id, run_id) REFERENCES runs (tenant_id, client_id, run_id),
  CONSTRAINT approvals_answer CHECK (answer IN ('yes', 'no')));
CALL protect('approvals', true);
GRANT SELECT, INSERT ON approvals TO app_tenant;

CREATE TABLE jobs (                                   -- what one executor is handed at once
  tenant_id uuid NOT NULL, client_id uuid NOT NULL, host_id uuid NOT NULL, run_id uuid NOT NULL,
  leg smallint NOT NULL, attempt smallint NOT NULL, purpose text NOT NULL, state text NOT NULL,
  fence bigint, instance_id uuid, envelope_digest bytea, lease_expires_at timestamptz, expires_at timestamptz NOT NULL,
  permitted_at timestamptz, permit_ends_at timestamptz, ended_at timestamptz, result_digest bytea,
  CONSTRAINT jobs_pkey PRIMARY KEY (tenant_id, run_id, purpose, leg, attempt),
  CONSTRAINT jobs_run_fkey FOREIGN KEY (tenant_id, client_id, run_id) REFERENCES runs (tenant_id, client_id, run_id),
  CONSTRAINT jobs_numbers CHECK (leg >= 1 AND attempt >= 1),
  CONSTRAINT jobs_purpose CHECK (purpose IN ('fix','undo','diagnostics')),
  CONSTRAINT jobs_state CHECK (state IN ('queued','leased','permitted','unknown','finished','withdrawn','refused')),
  CONSTRAINT jobs_fence CHECK ((state IN ('leased','permitted','unknown','finished')) <= (fence IS NOT NULL)),
  CONSTRAINT jobs_envelope CHECK ((state IN ('leased','permitted','unknown','finished')) <= (instance_id IS NOT NULL AND envelope_digest IS NOT NULL)),
  CONSTRAINT jobs_lease CHECK ((state = 'leased') = (lease_expires_at IS NOT NULL)),
  CONSTRAINT jobs_permit CHECK ((state IN ('permitted','unknown','finished')) <= (permitted_at IS NOT NULL) AND (permitted_at IS NULL) = (permit_ends_at IS NULL)),
  CONSTRAINT jobs_end CHECK ((state IN ('finished','withdrawn','refused')) = (ended_at IS NOT NULL)));
CREATE UNIQUE INDEX jobs_one_unfinished ON jobs (tenant_id, host_id)
  WHERE state IN ('queued','leased','permitted','unknown') AND purpose <> 'diagnostics';   -- the host lock
CREATE INDEX jobs_host ON jobs (tenant_id, host_id, state);
CALL protect('jobs', true);
GRANT SELECT, INSERT, UPDATE ON jobs TO app_tenant;
CREATE TABLE job_results (                            -- exactly once a job: its key is the job's
  tenant_id uuid NOT NULL, client_id uuid NOT NULL, run_id uuid NOT NULL, purpose text NOT NULL, leg smallint NOT NULL, attempt smallint NOT NULL,
  fence bigint NOT NULL, body text NOT NULL, signature text NOT NULL, received_at timestamptz NOT NULL,
  CONSTRAINT job_results_pkey PRIMARY KEY (tenant_id, run_id, purpose, leg, attempt),
  CONSTRAINT job_results_run_fkey FOREIGN KEY (tenant_id, client_id, run_id) REFERENCES runs (tenant_id, client_id, run_id));
CALL protect('job_results', true);
GRANT SELECT, INSERT ON job_results TO app_tenant;
