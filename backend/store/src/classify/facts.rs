//! What is known of an alert's check, host and client.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::{Result, StoreError, TenantTx};

/// The facts of one alert.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The check's name.
    pub check: String,
    /// The check's kind.
    pub kind: String,
    /// The client's name.
    pub client: String,
    /// The host's name.
    pub host: String,
    /// The host's tags.
    pub tags: BTreeMap<String, String>,
    /// The host is retired or the check is archived: what was seen before says nothing any more.
    pub is_over: bool,
}

/// The facts of a check on a host.
pub async fn find(tx: &mut TenantTx, check_id: Uuid, host_id: Uuid) -> Result<Option<Facts>> {
    let tenant_id = tx.tenant_id();
    let row = sqlx::query!(
        r#"SELECT k.name AS check_name, k.kind, c.name AS client, h.name AS host, h.tags,
           (h.state = 'retired' OR k.archived_at IS NOT NULL) AS "is_over!"
         FROM hosts h
         JOIN clients c ON c.tenant_id = h.tenant_id AND c.client_id = h.client_id
         JOIN checks k ON k.tenant_id = h.tenant_id AND k.check_id = $3
         WHERE h.tenant_id = $1 AND h.host_id = $2"#,
        tenant_id,
        host_id,
        check_id
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(r) = row else { return Ok(None) };
    let tags = serde_json::from_value(r.tags).map_err(|_| StoreError::Corrupt {
        table: "hosts",
        column: "tags",
        id: host_id,
    })?;
    let (check, is_over) = (r.check_name, r.is_over);
    Ok(Some(Facts { check, kind: r.kind, client: r.client, host: r.host, tags, is_over }))
}
