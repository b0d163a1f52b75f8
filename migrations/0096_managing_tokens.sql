-- What lets something be done is asked of a person who has just proven who they are, as what changes who may do what: saying yes to
-- a fix, letting act again, trusting a host, confirming a change. A token was made after such a proof, which counts for 90 days, so
-- tokens of before that would live longer end then: some of them at once. (The owner, too, is held by forced policies.)
ALTER TABLE credentials NO FORCE ROW LEVEL SECURITY;
ALTER TABLE api_tokens NO FORCE ROW LEVEL SECURITY;
UPDATE credentials c SET expires_at = t.made_at + interval '2160 hours' FROM api_tokens t
  WHERE t.tenant_id = c.tenant_id AND t.token_id = c.subject_id AND c.kind = 'api_token'
    AND t.scopes && ARRAY['approve', 'let_act', 'trust', 'confirm'] AND t.expires_at > t.made_at + interval '2160 hours';
UPDATE api_tokens SET expires_at = made_at + interval '2160 hours'
  WHERE scopes && ARRAY['approve', 'let_act', 'trust', 'confirm'] AND expires_at > made_at + interval '2160 hours';
ALTER TABLE api_tokens FORCE ROW LEVEL SECURITY;
ALTER TABLE credentials FORCE ROW LEVEL SECURITY;
ALTER TABLE api_tokens DROP CONSTRAINT api_tokens_managing,
  ADD CONSTRAINT api_tokens_managing CHECK (NOT scopes && ARRAY['approve', 'let_act', 'trust', 'confirm', 'people', 'settings', 'own']
    OR expires_at <= made_at + interval '2160 hours');
