-- A forward jump of the database's clock stops admissions until the operator has looked (`mendwright guardrails clock-reset`).
ALTER TABLE platform_state
  ADD COLUMN clock_jumped_at timestamptz,             -- what the clock showed then
  ADD COLUMN clock_jump_ms bigint,                    -- how far it jumped
  ADD CONSTRAINT platform_state_clock CHECK ((clock_jumped_at IS NULL) = (clock_jump_ms IS NULL) AND clock_jump_ms > 0);
GRANT UPDATE (clock_jumped_at, clock_jump_ms) ON platform_state TO app_system;
