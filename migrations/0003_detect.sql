-- Stage detect: what to look at, what was seen, what the thresholds say of it, and what that signals.
CREATE TABLE checks (
  tenant_id uuid NOT NULL, check_id uuid NOT NULL, name text NOT NULL, kind text NOT NULL, version int NOT NULL DEFAULT 1,
  definition jsonb NOT NULL, created_at timestamptz NOT NULL, archived_at timestamptz,
  CONSTRAINT checks_pkey PRIMARY KEY (tenant_id, check_id),
  CONSTRAINT checks_name UNIQUE (tenant_id, name),
  CONSTRAINT checks_kind CHECK (kind IN ('service', 'heartbeat')));
CALL protect('checks', false);
GRANT SELECT, INSERT, UPDATE ON checks TO app_tenant;

-- The evaluator's state of one check on one target; written when, and only when, a verdict changes or a hold time starts or ends.
CREATE TABLE check_states (
  tenant_id uuid NOT NULL, client_id uuid NOT NULL, host_id uuid NOT NULL, check_id uuid NOT NULL, target text NOT NULL,
  version bigint NOT NULL, verdict text NOT NULL, verdict_at timestamptz NOT NULL,
  pending_verdict text, pending_at timestamptz, failures int NOT NULL DEFAULT 0, raised boolean NOT NULL DEFAULT false,
  excused text, readings jsonb NOT NULL, observed_at timestamptz NOT NULL,
  CONSTRAINT check_states_pkey PRIMARY KEY (tenant_id, host_id, check_id, target),
  CONSTRAINT check_states_host_fkey FOREIGN KEY (tenant_id, client_id, host_id) REFERENCES hosts (tenant_id, client_id, host_id),
  CONSTRAINT check_states_check_fkey FOREIGN KEY (tenant_id, check_id) REFERENCES checks,
  CONSTRAINT check_states_verdict CHECK (verdict IN ('ok', 'warning', 'critical', 'no_data')),
  CONSTRAINT check_states_pending CHECK (pending_verdict IN ('ok', 'warning', 'critical', 'no_data') AND (pending_verdict IS NULL) = (pending_at IS NULL)))
  WITH (fillfactor = 70);
CALL protect('check_states', true);
GRANT SELECT, INSERT, UPDATE ON check_states TO app_tenant;

-- Observations somebody will read: those that changed a state, and answers to questions.
CREATE TABLE observations (
  tenant_id uuid NOT NULL, client_id uuid NOT NULL, host_id uuid NOT NULL, observation_id uuid NOT NULL, check_id uuid NOT NULL, target text NOT NULL,
  observed_at timestamptz NOT NULL, received_at timestamptz NOT NULL, seen jsonb NOT NULL, verdict text NOT NULL, request_id uuid,
  CONSTRAINT observations_pkey PRIMARY KEY (tenant_id, observation_id),
  CONSTRAINT observations_host_fkey FOREIGN KEY (tenant_id, client_id, host_id) REFERENCES hosts (tenant_id, client_id, host_id),
  CONSTRAINT observations_verdict CHECK (verdict IN ('ok', 'warning', 'critical', 'no_data')));
CREATE UNIQUE INDEX observations_request ON observations (tenant_id, request_id) WHERE request_id IS NOT NULL;
CREATE INDEX observations_target ON observations (tenant_id, host_id, check_id, target, received_at);
CALL protect('observations', true);
GRANT SELECT, INSERT ON observations TO app_tenant;

CREATE TABLE signals (
  tenant_id uuid NOT NULL, client_id uuid NOT NULL, host_id uuid NOT NULL, signal_id uuid NOT NULL, check_id uuid NOT NULL, target text NOT NULL,
  kind text NOT NULL, severity text NOT NULL, state_version bigint NOT NULL, observation_id uuid NOT NULL, signalled_at timestamptz NOT NULL,
  due_at timestamptz NOT NULL, lease_token uuid, lease_expires_at timestamptz, lease_count int NOT NULL DEFAULT 0, done_at timestamptz, parked_reason text,
  CONSTRAINT signals_pkey PRIMARY KEY (tenant_id, signal_id),
  CONSTRAINT signals_once UNIQUE (tenant_id, host_id, check_id, target, state_version),
  CONSTRAINT signals_host_fkey FOREIGN KEY (tenant_id, client_id, host_id) REFERENCES hosts (tenant_id, client_id, host_id),
  CONSTRAINT signals_observation_fkey FOREIGN KEY (tenant_id, observation_id) REFERENCES observations,
  CONSTRAINT signals_kind CHECK (kind IN ('raised', 'cleared')),
  CONSTRAINT signals_severity CHECK (severity IN ('warning', 'critical')),
  CONSTRAINT signals_lease CHECK ((lease_token IS NULL) = (lease_expires_at IS NULL)))
  WITH (autovacuum_vacuum_threshold = 500, autovacuum_vacuum_scale_factor = 0);
CREATE INDEX signals_due ON signals (tenant_id, due_at) WHERE done_at IS NULL;
CALL protect('signals', true);
GRANT SELECT, INSERT, UPDATE ON signals TO app_tenant;

-- A question to a host: run this check anew. The answer is an observation with the same request id.
CREATE TABLE check_requests (
  tenant_id uuid NOT NULL, client_id uuid NOT NULL, host_id uuid NOT NULL, request_id uuid NOT NULL, check_id uuid NOT NULL, target text NOT NULL,
  asked_for text NOT NULL, asked_at timestamptz NOT NULL, expires_at timestamptz NOT NULL, answered_at timestamptz,
  CONSTRAINT check_requests_pkey PRIMARY KEY (tenant_id, request_id),
  CONSTRAINT check_requests_host_fkey FOREIGN KEY (tenant_id, client_id, host_id) REFERENCES hosts (tenant_id, client_id, host_id),
  CONSTRAINT check_requests_asked_for CHECK (asked_for IN ('verify', 'look_again', 'release', 'person')));
CREATE INDEX check_requests_open ON check_requests (tenant_id, host_id, expires_at) WHERE answered_at IS NULL;
CALL protect('check_requests', true);
GRANT SELECT, INSERT, UPDATE ON check_requests TO app_tenant;
