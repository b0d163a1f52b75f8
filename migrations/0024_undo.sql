-- An undo is verified like a fix, in a row of its own.
ALTER TABLE verifications
  ADD COLUMN purpose text NOT NULL DEFAULT 'fix',
  ADD COLUMN exited_ok boolean NOT NULL DEFAULT true,   -- its job ended with 0; an undo that failed is not verified by looks alone
  ADD CONSTRAINT verifications_purpose CHECK (purpose IN ('fix', 'undo')),
  DROP CONSTRAINT verifications_pkey,
  ADD CONSTRAINT verifications_pkey PRIMARY KEY (tenant_id, run_id, purpose, attempt);
CREATE INDEX runs_undoing ON runs (tenant_id) WHERE state = 'undoing';
