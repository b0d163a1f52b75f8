-- Whoever proposes a change on a page says why.
ALTER TABLE proposed_changes ADD COLUMN why text NOT NULL DEFAULT '';
