-- A host that is cut off, and a check that is taken away, have no state any more.
GRANT DELETE ON check_states TO app_tenant;
