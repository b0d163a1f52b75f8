//! The operators of the platform: who they are, what they see, which are counts and never content, and what they do.
//! Everything is `app_system`'s, which reads no row of an organization's content.

mod acts;
pub mod storm;
mod survey;

pub use acts::{Did, Entry, give_plan, list_audit, list_plans, set_brake, set_state};
pub use survey::{Lag, find_frozen, list_lags, list_standings};

use std::time::Duration;

use jiff_sqlx::ToSqlx;
use serde_json::Value;
use uuid::Uuid;

use crate::auth::OperatorTx;
use crate::{Result, Store};

/// Notes a link that makes whoever has this address an operator, once.
pub async fn insert_link(operator: &mut OperatorTx, email: &str, secret_hash: &[u8], lasts: Duration) -> Result<()> {
    let expires_at = operator.now().await? + lasts;
    sqlx::query!(
        "INSERT INTO operator_links (secret_hash, email, expires_at) VALUES ($1, $2, $3)",
        secret_hash,
        email,
        expires_at.to_sqlx() as _
    )
    .execute(operator.conn())
    .await?;
    Ok(())
}

/// The address of a link that can be followed still.
pub async fn find_link(store: &Store, secret_hash: &[u8]) -> Result<Option<String>> {
    let mut tx = store.system().await?;
    let now = tx.now().await?;
    Ok(sqlx::query_scalar!(
        "SELECT email FROM operator_links WHERE secret_hash = $1 AND used_at IS NULL AND expires_at > $2",
        secret_hash,
        now.to_sqlx() as _
    )
    .fetch_optional(tx.conn())
    .await?)
}

/// Makes the login an operator by a link, which is used up. False: another was faster, or it is too late.
pub async fn insert_operator(store: &Store, secret_hash: &[u8], login_id: Uuid, did: &Did) -> Result<bool> {
    let mut tx = store.system().await?;
    let now = tx.now().await?;
    let used = sqlx::query!(
        "UPDATE operator_links SET used_at = $2 WHERE secret_hash = $1 AND used_at IS NULL AND expires_at > $2",
        secret_hash,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    if used.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query!(
        "INSERT INTO operators (login_id, since) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        login_id,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    acts::note(&mut tx, did, "operator.made", None, serde_json::json!({ "login": login_id })).await?;
    tx.commit().await?;
    Ok(true)
}

/// Takes the platform away from a login. False: it was no operator.
pub async fn delete_operator(operator: &mut OperatorTx, login_id: Uuid) -> Result<bool> {
    let done = sqlx::query!("DELETE FROM operators WHERE login_id = $1", login_id).execute(operator.conn()).await?;
    Ok(done.rows_affected() == 1)
}

/// Writes down what was done on the server's own machine.
pub async fn note(operator: &mut OperatorTx, action: &str, organization: Option<Uuid>, detail: Value) -> Result<()> {
    let now = operator.now().await?;
    sqlx::query!(
        "INSERT INTO platform_audit (audit_id, at, actor, action, organization, detail)
         VALUES ($1, $2, 'command line', $3, $4, $5)",
        Store::new_id(),
        now.to_sqlx() as _,
        action,
        organization,
        detail
    )
    .execute(operator.conn())
    .await?;
    Ok(())
}

/// Whether a login is an operator; asked anew for each request.
pub async fn is_operator(store: &Store, login_id: Uuid) -> Result<bool> {
    let mut tx = store.system().await?;
    Ok(sqlx::query_scalar!(r#"SELECT EXISTS (SELECT 1 FROM operators WHERE login_id = $1) AS "is!""#, login_id)
        .fetch_one(tx.conn())
        .await?)
}
