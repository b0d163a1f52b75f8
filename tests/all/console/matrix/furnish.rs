//! Rows of the matrix's world that no route names by an id, so that there is something to read.

use uuid::Uuid;

use crate::console::{Console, Organization};

impl Console {
    /// Of our client and of our organization: what hosts said, what is set, an owner, mails, entries, a stop, hands off that
    /// are over, an answer, a support grant that has ended.
    pub(super) async fn furnish_more(&mut self, run: Uuid) {
        self.furnish_host(run).await;
        self.furnish_settings(run).await;
        let Organization { tenant, technician, client, host, incident, .. } = self.ours;
        self.execute(format!(
            "UPDATE incidents SET owner_login_id = '{technician}', owner = 'A member', taken_at = clock_timestamp() WHERE tenant_id = '{tenant}' AND incident_id = '{incident}';
             INSERT INTO outbox (tenant_id, client_id, outbox_id, incident_id, kind, message_id, address, sender, subject, html, body_text, state, created_at, ended_at)
               VALUES ('{tenant}', '{client}', '{run}', '{incident}', 'needs_you', '{run}', 'on-call@ours.example', 'us', 'x', 'x', 'x', 'sent', clock_timestamp(), clock_timestamp());
             INSERT INTO run_events (tenant_id, client_id, run_id, seq, at, from_state, to_state, cause, actor)
               VALUES ('{tenant}', '{client}', '{run}', 9, clock_timestamp(), 'running', 'unknown', 'its host went away', 'test');
             INSERT INTO hands_off (tenant_id, client_id, hands_off_id, scope_kind, scope_key, reason, started_by, started_at, ends_at, ended_at, ended_by)
               VALUES ('{tenant}', '{client}', '{run}', 'host', '{host}', 'by hand', 'A member', '2000-01-01', '2000-01-02', '2000-01-02', 'A member');
             INSERT INTO approvals (tenant_id, client_id, approval_id, run_id, plan_digest, login_id, answer, reason, answered_at, expires_at)
               VALUES ('{tenant}', '{client}', '{run}', '{run}', '\\x01', '{technician}', 'yes', 'at night', '2000-01-01', '2000-01-02');
             INSERT INTO audit (tenant_id, client_id, audit_id, at, actor, action, subject_kind, subject_id, detail)
               VALUES ('{tenant}', '{client}', '{run}', clock_timestamp(), 'test', 'hands_off.start', 'host', '{host}', '{{}}');
             INSERT INTO tenant_audit (tenant_id, audit_id, at, actor, action, subject_kind, subject_id, detail)
               VALUES ('{tenant}', '{run}', clock_timestamp(), 'test', 'test', 'tenant', '{tenant}', '{{}}');
             INSERT INTO channels (tenant_id, channel_id, kind, address) VALUES ('{tenant}', '{run}', 'email', '{run}@ours.example');
             INSERT INTO support_grants (tenant_id, grant_id, granted_at, granted_by, reason, ends_at, ended_at, ended_by)
               VALUES ('{tenant}', '{run}', '2000-01-01', 'An owner', 'a question', '2000-01-02', '2000-01-02', 'An owner');
             INSERT INTO guardrail_buckets (tenant_id, scope_kind, scope_key, rank, frozen, frozen_by, frozen_why, frozen_at)
               VALUES ('{tenant}', 'client', '{client}', 2, true, 'A member', 'a move', clock_timestamp())
               ON CONFLICT (tenant_id, scope_kind, scope_key) DO UPDATE SET frozen = true, frozen_by = excluded.frozen_by, frozen_why = excluded.frozen_why, frozen_at = excluded.frozen_at"
        ))
        .await;
    }

