-- A settle time or a stability window may be a part of a second. The seconds are kept, rounded up, for servers of before.
ALTER TABLE verifications ADD COLUMN settle_ms int, ADD COLUMN stable_ms int,
  ADD CONSTRAINT verifications_windows CHECK (settle_ms >= 0 AND stable_ms >= 0 AND (settle_ms IS NULL) = (stable_ms IS NULL));
