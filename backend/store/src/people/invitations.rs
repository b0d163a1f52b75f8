//! Table `invitations`: who was asked to join an organization, as what, and what came of it.

use std::time::Duration;

use domain::access::Role;
use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use serde_json::json;
use uuid::Uuid;

use super::letters;
use crate::audit::{self, Entry};
use crate::error::exactly_one;
use crate::{Queue, Result, Store, StoreError, TenantTx};

/// An invitation that nobody answered yet.
#[derive(Clone, Debug)]
pub struct Invitation {
    /// Its id.
    pub invitation_id: Uuid,
    /// Who is asked.
    pub email: String,
    /// As what.
    pub role: Role,
    /// The clients they would see; none: all.
    pub client_ids: Option<Vec<Uuid>>,
    /// Who asked.
    pub invited_by: String,
    /// When.
    pub invited_at: Timestamp,
    /// Until when it can be accepted.
    pub expires_at: Timestamp,
}

/// What an invitation says.
#[derive(Debug)]
pub struct New<'a> {
    /// Who is asked.
    pub email: &'a str,
    /// As what.
    pub role: Role,
    /// The clients they would see; none: all.
    pub client_ids: Option<&'a [Uuid]>,
    /// Who asks, by name.
    pub by: &'a str,
    /// Their login.
    pub inviter_id: Uuid,
}

/// Invites: the row, and the letter with its link. An older open invitation of the same address is revoked.
pub async fn insert(tx: &mut TenantTx, new: &New<'_>, organization: &str) -> Result<Uuid> {
    let (tenant_id, now, id) = (tx.tenant_id(), tx.now().await?, Store::new_id());
    sqlx::query!(
        "UPDATE invitations SET state = 'revoked', ended_at = $3 WHERE tenant_id = $1 AND lower(email) = lower($2) AND state = 'open'",
        tenant_id,
        new.email,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    let lasts = letters::Kind::Invitation.link_lasts().unwrap_or(Duration::ZERO);
    sqlx::query!(
        "INSERT INTO invitations (tenant_id, invitation_id, email, role, client_ids, invited_by, invited_at, expires_at, inviter_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        tenant_id,
        id,
        new.email,
        new.role.word(),
        new.client_ids,
        new.by,
        now.to_sqlx() as _,
        (now + lasts).to_sqlx() as _,
        new.inviter_id
    )
    .execute(tx.conn())
    .await?;
    let facts = json!({ "tenant": tenant_id, "invitation": id, "organization": organization, "by": new.by, "role": new.role.word() });
    letters::insert_invitation(tx, new.email, &facts).await?;
    tx.due(Queue::Letters, now);
    Ok(id)
}

/// How often an address was invited within a time, and how many invitations there were in all.
pub async fn count_recent(tx: &mut TenantTx, email: &str, within: Duration) -> Result<(u32, u32)> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let row = sqlx::query!(
        r#"SELECT count(*) FILTER (WHERE lower(email) = lower($2)) AS "of_address!", count(*) AS "of_all!" FROM invitations
         WHERE tenant_id = $1 AND invited_at > $3"#,
        tenant_id,
        email,
        (now - within).to_sqlx() as _
    )
    .fetch_one(tx.conn())
    .await?;
    let count = |n: i64| u32::try_from(n).unwrap_or(u32::MAX);
    Ok((count(row.of_address), count(row.of_all)))
}

/// The open invitations that can be accepted still, oldest first.
pub async fn list_open(tx: &mut TenantTx) -> Result<Vec<Invitation>> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let rows = sqlx::query!(
        "SELECT invitation_id, email, role, client_ids, invited_by, invited_at, expires_at FROM invitations
         WHERE tenant_id = $1 AND state = 'open' AND expires_at > $2 ORDER BY invited_at, invitation_id",
        tenant_id,
        now.to_sqlx() as _
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Invitation {
                invitation_id: row.invitation_id,
                email: row.email,
                role: role(&row.role, row.invitation_id)?,
                client_ids: row.client_ids,
                invited_by: row.invited_by,
                invited_at: row.invited_at.to_jiff(),
                expires_at: row.expires_at.to_jiff(),
            })
        })
        .collect()
}

fn role(word: &str, id: Uuid) -> Result<Role> {
    Role::parse(word).ok_or(StoreError::Corrupt { table: "invitations", column: "role", id })
}

/// An open invitation that can be accepted still, locked.
pub async fn find_locked(tx: &mut TenantTx, invitation_id: Uuid) -> Result<Option<Invitation>> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let row = sqlx::query!(
        "SELECT email, role, client_ids, invited_by, invited_at, expires_at FROM invitations
         WHERE tenant_id = $1 AND invitation_id = $2 AND state = 'open' AND expires_at > $3 FOR UPDATE",
        tenant_id,
        invitation_id,
        now.to_sqlx() as _
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Invitation {
        invitation_id,
        email: row.email,
        role: role(&row.role, invitation_id)?,
        client_ids: row.client_ids,
        invited_by: row.invited_by,
        invited_at: row.invited_at.to_jiff(),
        expires_at: row.expires_at.to_jiff(),
    }))
}

/// It is taken back.
pub async fn mark_revoked(tx: &mut TenantTx, invitation_id: Uuid) -> Result<()> {
    end(tx, invitation_id, "revoked", None).await
}

/// Takes back what a member invited to and could not give any more, each with its entry in the audit: all of it, or, where
/// they are `still` something for all clients, what that role does not manage.
pub async fn revoke_of(tx: &mut TenantTx, inviter_id: Uuid, still: Option<Role>) -> Result<()> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query!(
        "SELECT invitation_id, email, role, client_ids, invited_by FROM invitations
         WHERE tenant_id = $1 AND inviter_id = $2 AND state = 'open' ORDER BY invitation_id FOR UPDATE",
        tenant_id,
        inviter_id
    )
    .fetch_all(tx.conn())
    .await?;
    for row in rows {
        let offered = role(&row.role, row.invitation_id)?;
        if still.is_some_and(|still| still.may_manage(offered)) {
            continue;
        }
        mark_revoked(tx, row.invitation_id).await?;
        let was = json!({ "email": row.email, "role": row.role, "clients": row.client_ids });
        let entry = Entry::removed("member.invitation_revoked", ("invitation", row.invitation_id), was);
        audit::insert(tx, None, entry.with(json!({ "invited_by": row.invited_by }))).await?;
    }
    Ok(())
}

/// This login has accepted it.
pub async fn mark_accepted(tx: &mut TenantTx, invitation_id: Uuid, login_id: Uuid) -> Result<()> {
    end(tx, invitation_id, "accepted", Some(login_id)).await
}

async fn end(tx: &mut TenantTx, invitation_id: Uuid, state: &str, login_id: Option<Uuid>) -> Result<()> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let done = sqlx::query!(
        "UPDATE invitations SET state = $3, ended_at = $4, login_id = $5 WHERE tenant_id = $1 AND invitation_id = $2 AND state = 'open'",
        tenant_id,
        invitation_id,
        state,
        now.to_sqlx() as _,
        login_id
    )
    .execute(tx.conn())
    .await?;
    exactly_one("invitations::end", done.rows_affected())
}
