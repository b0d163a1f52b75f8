-- A token may make others, which may no more than itself and end with it: here stands which one made it.
ALTER TABLE api_tokens ADD COLUMN minted_by uuid,
  ADD CONSTRAINT api_tokens_minted CHECK (minted_by <> token_id);
CREATE INDEX api_tokens_minted_by ON api_tokens (tenant_id, minted_by) WHERE minted_by IS NOT NULL;
