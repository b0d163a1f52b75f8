//! Tables `service_seats` and `service_seat_clients`: seats of programs. Nobody signs in to one; its tokens are all there is.

use domain::access::Role;
use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use uuid::Uuid;

use crate::error::exactly_one;
use crate::{Result, Store, StoreError, TenantTx, tokens};

/// A service account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its id.
    pub seat_id: Uuid,
    /// What people call it.
    pub name: String,
    /// Its role.
    pub role: Role,
    /// The clients it sees; none: all.
    pub client_ids: Option<Vec<Uuid>>,
    /// When it was made.
    pub made_at: Timestamp,
    /// Who made it.
    pub made_by: String,
}

/// A service account that is made.
#[derive(Clone, Copy, Debug)]
pub struct New<'a> {
    /// What people call it.
    pub name: &'a str,
    /// Its role.
    pub role: Role,
    /// The clients it sees; none: all.
    pub client_ids: Option<&'a [Uuid]>,
    /// Who makes it.
    pub by: &'a str,
}

/// All of them by name. Whoever asks must see all clients: those of a service that they do not see are not there.
pub async fn list(tx: &mut TenantTx) -> Result<Vec<Service>> {
    read(tx, None).await
}

/// One of them.
pub async fn find(tx: &mut TenantTx, seat_id: Uuid) -> Result<Option<Service>> {
    Ok(read(tx, Some(seat_id)).await?.pop())
}

async fn read(tx: &mut TenantTx, seat_id: Option<Uuid>) -> Result<Vec<Service>> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query!(
        r#"SELECT v.seat_id, v.name, v.role, v.sees_all, v.made_at, v.made_by,
             ARRAY(SELECT c.client_id FROM service_seat_clients c WHERE c.tenant_id = v.tenant_id AND c.seat_id = v.seat_id
               ORDER BY c.client_id) AS "client_ids!"
           FROM service_seats v WHERE v.tenant_id = $1 AND ($2::uuid IS NULL OR v.seat_id = $2) ORDER BY v.name, v.seat_id"#,
        tenant_id,
        seat_id
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter()
        .map(|row| {
            let corrupt = StoreError::Corrupt { table: "service_seats", column: "role", id: row.seat_id };
            Ok(Service {
                seat_id: row.seat_id,
                name: row.name,
                role: Role::parse(&row.role).ok_or(corrupt)?,
                client_ids: (!row.sees_all).then_some(row.client_ids),
                made_at: row.made_at.to_jiff(),
                made_by: row.made_by,
            })
        })
        .collect()
}

/// Makes one; none: another has the name.
pub async fn insert(tx: &mut TenantTx, new: &New<'_>) -> Result<Option<Uuid>> {
    let (tenant_id, seat_id, now) = (tx.tenant_id(), Store::new_id(), tx.now().await?);
    let done = sqlx::query!(
        "INSERT INTO service_seats (tenant_id, seat_id, name, role, sees_all, made_at, made_by) VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (tenant_id, name) DO NOTHING",
        tenant_id,
        seat_id,
        new.name,
        new.role.word(),
        new.client_ids.is_none(),
        now.to_sqlx() as _,
        new.by
    )
    .execute(tx.conn())
    .await?;
    if done.rows_affected() == 0 {
        return Ok(None);
    }
    for client_id in new.client_ids.unwrap_or_default() {
        sqlx::query!(
            "INSERT INTO service_seat_clients (tenant_id, client_id, seat_id) VALUES ($1, $2, $3)",
            tenant_id,
            *client_id,
            seat_id
        )
        .execute(tx.conn())
        .await?;
    }
    Ok(Some(seat_id))
}

/// Takes one away, with its tokens: each is revoked, and that is an entry. Says how many there were.
pub async fn delete(tx: &mut TenantTx, seat_id: Uuid, by: &str) -> Result<usize> {
    let tenant_id = tx.tenant_id();
    let done = sqlx::query!("DELETE FROM service_seats WHERE tenant_id = $1 AND seat_id = $2", tenant_id, seat_id)
        .execute(tx.conn())
        .await?;
    exactly_one("services::delete", done.rows_affected())?;
    let alive = sqlx::query_scalar!(
        "SELECT token_id FROM api_tokens WHERE tenant_id = $1 AND seat_id = $2 AND revoked_at IS NULL ORDER BY token_id",
        tenant_id,
        seat_id
    )
    .fetch_all(tx.conn())
    .await?;
    for token_id in &alive {
        tokens::mark_revoked(tx, *token_id, by).await?;
    }
    Ok(alive.len())
}
