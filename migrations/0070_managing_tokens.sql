-- A token that changes who may do what, or what holds for everybody, was made by somebody who had just proven who they
-- are, which nobody can be asked for again when it is used: so it ends soon. No token of before has these scopes.
ALTER TABLE api_tokens ADD CONSTRAINT api_tokens_managing
  CHECK (NOT scopes && ARRAY['people', 'settings', 'own'] OR expires_at <= made_at + interval '2160 hours');
