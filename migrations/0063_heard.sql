-- Whether a host is heard now: its agent was linked, the link is open, and the node that holds it lives. One home for what lists,
-- counts and the board ask; the planner puts it in place of the call. `alive`: a node that was not seen since then is dead.
CREATE FUNCTION is_heard(epoch bigint, unlinked_at timestamptz, node_seen_at timestamptz, alive timestamptz) RETURNS boolean
  LANGUAGE sql IMMUTABLE RETURN coalesce(epoch > 0 AND unlinked_at IS NULL AND node_seen_at > alive, false);
REVOKE ALL ON FUNCTION is_heard FROM PUBLIC;
GRANT EXECUTE ON FUNCTION is_heard TO app_tenant, app_all_clients;
