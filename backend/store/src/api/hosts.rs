//! Hosts by id.

use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use crate::{Result, TenantTx};

/// A host.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the columns' names")]
pub struct Row {
    pub host_id: Uuid,
    pub client_id: Uuid,
    pub client: String,
    pub name: String,
    pub state: String,
    pub quarantine_reason: Option<String>,
    pub tags: Value,
    pub agent_version: Option<String>,
    pub linked_at: Option<Timestamp>,
    pub unlinked_at: Option<Timestamp>,
}

/// The hosts after one, by id; of a client only, if one is said.
pub async fn list(tx: &mut TenantTx, client_id: Option<Uuid>, after: Option<Uuid>, limit: i64) -> Result<Vec<Row>> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query!(
        r#"SELECT h.host_id, h.client_id, c.name AS client, h.name, h.state, h.quarantine_reason, h.tags, h.agent_version,
             l.linked_at AS "linked_at?", l.unlinked_at
           FROM (SELECT x.* FROM hosts x WHERE x.tenant_id = $1 AND x.host_id > $2 AND x.state <> 'retired'
                   AND ($3::uuid IS NULL OR x.client_id = $3) ORDER BY x.host_id LIMIT $4) h
           JOIN clients c ON c.tenant_id = $1 AND c.client_id = h.client_id
           LEFT JOIN host_links l ON l.tenant_id = $1 AND l.host_id = h.host_id
           ORDER BY h.host_id"#,
        tenant_id,
        after.unwrap_or(Uuid::nil()),
        client_id,
        limit
    )
    .fetch_all(tx.conn())
    .await?;
    let row = rows.into_iter().map(|r| Row {
        host_id: r.host_id,
        client_id: r.client_id,
        client: r.client,
        name: r.name,
        state: r.state,
        quarantine_reason: r.quarantine_reason,
        tags: r.tags,
        agent_version: r.agent_version,
        linked_at: r.linked_at.map(|at| at.to_jiff()),
        unlinked_at: r.unlinked_at.map(|at| at.to_jiff()),
    });
    Ok(row.collect())
}
