-- Configuration that is applied again: the tenant's own time zone, and changes that wait for a second person.
ALTER TABLE tenants ADD COLUMN time_zone text NOT NULL DEFAULT 'UTC';
GRANT UPDATE (time_zone) ON tenants TO app_tenant;

-- The numbers of a tenant's row of a kind ('*') hold for each bucket of that kind that has none of its own. Until now they
-- were copied when a bucket was made; copies go, and clients get such a row too. (The owner, too, is held by forced policies.)
ALTER TABLE guardrail_buckets NO FORCE ROW LEVEL SECURITY;
INSERT INTO guardrail_buckets (tenant_id, scope_kind, scope_key, rank, max_in_flight, max_per_window, window_secs)
  SELECT tenant_id, 'client', '*', 2, min(max_in_flight), min(max_per_window), max(window_secs)
    FROM guardrail_buckets WHERE scope_kind = 'client' GROUP BY tenant_id;
UPDATE guardrail_buckets SET max_in_flight = NULL, max_per_window = NULL, window_secs = NULL
  WHERE scope_kind IN ('client', 'host', 'host_playbook', 'host_playbook_day') AND scope_key <> '*';
ALTER TABLE guardrail_buckets FORCE ROW LEVEL SECURITY;

-- Which published version of a playbook is the one that files and mappings mean; none: the newest. Going back to an older one
-- publishes nothing: versions are content-addressed.
ALTER TABLE playbooks ADD COLUMN current_version int;
GRANT UPDATE (current_version) ON playbooks TO app_tenant;

CREATE TABLE proposed_changes (
  tenant_id uuid NOT NULL, change_id uuid NOT NULL, kind text NOT NULL, subject_key text NOT NULL, subject text NOT NULL,
  was jsonb NOT NULL, wanted jsonb NOT NULL, state text NOT NULL,
  proposed_at timestamptz NOT NULL, proposed_by text NOT NULL, proposed_login_id uuid, lapses_at timestamptz NOT NULL,
  answered_at timestamptz, answered_by text, reason text, due_at timestamptz, ended_at timestamptz, end_reason text,
  CONSTRAINT proposed_changes_pkey PRIMARY KEY (tenant_id, change_id),
  CONSTRAINT proposed_changes_kind CHECK (kind IN ('mode', 'limit')),
  CONSTRAINT proposed_changes_state CHECK (state IN ('proposed', 'confirmed', 'applied', 'rejected', 'stale', 'lapsed')),
  CONSTRAINT proposed_changes_answered CHECK ((answered_at IS NULL) = (answered_by IS NULL)
    AND (state IN ('confirmed', 'applied', 'rejected')) <= (answered_at IS NOT NULL)
    AND (state IN ('proposed', 'lapsed')) <= (answered_at IS NULL)),
  CONSTRAINT proposed_changes_due CHECK ((state = 'confirmed') = (due_at IS NOT NULL)),
  CONSTRAINT proposed_changes_ended CHECK ((state IN ('proposed', 'confirmed')) = (ended_at IS NULL) AND (ended_at IS NULL) = (end_reason IS NULL)));
CREATE UNIQUE INDEX proposed_changes_one_open ON proposed_changes (tenant_id, kind, subject_key) WHERE state IN ('proposed', 'confirmed');
CREATE INDEX proposed_changes_newest ON proposed_changes (tenant_id, proposed_at DESC, change_id);
CALL protect('proposed_changes', false);
GRANT SELECT, INSERT, UPDATE ON proposed_changes TO app_tenant;
