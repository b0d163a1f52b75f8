//! Words that tell whose row and which table they stand in, in every column of text and JSON of every table with
//! `tenant_id`. What takes no word is listed here by its name: another column without one fails.

use std::collections::BTreeSet;

use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{Principal, Staff, Target};
use crate::console::{Console, Organization};

/// Columns that take no word, and why.
const TAKE_NONE: &[(&str, &[&str])] = &[
    ("counted on the platform's pages, which show nothing else of a host", &["hosts.agent_version"]),
    (
        "a list of words that is closed, by a constraint or because code reads it",
        &[
            "alerts.close_cause",
            "alerts.severity",
            "alerts.state",
            "approvals.answer",
            "audit.action",
            "audit.subject_kind",
            "breakers.scope_kind",
            "breakers.state",
            "channels.kind",
            "check_states.pending_verdict",
            "check_states.verdict",
            "checks.kind",
            "clients.time_zone",
            "credentials.kind",
            "guardrail_admissions.outcome",
            "guardrail_admissions.scope_kind",
            "guardrail_buckets.scope_kind",
            "hands_off.scope_kind",
            "hosts.state",
            "incidents.outcome",
            "incidents.severity",
            "incidents.state",
            "interlocks.scope_kind",
            "invitations.role",
            "invitations.state",
            "jobs.purpose",
            "jobs.state",
            "mapping_versions.mode",
            "memberships.role",
            "outbox.kind",
            "outbox.state",
            "proposed_changes.kind",
            "proposed_changes.state",
            "remediations.outcome",
            "run_events.from_state",
            "run_events.to_state",
            "runs.mode",
            "runs.state",
            "secrets.kind",
            "service_seats.role",
            "tenant_audit.action",
            "tenant_audit.subject_kind",
            "tenant_wakeups.queue",
            "tenants.state",
            "tenants.time_zone",
        ],
    ),
    (
        "a key that other rows are found by",
        &[
            "alerts.target",
            "breakers.scope_key",
            "check_states.target",
            "guardrail_admissions.scope_key",
            "guardrail_buckets.scope_key",
            "hands_off.scope_key",
            "interlocks.scope_key",
            "outbox.message_id",
            "proposed_changes.subject_key",
            "runs.target",
            "tenants.plan",
        ],
    ),
    (
        "read by the fields it is made of: another one is dropped, or makes all of it unreadable",
        &[
            "check_states.readings",
            "checks.definition",
            "host_now.extra",
            "hosts.notes",
            "hosts.own_limits",
            "mapping_versions.definition",
            "playbook_versions.content",
            "playbook_versions.signature",
            "proposed_changes.wanted",
            "proposed_changes.was",
        ],
    ),
    (
        "no row here has got so far, and the constraint lets none have it before",
        &[
            "api_tokens.revoked_by",
            "interlocks.ended_by",
            "proposed_changes.answered_by",
            "proposed_changes.end_reason",
        ],
    ),
];

/// Tables that no row of these organizations stands in; where one does, the table has to leave this list.
const EMPTY: &[&str] = &[
    "api_answers",
    "audit_chain",
    "check_requests",
    "decisions",
    "deletions",
    "diagnostics",
    "enrolments",
    "guardrail_history",
    "host_inventory",
    "host_links",
    "host_metrics",
    "job_results",
    "mail_relays",
    "maintenance_windows",
    "observations",
    "platform_signs",
    "run_neighbours",
    "run_output",
    "run_progress",
    "sign_on",
    "sign_on_subjects",
    "signals",
    "verifications",
];

/// Tables of a whole organization that each of its members may read of. The others are for those from whom no client is
/// kept.
const FOR_EVERY_MEMBER: &[&str] =
    &["checks", "mapping_versions", "mappings", "memberships", "playbook_versions", "playbooks", "tenants"];

/// A canary: a word, and whose rows it stands in. The table's name follows the word.
pub(super) struct Canary {
    word: &'static str,
    tenant: Uuid,
    /// The client and its host; none: what the organization has as a whole.
    of: Option<(Uuid, Uuid)>,
}

impl Canary {
    fn of_client(word: &'static str, of: &Organization) -> Canary {
        Canary { word, tenant: of.tenant, of: Some((of.client, of.host)) }
    }

