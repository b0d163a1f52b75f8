//! What waits for a person's yes.

use domain::remediate::approval::lapses_after;
use jiff::Timestamp;
use uuid::Uuid;

use crate::{Result, TenantTx};

/// One run that waits, and why it would run.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// The run.
    pub run_id: Uuid,
    /// Its incident.
    pub incident_id: Uuid,
    /// The incident's title.
    pub title: String,
    /// `warning` or `critical`.
    pub severity: String,
    /// The client's name.
    pub client: String,
    /// The host's id.
    pub host_id: Uuid,
    /// The host's name.
    pub host: String,
    /// The check that is bad.
    pub check: String,
    /// What it looks at.
    pub target: String,
    /// Since when it is bad.
    pub bad_since: Timestamp,
    /// The mapping that asks first.
    pub mapping: String,
    /// Its version.
    pub mapping_version: i32,
    /// The playbook's name.
    pub playbook: String,
    /// Its version.
    pub version: i32,
    /// The version's content, canonical JSON.
    pub content: String,
}

/// The runs that wait, those whose time is over first at the head.
pub async fn list(tx: &mut TenantTx, limit: i64) -> Result<Vec<Waiting>> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query!(
        // Those that wait are picked first: over ten tables at once the planner begins with a wrong one.
        r#"WITH r AS MATERIALIZED (
             SELECT r.run_id, r.incident_id, r.client_id, r.alert_id, r.host_id, r.check_id, r.target, r.remediation_id, r.playbook_id, r.playbook_digest,
               i.title, i.severity,
               (SELECT max(e.at) FROM run_events e WHERE e.tenant_id = $1 AND e.run_id = r.run_id AND e.to_state = 'awaiting_approval')
                 + make_interval(secs => CASE WHEN i.severity = 'critical' THEN $2::float8 ELSE $3::float8 END) AS lapses_at
             FROM runs r
             JOIN incidents i ON i.tenant_id = $1 AND i.incident_id = r.incident_id
             WHERE r.tenant_id = $1 AND r.state = 'awaiting_approval'
             ORDER BY lapses_at, r.run_id LIMIT $4)
           SELECT r.run_id, r.incident_id, r.title, r.severity, c.name AS client, r.host_id, h.name AS host, k.name AS check_name, r.target,
             a.opened_at AS bad_since, m.name AS mapping, x.mapping_version, p.name AS playbook, v.version, v.content
           FROM r
           JOIN alerts a ON a.tenant_id = $1 AND a.alert_id = r.alert_id
           JOIN clients c ON c.tenant_id = $1 AND c.client_id = r.client_id
           JOIN hosts h ON h.tenant_id = $1 AND h.host_id = r.host_id
           JOIN checks k ON k.tenant_id = $1 AND k.check_id = r.check_id
           JOIN remediations x ON x.tenant_id = $1 AND x.remediation_id = r.remediation_id
           JOIN mappings m ON m.tenant_id = $1 AND m.mapping_id = x.mapping_id
           JOIN playbooks p ON p.tenant_id = $1 AND p.playbook_id = r.playbook_id
           JOIN playbook_versions v ON v.tenant_id = $1 AND v.digest = r.playbook_digest
           ORDER BY r.lapses_at, r.run_id"#,
        tenant_id,
        lapses_after(true).as_secs_f64(),
        lapses_after(false).as_secs_f64(),
        limit
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| Waiting {
            run_id: r.run_id,
            incident_id: r.incident_id,
            title: r.title,
            severity: r.severity,
            client: r.client,
            host_id: r.host_id,
            host: r.host,
            check: r.check_name,
            target: r.target,
            bad_since: r.bad_since.to_jiff(),
            mapping: r.mapping,
            mapping_version: r.mapping_version,
            playbook: r.playbook,
            version: r.version,
            content: r.content,
        })
        .collect())
}
