-- Archiving a check that is no single host's switches watching off for everybody: it waits for a second person.
ALTER TABLE proposed_changes DROP CONSTRAINT proposed_changes_kind,
  ADD CONSTRAINT proposed_changes_kind CHECK (kind IN ('mode', 'limit', 'service_group', 'host_tags', 'sign_on', 'check'));
