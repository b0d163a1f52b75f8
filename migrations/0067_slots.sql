-- A slot is held by one admission at a time, as before, but found by its tenant and one number instead of three more columns:
-- keeping the wide index was two thirds of what writing an admission cost. Two slots of one number would exclude each other
-- for nothing (one in 2^64); the same slot always has the same number, so nothing is ever let through.
ALTER TABLE guardrail_admissions
  DROP CONSTRAINT guardrail_admissions_slot,
  ADD COLUMN slot_key bigint NOT NULL GENERATED ALWAYS AS (hashtextextended(scope_kind || ' ' || scope_key, slot_no)) STORED,
  ADD CONSTRAINT guardrail_admissions_slot EXCLUDE USING gist (tenant_id WITH =, slot_key WITH =, during WITH &&);