    /// What hosts said, and what stages made of it. The open questions have their host's id.
    async fn furnish_host(&mut self, run: Uuid) {
        let Organization { tenant, client, check, host, incident, .. } = self.ours;
        self.execute(format!(
            "UPDATE hosts SET own_limits = '{{\"profile\": \"low-risk\", \"path\": \"/p\"}}', notes = '[\"a note\"]' WHERE tenant_id = '{tenant}' AND host_id = '{host}';
             INSERT INTO host_inventory (tenant_id, client_id, host_id, told_at, found) VALUES ('{tenant}', '{client}', '{host}', clock_timestamp(), '{{\"hostname\": \"web\"}}');
             INSERT INTO check_requests (tenant_id, client_id, host_id, request_id, check_id, target, asked_for, asked_at, expires_at)
               VALUES ('{tenant}', '{client}', '{host}', '{host}', '{check}', 'shop-web', 'person', clock_timestamp(), clock_timestamp() + interval '1 hour');
             INSERT INTO observations (tenant_id, client_id, host_id, observation_id, check_id, target, observed_at, received_at, seen, verdict)
               VALUES ('{tenant}', '{client}', '{host}', '{run}', '{check}', 'shop-web', clock_timestamp(), clock_timestamp(), '{{\"data\": {{\"state\": \"stopped\"}}}}', 'critical');
             INSERT INTO signals (tenant_id, client_id, host_id, signal_id, check_id, target, kind, severity, state_version, observation_id, signalled_at, due_at, done_at, parked_reason)
               VALUES ('{tenant}', '{client}', '{host}', '{run}', '{check}', 'shop-web', 'raised', 'critical', 1, '{run}', clock_timestamp(), clock_timestamp(), clock_timestamp(), 'tried often');
             INSERT INTO decisions (tenant_id, client_id, decision_id, stage, incident_id, subject_id, decided_at, outcome, record)
               VALUES ('{tenant}', '{client}', '{run}', 'classify', '{incident}', '{incident}', clock_timestamp(), 'unmapped', '{{\"sentence\": \"No known fix.\"}}');
             INSERT INTO diagnostics (tenant_id, client_id, host_id, incident_id, diagnostics_id, target, asked_at, expires_at, answered_at, sections)
               VALUES ('{tenant}', '{client}', '{host}', '{incident}', '{run}', 'shop-web', clock_timestamp(), clock_timestamp() + interval '1 hour', clock_timestamp(), '[{{\"title\": \"Load\", \"lines\": [\"none\"]}}]'),
                 ('{tenant}', '{client}', '{host}', '{incident}', '{host}', 'shop-web', clock_timestamp(), clock_timestamp() + interval '1 hour', NULL, NULL);
             INSERT INTO job_results (tenant_id, client_id, run_id, purpose, leg, attempt, fence, body, signature, received_at)
               VALUES ('{tenant}', '{client}', '{run}', 'fix', 1, 1, 1, '{{\"ended\": {{\"how\": \"not_run\", \"why\": \"x\"}}}}', '00', clock_timestamp());
             INSERT INTO run_output (tenant_id, client_id, run_id, purpose, leg, attempt, byte_offset, at, bytes)
               SELECT tenant_id, client_id, run_id, purpose, leg, attempt, 0, permitted_at, '\\x77'::bytea FROM jobs WHERE tenant_id = '{tenant}' AND run_id = '{run}';
             INSERT INTO run_progress (tenant_id, client_id, run_id, purpose, leg, attempt, at, bytes)
               VALUES ('{tenant}', '{client}', '{run}', 'fix', 1, 1, clock_timestamp(), '\\x77')"
        ))
        .await;
    }

    /// What is planned and set; of the organization once, whichever of its clients comes first.
    async fn furnish_settings(&mut self, run: Uuid) {
        let Organization { tenant, technician, client, .. } = self.ours;
        self.execute(format!(
            "INSERT INTO maintenance_windows (tenant_id, window_id, name, scope_kind, scope_key, host_name, times, active)
               VALUES ('{tenant}', '{run}', 'night {run}', 'host', '{client}', 'a host', '{{\"weekly\": [\"sat 22:00-04:00\"]}}', false);
             INSERT INTO api_answers (tenant_id, token_id, idempotency_key, digest, status, body, at) VALUES ('{tenant}', '{run}', 'key', '\\x01', 200, '{{}}', clock_timestamp());
             INSERT INTO deletions (tenant_id, deletion_id, kind, subject_id, name, asked_at, asked_by, due_at)
               VALUES ('{tenant}', '{run}', 'client', '{run}', 'gone', clock_timestamp(), 'An owner', '2100-01-01');
             INSERT INTO mail_relays (tenant_id, relay, changed_at, changed_by, refused_at, refusal)
               VALUES ('{tenant}', '{{\"host\": \"smtp.ours.example\", \"port\": 587, \"tls\": \"starttls\", \"sender\": \"a@ours.example\"}}', clock_timestamp(), 'An owner', clock_timestamp(), '550') ON CONFLICT DO NOTHING;
             INSERT INTO sign_on (tenant_id, issuer, application_id, secret_sealed, version, domains, changed_at, changed_by, sealing_version)
               VALUES ('{tenant}', 'https://login.ours.example', 'console', '\\x01', 1, '{{{tenant}.example}}', clock_timestamp(), 'An owner', 1) ON CONFLICT DO NOTHING;
             INSERT INTO sign_on_subjects (tenant_id, login_id, issuer, subject, bound_at)
               VALUES ('{tenant}', '{technician}', 'https://login.ours.example', 'subject', clock_timestamp()) ON CONFLICT DO NOTHING"
        ))
        .await;
    }
}
