-- A provider of sign-on that a token asks for waits for another owner. Its secret waits beside it, sealed for the place that it
-- is to stand at, and only as long as the change is open.
ALTER TABLE proposed_changes DROP CONSTRAINT proposed_changes_kind,
  ADD CONSTRAINT proposed_changes_kind CHECK (kind IN ('mode', 'limit', 'service_group', 'host_tags', 'sign_on')),
  ADD COLUMN secret_sealed bytea, ADD COLUMN sealing_version int,
  ADD CONSTRAINT proposed_changes_sealed CHECK ((secret_sealed IS NULL) = (sealing_version IS NULL)
    AND (secret_sealed IS NULL OR kind = 'sign_on' AND state IN ('proposed', 'confirmed')));
