//! Table `outbox`: what is to be told, in the transaction of what happened; composed and sent afterwards.

use std::time::Duration;

use domain::notify::Kind;
use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use uuid::Uuid;

use crate::error::exactly_one;
use crate::{Queue, Result, Store, StoreError, TenantTx, fleet, live};

/// What is to be told.
#[derive(Debug, Clone)]
pub struct Telling<'a> {
    /// The client.
    pub client_id: Uuid,
    /// The incident it is about.
    pub incident_id: Uuid,
    /// The run it is about, if it is about one.
    pub run_id: Option<Uuid>,
    /// What it says.
    pub kind: Kind,
    /// Which telling of its kind about its run it is: the same topic is told once.
    pub topic: &'a str,
    /// Not before.
    pub due_at: Timestamp,
    /// Why the receiver gets it: the small print.
    pub why: &'a str,
}

/// Queues a mail for each of the addresses that are told of the client's incidents. One of a kind and topic about one run (or about an incident without
/// a run) is enough: said again, it becomes due at the earlier time, and one that was withdrawn is queued anew.
pub async fn insert(tx: &mut TenantTx, t: &Telling<'_>) -> Result<()> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    for address in fleet::list_told(tx, t.client_id).await? {
        let subject = t.run_id.unwrap_or(t.incident_id).simple();
        let to = hex::encode(&keys::digest(format!("{address}\n{}", t.topic).as_bytes()).0[..8]);
        sqlx::query!(
            "INSERT INTO outbox (tenant_id, client_id, outbox_id, incident_id, run_id, kind, message_id, address, why, state, created_at, due_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'queued', $10, $11)
             ON CONFLICT (tenant_id, message_id) DO UPDATE SET state = 'queued', ended_at = NULL, last_error = NULL,
               due_at = least(outbox.due_at, excluded.due_at),
               sender = CASE WHEN outbox.state = 'queued' THEN outbox.sender END,
               subject = CASE WHEN outbox.state = 'queued' THEN outbox.subject END,
               html = CASE WHEN outbox.state = 'queued' THEN outbox.html END,
               body_text = CASE WHEN outbox.state = 'queued' THEN outbox.body_text END
             WHERE outbox.tenant_id = $1 AND outbox.state IN ('queued', 'withdrawn')",
            tenant_id,
            t.client_id,
            Store::new_id(),
            t.incident_id,
            t.run_id,
            t.kind.word(),
            format!("{}.{subject}.{to}", t.kind.word()),
            address,
            t.why,
            now.to_sqlx() as _,
            t.due_at.to_sqlx() as _
        )
        .execute(tx.conn())
        .await?;
    }
    tx.due(Queue::Notify, t.due_at);
    tx.changes(live::Kind::Incident, t.client_id, t.incident_id);
    Ok(())
}

/// Whether people were told, or are about to be, that this incident needs them or is held.
pub async fn has_called(tx: &mut TenantTx, incident_id: Uuid) -> Result<bool> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM outbox WHERE tenant_id = $1 AND incident_id = $2 AND kind <> 'fixed'
             AND (state = 'sent' OR (state = 'queued' AND subject IS NOT NULL))) AS "called!""#,
        tenant_id,
        incident_id
    )
    .fetch_one(tx.conn())
    .await?)
}

/// A composed mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Composed {
    /// Whom it comes from.
    pub sender: String,
    /// One line.
    pub subject: String,
    /// The page.
    pub html: String,
    /// The same in text.
    pub text: String,
}

/// A mail whose time has come, leased.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the columns' names")]
pub struct Due {
    pub outbox_id: Uuid,
    pub incident_id: Uuid,
    pub run_id: Option<Uuid>,
    pub kind: Kind,
    pub message_id: String,
    pub address: String,
    pub why: String,
    pub created_at: Timestamp,
    /// Attempts to send it so far.
    pub attempts: u32,
    /// Once it was composed.
    pub composed: Option<Composed>,
    lease_token: Uuid,
}

/// Whether a mail is due that nobody sends.
pub async fn has_due(tx: &mut TenantTx) -> Result<bool> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM outbox WHERE tenant_id = $1 AND state = 'queued' AND due_at <= $2
             AND (lease_expires_at IS NULL OR lease_expires_at < $2)) AS "due!""#,
        tenant_id,
        now.to_sqlx() as _
    )
    .fetch_one(tx.conn())
    .await?)
}

