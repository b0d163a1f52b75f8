//! Tables `audit` and `tenant_audit`: who did what; append only.

use jiff_sqlx::ToSqlx;
use serde_json::Value;
use uuid::Uuid;

use crate::live::Kind;
use crate::{Result, Store, TenantTx};

/// Writes an entry that tells about one client; the actor is the scope's.
pub async fn insert(
    tx: &mut TenantTx,
    client_id: Uuid,
    action: &str,
    subject_kind: &str,
    subject_id: Uuid,
    detail: Value,
) -> Result<()> {
    let (tenant_id, id, now, actor) = (tx.tenant_id(), Store::new_id(), tx.now().await?, tx.actor().to_owned());
    sqlx::query!(
        "INSERT INTO audit (tenant_id, client_id, audit_id, at, actor, action, subject_kind, subject_id, detail)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        tenant_id,
        client_id,
        id,
        now.to_sqlx() as _,
        actor,
        action,
        subject_kind,
        subject_id,
        detail
    )
    .execute(tx.conn())
    .await?;
    tx.changes(Kind::Guardrail, client_id, None);
    Ok(())
}

/// Writes an entry that tells nothing of one client.
pub async fn insert_tenant_wide(
    tx: &mut TenantTx,
    action: &str,
    subject_kind: &str,
    subject_id: Uuid,
    detail: Value,
) -> Result<()> {
    let (tenant_id, id, now, actor) = (tx.tenant_id(), Store::new_id(), tx.now().await?, tx.actor().to_owned());
    sqlx::query!(
        "INSERT INTO tenant_audit (tenant_id, audit_id, at, actor, action, subject_kind, subject_id, detail)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        tenant_id,
        id,
        now.to_sqlx() as _,
        actor,
        action,
        subject_kind,
        subject_id,
        detail
    )
    .execute(tx.conn())
    .await?;
    tx.changes(Kind::Guardrail, None, None);
    Ok(())
}
