//! Everything that is an organization's, as one JSON document, a part at a time: neither its reader nor the database holds
//! the whole of it. Each part is read by itself, so what changes meanwhile is in it as it was before or after.

use serde_json::{Value, json};

use crate::{Result, TenantTx, configuration};

/// Rows of one part.
const PART: i32 = 200;

/// Tables that the document has, with every row.
pub const TABLES: &[&str] = &[
    "tenants",
    "memberships",
    "service_seats",
    "service_seat_clients",
    "invitations",
    "secrets",
    "sign_on",
    "sign_on_subjects",
    "support_grants",
    "channels",
    "mail_relays",
    "clients",
    "sites",
    "contacts",
    "hosts",
    "host_links",
    "host_inventory",
    "host_now",
    "host_claims",
    "enrolments",
    "enrolment_tokens",
    "api_tokens",
    "checks",
    "probes",
    "mappings",
    "mapping_versions",
    "playbooks",
    "playbook_versions",
    "tenant_keys",
    "guardrail_buckets",
    "guardrail_admissions",
    "guardrail_history",
    "breakers",
    "interlocks",
    "hands_off",
    "maintenance_windows",
    "service_groups",
    "proposed_changes",
    "check_states",
    "observations",
    "signals",
    "check_requests",
    "incidents",
    "alerts",
    "remediations",
    "runs",
    "run_events",
    "run_neighbours",
    "run_progress",
    "run_output",
    "approvals",
    "jobs",
    "job_results",
    "verifications",
    "decisions",
    "diagnostics",
    "outbox",
    "host_metrics",
    "host_metrics_5m",
    "host_metrics_1h",
    "audit",
    "tenant_audit",
    "audit_chain",
    "audit_heads",
    "audit_late_days",
    "deletions",
    "usage_days",
    "ingest_days",
];

/// Tables that it has not, and why.
pub const LEFT_OUT: &[(&str, &str)] = &[
    (
        "credentials",
        "hashes of secrets; what each belongs to stands in hosts, enrolments, enrolment_tokens and api_tokens",
    ),
    (
        "api_answers",
        "answers of the last day that a program may ask for again; what they tell stands in the other tables",
    ),
    ("sealing_keys", "the key that your secrets are sealed with; it is sealed itself"),
    ("tenant_wakeups", "reminders of the server's loops to look at the other tables"),
    ("platform_signs", "instants of the last minutes, counted to see whether much goes wrong on the whole platform"),
];

/// Columns that it has not.
pub const REDACTED: &[(&str, &str)] = &[
    ("tenant_keys", "sealed"),
    ("secrets", "sealed"),
    ("sign_on", "secret_sealed"),
    ("proposed_changes", "secret_sealed"),
];

/// How far the document is written.
#[derive(Debug, Default)]
pub struct Everything {
    begun: bool,
    table: usize,
    after: Option<Value>,
    rows: u64,
}

impl Everything {
    /// The next part; nothing: it is whole.
    pub async fn next(&mut self, tx: &mut TenantTx) -> Result<Option<String>> {
        if !self.begun {
            self.begun = true;
            return head(tx).await.map(Some);
        }
        let Some(table) = TABLES.get(self.table) else { return Ok(None) };
        let rows = list(tx, table, self.after.as_ref()).await?;
        let mut part = match &self.after {
            None => format!("{}\n  {}: [", if self.table == 0 { "" } else { "," }, json!(table)),
            Some(_) => String::new(),
        };
        for (at, row) in rows.iter().enumerate() {
            let is_first = at == 0 && self.after.is_none();
            part += if is_first { "\n    " } else { ",\n    " };
            part += &shown(table, row).to_string();
        }
        self.rows += rows.len() as u64;
        let is_over = rows.len() < PART as usize;
        self.after = rows.into_iter().next_back();
        if is_over {
            part += "]";
            (self.table, self.after) = (self.table + 1, None);
            if self.table == TABLES.len() {
                part += "\n},\n\"rows\": ";
                part += &self.rows.to_string();
                part += "}\n";
            }
        }
        Ok(Some(part))
    }

    /// How many rows were written.
    pub fn rows(&self) -> u64 {
        self.rows
    }
}

async fn head(tx: &mut TenantTx) -> Result<String> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let name = configuration::find_tenant(tx).await?.map(|tenant| tenant.name);
    let left_out: serde_json::Map<String, Value> =
        LEFT_OUT.iter().map(|(table, why)| ((*table).to_owned(), json!(why))).collect();
    let redacted: Vec<String> = REDACTED.iter().map(|(table, column)| format!("{table}.{column}")).collect();
    Ok(format!(
        "{{\"organization\": {},\n\"tenant_id\": \"{tenant_id}\",\n\"exported_at\": \"{now}\",\n\"left_out\": {},\n\"redacted\": {},\n\"tables\": {{",
        json!(name),
        Value::Object(left_out),
        json!(redacted)
    ))
}

/// The rows of a table after one of them, in the order of its key.
async fn list(tx: &mut TenantTx, table: &str, after: Option<&Value>) -> Result<Vec<Value>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_scalar!(r#"SELECT export_part($1, $2, $3, $4) AS "row!""#, tenant_id, table, after, PART)
        .fetch_all(tx.conn())
        .await?)
}

fn shown(table: &str, row: &Value) -> Value {
    let mut row = row.clone();
    if let Value::Object(columns) = &mut row {
        for (_, column) in REDACTED.iter().filter(|(of, _)| *of == table) {
            columns.remove(*column);
        }
    }
    row
}
