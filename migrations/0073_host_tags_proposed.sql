-- Tags that take a host out of a service group wait for a second person, as any other change of who is in one.
ALTER TABLE proposed_changes DROP CONSTRAINT proposed_changes_kind,
  ADD CONSTRAINT proposed_changes_kind CHECK (kind IN ('mode', 'limit', 'service_group', 'host_tags'));
