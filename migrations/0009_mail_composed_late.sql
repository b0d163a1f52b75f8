-- A mail is composed when it is first sent, from the facts of that moment; until then its row says what is to be told,
-- to whom, and why. Composed once, it stays as it is: every attempt sends the same mail under the same Message-ID.
ALTER TABLE outbox
  ALTER subject DROP NOT NULL, ALTER html DROP NOT NULL, ALTER body_text DROP NOT NULL,
  ADD sender text,
  ADD why text NOT NULL DEFAULT '',
  ADD CONSTRAINT outbox_composed CHECK (num_nulls(sender, subject, html, body_text) IN (0, 4)),
  ADD CONSTRAINT outbox_sent_composed CHECK (state <> 'sent' OR subject IS NOT NULL);
-- How often a mapping has fixed something, and how often the same thing came back.
CREATE INDEX remediations_fixed ON remediations (tenant_id, mapping_id) WHERE outcome = 'fixed';
CREATE INDEX alerts_fixed ON alerts (tenant_id, fingerprint, closed_at) WHERE close_cause = 'fixed';
