-- The limits on acting. The lock on a bucket gives order and good messages, the exclusion constraint gives the guarantee.
CREATE TABLE guardrail_buckets (
  tenant_id uuid NOT NULL, scope_kind text NOT NULL, scope_key text NOT NULL,
  rank smallint NOT NULL, clock_high timestamptz NOT NULL DEFAULT 'epoch', frozen boolean NOT NULL DEFAULT false,
  max_in_flight int, max_per_window int, window_secs int, max_unproven int, max_bad int,   -- NULL: the rule of the scope's size
  CONSTRAINT guardrail_buckets_pkey PRIMARY KEY (tenant_id, scope_kind, scope_key),
  CONSTRAINT guardrail_buckets_kind CHECK (scope_kind IN ('tenant','client','service_group','playbook','host','host_playbook','host_playbook_day','undo','diagnostics')),
  CONSTRAINT guardrail_buckets_limits CHECK (max_in_flight >= 1 AND max_per_window >= 1 AND window_secs >= 1 AND max_unproven >= 1 AND max_bad >= 1))
  WITH (fillfactor = 50);
CALL protect('guardrail_buckets', false);
GRANT SELECT, INSERT, UPDATE, DELETE ON guardrail_buckets TO app_tenant;

CREATE TABLE guardrail_admissions (                   -- the live ones only; the finished ones move to the history
  tenant_id uuid NOT NULL, scope_kind text NOT NULL, scope_key text NOT NULL, run_id uuid NOT NULL, attempt int NOT NULL,
  slot_no int NOT NULL, flight_no int,                -- a flight on the first slot, unless an earlier attempt of the run still holds one
  admitted_at timestamptz NOT NULL, occupied_until timestamptz NOT NULL,
  during tstzrange NOT NULL GENERATED ALWAYS AS (tstzrange(admitted_at, occupied_until)) STORED,
  released_at timestamptz, outcome text NOT NULL DEFAULT 'unverified',
  CONSTRAINT guardrail_admissions_pkey PRIMARY KEY (tenant_id, scope_kind, scope_key, run_id, attempt, slot_no),
  CONSTRAINT guardrail_admissions_numbers CHECK (slot_no >= 1 AND flight_no >= 1),
  CONSTRAINT guardrail_admissions_span CHECK (occupied_until > admitted_at AND isfinite(occupied_until)),
  CONSTRAINT guardrail_admissions_outcome CHECK (outcome IN ('unverified','fixed','not_fixed','cannot_tell','unknown','made_worse','not_run')),
  CONSTRAINT guardrail_admissions_bucket FOREIGN KEY (tenant_id, scope_kind, scope_key) REFERENCES guardrail_buckets,
  CONSTRAINT guardrail_admissions_slot EXCLUDE USING gist
    (tenant_id WITH =, scope_kind WITH =, scope_key WITH =, slot_no WITH =, during WITH &&))
  WITH (autovacuum_vacuum_threshold = 500, autovacuum_vacuum_scale_factor = 0, autovacuum_analyze_threshold = 500, autovacuum_analyze_scale_factor = 0);
CREATE UNIQUE INDEX guardrail_admissions_flight ON guardrail_admissions (tenant_id, scope_kind, scope_key, flight_no) WHERE released_at IS NULL;
CREATE INDEX guardrail_admissions_window ON guardrail_admissions (tenant_id, scope_kind, scope_key, admitted_at);
CREATE INDEX guardrail_admissions_occupied ON guardrail_admissions (tenant_id, scope_kind, scope_key, occupied_until) INCLUDE (slot_no);
CREATE INDEX guardrail_admissions_run ON guardrail_admissions (tenant_id, run_id);
CALL protect('guardrail_admissions', false);
GRANT SELECT, INSERT, UPDATE, DELETE ON guardrail_admissions TO app_tenant;
CREATE TABLE guardrail_history (
  LIKE guardrail_admissions,
  CONSTRAINT guardrail_history_pkey PRIMARY KEY (tenant_id, scope_kind, scope_key, run_id, attempt, slot_no));
ALTER TABLE guardrail_history DROP COLUMN during;
CALL protect('guardrail_history', false);
GRANT SELECT, INSERT ON guardrail_history TO app_tenant;

CREATE TABLE breakers (
  tenant_id uuid NOT NULL, scope_kind text NOT NULL, scope_key text NOT NULL, state text NOT NULL, changed_at timestamptz NOT NULL,
  canary_run_id uuid, reopened_count int NOT NULL DEFAULT 0,
  CONSTRAINT breakers_pkey PRIMARY KEY (tenant_id, scope_kind, scope_key),
  CONSTRAINT breakers_kind CHECK (scope_kind IN ('client_playbook_version','host','playbook_version')),
  CONSTRAINT breakers_state CHECK (state IN ('closed','half_open','open')));
CREATE TABLE interlocks (
  tenant_id uuid NOT NULL, interlock_id uuid NOT NULL, scope_kind text NOT NULL, scope_key text NOT NULL,
  reason text NOT NULL, ends_at timestamptz NOT NULL,
  CONSTRAINT interlocks_pkey PRIMARY KEY (tenant_id, interlock_id));
CREATE TABLE hands_off (
  tenant_id uuid NOT NULL, client_id uuid NOT NULL, hands_off_id uuid NOT NULL, scope_kind text NOT NULL, scope_key text NOT NULL,
  reason text NOT NULL, started_by text NOT NULL, started_at timestamptz NOT NULL, ends_at timestamptz NOT NULL, ended_at timestamptz, ended_by text,
  CONSTRAINT hands_off_pkey PRIMARY KEY (tenant_id, hands_off_id),
  CONSTRAINT hands_off_client_fkey FOREIGN KEY (tenant_id, client_id) REFERENCES clients,
  CONSTRAINT hands_off_kind CHECK (scope_kind IN ('host', 'client')),
  CONSTRAINT hands_off_span CHECK (ends_at > started_at AND (ended_at IS NULL) = (ended_by IS NULL)));
CREATE INDEX hands_off_scope ON hands_off (tenant_id, scope_kind, scope_key, ends_at) WHERE ended_at IS NULL;
CALL protect('breakers', false);
CALL protect('interlocks', false);
CALL protect('hands_off', true);
GRANT SELECT, INSERT, UPDATE, DELETE ON breakers, interlocks, hands_off TO app_tenant;
