-- Succession of the server's dispatch key: each key but the first carries its predecessor's word (crate keys, succession),
-- and a host is sent envelopes signed by the newest key that it says it holds.

ALTER TABLE server_keys ADD COLUMN certificate text, ADD COLUMN certificate_signature text,
  ADD CONSTRAINT server_keys_version CHECK (version >= 1),
  ADD CONSTRAINT server_keys_certified CHECK ((version > 1) = (certificate IS NOT NULL) AND (certificate IS NULL) = (certificate_signature IS NULL));

ALTER TABLE hosts ADD COLUMN dispatch_version int NOT NULL DEFAULT 1,
  ADD CONSTRAINT hosts_dispatch_version CHECK (dispatch_version >= 1);
