-- A kind that the server asks: whether SSH still lets in.
ALTER TABLE checks DROP CONSTRAINT checks_kind;
ALTER TABLE checks ADD CONSTRAINT checks_kind
  CHECK (kind IN ('service', 'heartbeat', 'http', 'tcp', 'disk', 'process', 'ssh'));
