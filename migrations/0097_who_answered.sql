-- Whose yes it was that a change waits with: it takes effect only if they could say it then, too. Of one that was confirmed before,
-- nobody knows, so it does not.
ALTER TABLE proposed_changes ADD COLUMN answered_login_id uuid;
