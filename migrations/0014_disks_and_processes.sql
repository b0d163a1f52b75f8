-- Two more kinds that the agent looks at.
ALTER TABLE checks DROP CONSTRAINT checks_kind;
ALTER TABLE checks ADD CONSTRAINT checks_kind CHECK (kind IN ('service', 'heartbeat', 'http', 'tcp', 'disk', 'process'));
