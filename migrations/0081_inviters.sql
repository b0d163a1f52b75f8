-- Who invited, so that an invitation ends when its inviter could not give it any more. No foreign key: logins are no
-- tenant's. Invitations of before have none and end by themselves within three days.
ALTER TABLE invitations ADD COLUMN inviter_id uuid;
CREATE INDEX invitations_inviter ON invitations (tenant_id, inviter_id) WHERE state = 'open';