    fn of_tenant(word: &'static str, of: &Organization) -> Canary {
        Canary { word, tenant: of.tenant, of: None }
    }

    /// Whether `said` is this canary; an answer may have cut it short.
    fn is(&self, said: &str) -> bool {
        said.starts_with(self.word) || self.word.starts_with(said)
    }

    fn may_be_read(&self, principal: &Principal, said: &str) -> bool {
        let table = said.strip_prefix(self.word).unwrap_or_default().trim_start_matches('-');
        if principal.staff == Staff::Operator {
            // The organizations' names, and nothing that is in them.
            return self.of.is_none() && table == "tenants";
        }
        let Some(member) = &principal.member else { return false };
        let all = member.clients.as_ref();
        member.tenant == self.tenant
            && match self.of {
                Some((client, _)) => all.is_none_or(|clients| clients.contains(&client)),
                None => all.is_none() || FOR_EVERY_MEMBER.iter().any(|name| name.starts_with(table)),
            }
    }
}

/// A word in the answer that the principal must not read.
pub(super) fn leaked(canaries: &[Canary], principal: &Principal, body: &str) -> Option<String> {
    let word = |at: usize| {
        let rest = &body[at..];
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_')).unwrap_or(rest.len());
        &rest[..end]
    };
    body.match_indices("canary-")
        .map(|(at, _)| word(at))
        .find(|said| !canaries.iter().any(|canary| canary.is(said) && canary.may_be_read(principal, said)))
        .map(str::to_owned)
}

/// A column of text or JSON.
struct Column {
    table: String,
    name: String,
    is_json: bool,
    /// The column that says whose a row is: `client_id`, `scope_key`, or none but `tenant_id`.
    by: Option<String>,
}

impl Column {
    fn key(&self) -> String {
        format!("{}.{}", self.table, self.name)
    }

    /// The rows of this table that are the canary's; none: the table is of another kind.
    fn rows_of(&self, canary: &Canary) -> Option<String> {
        let tenant = canary.tenant;
        match (self.by.as_deref(), canary.of) {
            (Some("client_id"), Some((client, _))) => {
                Some(format!("tenant_id = '{tenant}' AND client_id = '{client}'"))
            }
            (Some(_), Some((client, host))) => {
                Some(format!("tenant_id = '{tenant}' AND scope_key IN ('{client}', '{host}')"))
            }
            (None, None) => Some(format!("tenant_id = '{tenant}'")),
            _ => None,
        }
    }
}

impl Console {
    /// Puts its canary into every column that takes one, of our two clients, of theirs, and of the two organizations.
    pub(super) async fn plant(&mut self, targets: &[Target]) -> Vec<Canary> {
        let [first, second, theirs] = targets else { panic!("two clients of ours and one of theirs") };
        let canaries = vec![
            Canary::of_client("canary-first", &first.organization),
            Canary::of_client("canary-second", &second.organization),
            Canary::of_client("canary-theirs", &theirs.organization),
            Canary::of_tenant("canary-ours", &first.organization),
            Canary::of_tenant("canary-other", &theirs.organization),
        ];
        let columns = self.text_columns().await;
        let take_none: BTreeSet<&str> = TAKE_NONE.iter().flat_map(|(_, columns)| columns.iter().copied()).collect();
        let mut faults = BTreeSet::new();
        for column in &columns {
            for canary in &canaries {
                let Some(mine) = column.rows_of(canary) else { continue };
                let table = &column.table;
                if EMPTY.contains(&table.as_str()) {
                    if self.count(&format!("{table} WHERE {mine}")).await > 0 {
                        faults.insert(format!("{table} is not empty"));
                    }
                } else if !take_none.contains(column.key().as_str())
                    && self.plant_in(column, canary.word, &mine).await == 0
                {
                    faults.insert(format!("{} took no canary", column.key()));
                }
            }
        }
        let tables: BTreeSet<&str> = columns.iter().map(|column| column.table.as_str()).collect();
        let keys: BTreeSet<String> = columns.iter().map(Column::key).collect();
        faults
            .extend(EMPTY.iter().filter(|table| !tables.contains(*table)).map(|table| format!("{table} is no table")));
        faults.extend(take_none.iter().filter(|key| !keys.contains(**key)).map(|key| format!("{key} is no column")));
        assert!(faults.is_empty(), "{} columns are neither planted nor listed:\n{faults:#?}", faults.len());
        canaries
    }

