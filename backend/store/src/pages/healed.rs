//! How much was healed without a person, over a stretch of time.
//!
//! Healed: closed as fixed, nobody was called or asked for a yes, and no fix of it came back. It is held against what was
//! healed or needed a person; what recovered by itself before anybody was called, and what is still open, is not counted.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use uuid::Uuid;

use crate::{Result, TenantTx};

/// Two counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Healed {
    /// Incidents that were healed without a person.
    pub healed: i64,
    /// Those, and the ones that needed a person.
    pub counted: i64,
}

/// By client, of what opened after `since`; clients without an incident are left out.
pub async fn by_client(tx: &mut TenantTx, client_id: Option<Uuid>, since: Timestamp) -> Result<BTreeMap<Uuid, Healed>> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query!(
        r#"SELECT i.client_id, count(*) AS "counted!",
             count(*) FILTER (WHERE i.outcome = 'fixed' AND i.escalated_at IS NULL
               AND i.incident_id NOT IN (SELECT m.incident_id FROM remediations m WHERE m.tenant_id = $1 AND m.relapsed_at IS NOT NULL)
               AND i.incident_id NOT IN (SELECT r.incident_id FROM approvals a JOIN runs r ON r.tenant_id = $1 AND r.run_id = a.run_id
                                         WHERE a.tenant_id = $1 AND a.answered_at >= $2)) AS "healed!"
           FROM incidents i
           WHERE i.tenant_id = $1 AND CASE WHEN $3::uuid IS NULL THEN true ELSE i.client_id = $3 END AND i.opened_at >= $2
             AND (i.escalated_at IS NOT NULL OR i.outcome <> 'recovered')
           GROUP BY i.client_id"#,
        tenant_id,
        since.to_sqlx() as _,
        client_id
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|r| (r.client_id, Healed { healed: r.healed, counted: r.counted })).collect())
}
