-- Who stopped a scope's actions, why and since when; and interlocks that say who set them and how they ended.
ALTER TABLE guardrail_buckets
  ADD COLUMN frozen_by text, ADD COLUMN frozen_why text, ADD COLUMN frozen_at timestamptz,
  ADD CONSTRAINT guardrail_buckets_frozen CHECK (
    (frozen_by IS NULL) = (frozen_at IS NULL) AND (frozen_why IS NULL) = (frozen_at IS NULL) AND (frozen OR frozen_at IS NULL));
ALTER TABLE interlocks
  ADD COLUMN set_by text NOT NULL, ADD COLUMN set_at timestamptz NOT NULL, ADD COLUMN ended_at timestamptz, ADD COLUMN ended_by text,
  ADD CONSTRAINT interlocks_kind CHECK (scope_kind IN ('tenant', 'client', 'host')),
  ADD CONSTRAINT interlocks_span CHECK (ends_at > set_at AND (ended_at IS NULL) = (ended_by IS NULL));
CREATE INDEX interlocks_scope ON interlocks (tenant_id, scope_kind, scope_key, ends_at) WHERE ended_at IS NULL;
