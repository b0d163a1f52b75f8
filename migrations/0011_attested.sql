-- When a person last said that a quarantined host is the same machine: until it has sent a fence again, its journal may be new.
ALTER TABLE hosts ADD COLUMN attested_at timestamptz;
