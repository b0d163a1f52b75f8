//! Words that tell whose row and which table they stand in, in every column of text, JSON and output of every table with
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
            "check_requests.asked_for",
            "check_states.pending_verdict",
            "check_states.verdict",
            "checks.kind",
            "clients.time_zone",
            "credentials.kind",
            "decisions.stage",
            "deletions.kind",
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
            "job_results.purpose",
            "jobs.purpose",
            "jobs.state",
            "maintenance_windows.scope_kind",
            "mapping_versions.mode",
            "memberships.role",
            "observations.verdict",
            "outbox.kind",
            "outbox.state",
            "proposed_changes.kind",
            "proposed_changes.state",
            "remediations.outcome",
            "run_events.from_state",
            "run_events.to_state",
            "run_output.purpose",
            "run_progress.purpose",
            "runs.mode",
            "runs.state",
            "secrets.kind",
            "service_seats.role",
            "signals.kind",
            "signals.severity",
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
            "check_requests.target",
            "check_states.target",
            "guardrail_admissions.scope_key",
            "guardrail_buckets.scope_key",
            "hands_off.scope_key",
            "interlocks.scope_key",
            "maintenance_windows.scope_key",
            "observations.target",
            "outbox.message_id",
            "proposed_changes.subject_key",
            "runs.target",
            "signals.target",
            "tenants.plan",
        ],
    ),
    (
        "read by the fields it is made of: another one is dropped, or makes all of it unreadable",
        &[
            "checks.definition",
            "maintenance_windows.times",
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
            "deletions.called_off_by",
            "interlocks.ended_by",
            "proposed_changes.answered_by",
            "proposed_changes.end_reason",
        ],
    ),
];

/// Tables that no row of these organizations stands in, and why; where one does, the table has to leave this list.
const EMPTY: &[(&str, &[&str])] = &[
    (
        "hashes and a signature; with a link there is a file to take, and that it was taken is an entry",
        &["audit_chain"],
    ),
    (
        "keys, and words of closed lists: none of their columns could take a word",
        &["guardrail_history", "platform_signs", "run_neighbours", "verifications"],
    ),
    ("figures: the column that could take a word is neither written nor read", &["host_metrics"]),
];

/// Where the word goes in what is read by its fields: the path of a text that stands there.
const WITHIN: &[(&str, &str)] = &[
    ("check_states.readings", "{data,state}"),
    ("decisions.record", "{sentence}"),
    ("diagnostics.sections", "{0,lines,0}"),
    ("host_inventory.found", "{hostname}"),
    ("host_now.extra", "{services,0,name}"),
    ("hosts.notes", "{0}"),
    ("hosts.own_limits", "{path}"),
    ("job_results.body", "{ended,why}"),
    ("mail_relays.relay", "{host}"),
    ("observations.seen", "{data,state}"),
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

/// What a column holds.
#[derive(Clone, Copy)]
enum Holds {
    Text,
    Json,
    /// What a host wrote, as it wrote it.
    Bytes,
}

/// A column of text, JSON or output.
struct Column {
    table: String,
    name: String,
    holds: Holds,
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
        let empty: BTreeSet<&str> = EMPTY.iter().flat_map(|(_, tables)| tables.iter().copied()).collect();
        let mut faults = BTreeSet::new();
        for column in &columns {
            for canary in &canaries {
                let Some(mine) = column.rows_of(canary) else { continue };
                let table = &column.table;
                if empty.contains(table.as_str()) {
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
            .extend(empty.iter().filter(|table| !tables.contains(*table)).map(|table| format!("{table} is no table")));
        let listed = take_none.iter().copied().chain(WITHIN.iter().map(|(key, _)| *key));
        faults.extend(listed.filter(|key| !keys.contains(*key)).map(|key| format!("{key} is no column")));
        assert!(faults.is_empty(), "{} columns are neither planted nor listed:\n{faults:#?}", faults.len());
        canaries
    }

    /// Every column of text, JSON or output of a table with `tenant_id`.
    async fn text_columns(&mut self) -> Vec<Column> {
        let rows: Vec<(String, String, String, Option<String>)> = sqlx::query_as(
            "SELECT c.relname::text, a.attname::text, a.atttypid::regtype::text,
               (SELECT w.attname::text FROM pg_attribute w
                WHERE w.attrelid = c.oid AND w.attname IN ('client_id', 'scope_key') AND NOT w.attisdropped ORDER BY w.attname LIMIT 1)
             FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
             WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relnamespace = 'public'::regnamespace
               AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' AND (a.atttypid IN ('text'::regtype, 'jsonb'::regtype) OR a.atttypid = 'bytea'::regtype AND a.attname = 'bytes')
               AND EXISTS (SELECT 1 FROM pg_attribute t WHERE t.attrelid = c.oid AND t.attname = 'tenant_id')
             ORDER BY 1, 2",
        )
        .fetch_all(&mut self.rows)
        .await
        .unwrap();
        let holds = |kind: &str| match kind {
            "jsonb" => Holds::Json,
            "bytea" => Holds::Bytes,
            _ => Holds::Text,
        };
        rows.into_iter().map(|(table, name, kind, by)| Column { table, name, holds: holds(&kind), by }).collect()
    }

    /// Puts a word into a column of these rows, also where nothing stood; how many took it.
    async fn plant_in(&mut self, column: &Column, word: &str, mine: &str) -> u64 {
        let Column { table, name, holds, .. } = column;
        let within = WITHIN.iter().find(|(key, _)| *key == column.key()).map(|(_, path)| *path);
        let set = |path: &str| format!("jsonb_set({name}::jsonb, '{path}', to_jsonb('{word}-{table}'::text))");
        let is_there = |path: &str| format!("{name}::jsonb #> '{path}' IS NOT NULL");
        let (value, is_fit) = match (holds, within) {
            (Holds::Json, Some(path)) => (set(path), is_there(path)),
            (Holds::Text, Some(path)) => (format!("{}::text", set(path)), is_there(path)),
            (Holds::Json, None) => (
                format!(r#"coalesce({name}, '{{}}') || '{{"canary": "{word}-{table}"}}'"#),
                format!("jsonb_typeof(coalesce({name}, '{{}}')) = 'object'"),
            ),
            (Holds::Text, None) => (format!("coalesce({name}, '') || ' {word}-{table}'"), "true".to_owned()),
            (Holds::Bytes, _) => (format!("{name} || convert_to(' {word}-{table}', 'UTF8')"), "true".to_owned()),
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