/// Leases mails that are due.
pub async fn claim_due(tx: &mut TenantTx, limit: i64, lease: Duration) -> Result<Vec<Due>> {
    let (tenant_id, now, token) = (tx.tenant_id(), tx.now().await?, Store::new_id());
    let until = now + lease;
    let rows = sqlx::query!(
        "WITH picked AS MATERIALIZED (SELECT outbox_id FROM outbox WHERE tenant_id = $1 AND state = 'queued' AND due_at <= $2
             AND (lease_expires_at IS NULL OR lease_expires_at < $2) ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED)
         UPDATE outbox o SET lease_token = $4, lease_expires_at = $5, lease_count = o.lease_count + 1 FROM picked p
         WHERE o.tenant_id = $1 AND o.outbox_id = p.outbox_id
         RETURNING o.outbox_id, o.incident_id, o.run_id, o.kind, o.message_id, o.address, o.why, o.created_at, o.attempts,
           o.sender, o.subject, o.html, o.body_text",
        tenant_id,
        now.to_sqlx() as _,
        limit,
        token,
        until.to_sqlx() as _
    )
    .fetch_all(tx.conn())
    .await?;
    if !rows.is_empty() {
        tx.due(Queue::Notify, until);
    }
    rows.into_iter()
        .map(|r| {
            let kind = Kind::parse(&r.kind);
            let composed = match (r.sender, r.subject, r.html, r.body_text) {
                (Some(sender), Some(subject), Some(html), Some(text)) => Some(Composed { sender, subject, html, text }),
                _ => None,
            };
            Ok(Due {
                outbox_id: r.outbox_id,
                incident_id: r.incident_id,
                run_id: r.run_id,
                kind: kind.ok_or(StoreError::Corrupt { table: "outbox", column: "kind", id: r.outbox_id })?,
                message_id: r.message_id,
                address: r.address,
                why: r.why,
                created_at: r.created_at.to_jiff(),
                attempts: u32::try_from(r.attempts).unwrap_or(0),
                composed,
                lease_token: token,
            })
        })
        .collect()
}

/// Leases a mail for longer. False: another worker has it by now.
pub async fn renew(tx: &mut TenantTx, due: &Due, lease: Duration) -> Result<bool> {
    let (tenant_id, until) = (tx.tenant_id(), tx.now().await? + lease);
    let done = sqlx::query!(
        "UPDATE outbox SET lease_expires_at = $4
         WHERE tenant_id = $1 AND outbox_id = $2 AND lease_token = $3 AND state = 'queued'",
        tenant_id,
        due.outbox_id,
        due.lease_token,
        until.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    tx.due(Queue::Notify, until);
    Ok(done.rows_affected() == 1)
}

/// Keeps what every attempt will send.
pub async fn mark_composed(tx: &mut TenantTx, due: &Due, mail: &Composed) -> Result<()> {
    let tenant_id = tx.tenant_id();
    let done = sqlx::query!(
        "UPDATE outbox SET sender = $4, subject = $5, html = $6, body_text = $7
         WHERE tenant_id = $1 AND outbox_id = $2 AND lease_token = $3 AND subject IS NULL",
        tenant_id,
        due.outbox_id,
        due.lease_token,
        mail.sender,
        mail.subject,
        mail.html,
        mail.text
    )
    .execute(tx.conn())
    .await?;
    exactly_one("outbox::mark_composed", done.rows_affected())
}

/// How a mail ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The relay took it.
    Sent,
    /// It will not be sent.
    Failed,
    /// What it was to say is no longer so.
    Withdrawn,
}

/// Ends a mail; `note` is what the relay said, or why it was withdrawn. False: another worker has it by now.
pub async fn mark_ended(tx: &mut TenantTx, due: &Due, end: End, note: &str) -> Result<bool> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let state = match end {
        End::Sent => "sent",
        End::Failed => "failed",
        End::Withdrawn => "withdrawn",
    };
    let attempts = i32::from(end != End::Withdrawn);
    let client = sqlx::query_scalar!(
        "UPDATE outbox SET state = $4, ended_at = $5, due_at = NULL, attempts = attempts + $6, last_error = $7,
           lease_token = NULL, lease_expires_at = NULL
         WHERE tenant_id = $1 AND outbox_id = $2 AND lease_token = $3 AND state = 'queued' RETURNING client_id",
        tenant_id,
        due.outbox_id,
        due.lease_token,
        state,
        now.to_sqlx() as _,
        attempts,
        (end != End::Sent).then_some(note)
    )
    .fetch_optional(tx.conn())
    .await?;
    if let Some(client_id) = client {
        tx.changes(live::Kind::Incident, client_id, due.incident_id);
    }
    Ok(client.is_some())
}

/// Tries again at `due_at`; `error` is what went wrong. False: another worker has it by now.
pub async fn mark_retry(tx: &mut TenantTx, due: &Due, due_at: Timestamp, error: &str) -> Result<bool> {
    let tenant_id = tx.tenant_id();
    let done = sqlx::query!(
        "UPDATE outbox SET due_at = $4, attempts = attempts + 1, last_error = $5, lease_token = NULL, lease_expires_at = NULL
         WHERE tenant_id = $1 AND outbox_id = $2 AND lease_token = $3 AND state = 'queued'",
        tenant_id,
        due.outbox_id,
        due.lease_token,
        due_at.to_sqlx() as _,
        error
    )
    .execute(tx.conn())
    .await?;
    tx.due(Queue::Notify, due_at);
    Ok(done.rows_affected() == 1)
}