    /// Every column of text or JSON of a table with `tenant_id`.
    async fn text_columns(&mut self) -> Vec<Column> {
        let rows: Vec<(String, String, bool, Option<String>)> = sqlx::query_as(
            "SELECT c.relname::text, a.attname::text, a.atttypid = 'jsonb'::regtype,
               (SELECT w.attname::text FROM pg_attribute w
                WHERE w.attrelid = c.oid AND w.attname IN ('client_id', 'scope_key') AND NOT w.attisdropped ORDER BY w.attname LIMIT 1)
             FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
             WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relnamespace = 'public'::regnamespace
               AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' AND a.atttypid IN ('text'::regtype, 'jsonb'::regtype)
               AND EXISTS (SELECT 1 FROM pg_attribute t WHERE t.attrelid = c.oid AND t.attname = 'tenant_id')
             ORDER BY 1, 2",
        )
        .fetch_all(&mut self.rows)
        .await
        .unwrap();
        rows.into_iter().map(|(table, name, is_json, by)| Column { table, name, is_json, by }).collect()
    }

    /// Puts a word into a column of these rows, also where nothing stood; how many took it.
    async fn plant_in(&mut self, column: &Column, word: &str, mine: &str) -> u64 {
        let Column { table, name, is_json, .. } = column;
        let (value, is_fit) = match is_json {
            true => (
                format!(r#"coalesce({name}, '{{}}') || '{{"canary": "{word}-{table}"}}'"#),
                format!("jsonb_typeof(coalesce({name}, '{{}}')) = 'object'"),
            ),
            false => (format!("coalesce({name}, '') || ' {word}-{table}'"), "true".to_owned()),
        };
        let plain = format!("UPDATE {table} SET {name} = {value} WHERE {mine} AND {is_fit}");
        // Some may stand only beside others; what has a value keeps the right to it.
        let filled = format!("{plain} AND {name} IS NOT NULL");
        for sql in [plain, filled] {
            if let Ok(done) = sqlx::query(AssertSqlSafe(sql)).execute(&mut self.rows).await {
                return done.rows_affected();
            }
        }
        0
    }

    /// Rows of our client and of our organization that no route names by an id, so that there is something to read: an
    /// owner, mails, entries, a stop, hands off that are over, an answer, a support grant that has ended.
    pub(super) async fn furnish_more(&mut self, run: Uuid) {
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
}

#[test]
fn a_canary_is_read_by_whom_it_is_for_and_noticed_when_it_is_cut_short() {
    use super::Member;
    use domain::access::Role;

    let (tenant, client) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let canaries = [
        Canary { word: "canary-first", tenant, of: Some((client, client)) },
        Canary { word: "canary-ours", tenant, of: None },
    ];
    let principal = |tenant: Uuid, clients: Option<Vec<Uuid>>| Principal {
        name: "somebody".to_owned(),
        email: None,
        seat: crate::console::strangers::Seat { cookie: String::new(), csrf: String::new() },
        bearer: None,
        member: Some(Member { tenant, role: Role::Viewer, clients }),
        staff: Staff::No,
    };
    let all = principal(tenant, None);
    let limited = principal(tenant, Some(vec![client]));
    let other = principal(tenant, Some(vec![Uuid::from_u128(3)]));
    let elsewhere = principal(Uuid::from_u128(4), None);
    for (body, reads) in [
        ("<b>canary-first-hosts</b>", [true, true, false, false]),
        ("<b>canary-fir…</b>", [true, true, false, false]),
        ("canary-ours-tenants", [true, true, true, false]),
        (r#"{"canary": "canary-ours-secrets"}"#, [true, false, false, false]),
        ("canary-nobodys", [false; 4]),
        ("no bird", [true; 4]),
    ] {
        let may = [&all, &limited, &other, &elsewhere].map(|who| leaked(&canaries, who, body).is_none());
        assert_eq!(may, reads, "{body}");
    }
}
