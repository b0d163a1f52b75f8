//! Table `deletions`: clients and organizations that are deleted. Asked for, and for an organization waited for; begun when
//! nothing runs any more ([`begin_due`]); then the rows go in batches ([`erase`]).

mod erase;

pub use erase::erase_begun;

use std::time::Duration;

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use serde_json::json;
use uuid::Uuid;

use crate::audit::{self, Entry};
use crate::people::letters;
use crate::remediate::freezes;
use crate::remediate::stops::Place;
use crate::{Result, Store, TenantTx, archiving, configuration, host_links};

/// What is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The whole organization.
    Tenant,
    /// One client of it.
    Client(Uuid),
}

impl Subject {
    fn kind(self) -> &'static str {
        match self {
            Subject::Tenant => "tenant",
            Subject::Client(_) => "client",
        }
    }

    fn id(self, tenant_id: Uuid) -> Uuid {
        match self {
            Subject::Tenant => tenant_id,
            Subject::Client(client_id) => client_id,
        }
    }

    fn client_id(self) -> Option<Uuid> {
        match self {
            Subject::Tenant => None,
            Subject::Client(client_id) => Some(client_id),
        }
    }

    /// What entries of the audit say it is.
    fn about(self, tenant_id: Uuid) -> (&'static str, Uuid) {
        (self.kind(), self.id(tenant_id))
    }

    fn place(self) -> Place {
        match self {
            Subject::Tenant => Place::Tenant,
            Subject::Client(client_id) => Place::Client(client_id),
        }
    }
}

/// A deletion that nobody has called off.
#[derive(Clone, Debug)]
pub struct Deletion {
    /// Its id.
    pub deletion_id: Uuid,
    /// What is deleted.
    pub subject: Subject,
    /// Its name when it was asked for.
    pub name: String,
    /// When.
    pub asked_at: Timestamp,
    /// By whom.
    pub asked_by: String,
    /// When it begins.
    pub due_at: Timestamp,
    /// When it began.
    pub begun_at: Option<Timestamp>,
}

impl Deletion {
    /// Whether the owners are told of it: of an organization's always, of a client's where it waits for them.
    fn is_told(&self) -> bool {
        self.subject == Subject::Tenant || self.due_at > self.asked_at
    }
}

/// The deletion of a client or the organization, if one is under way.
pub async fn find(tx: &mut TenantTx, subject: Subject) -> Result<Option<Deletion>> {
    let tenant_id = tx.tenant_id();
    let row = sqlx::query_as!(
        Row,
        "SELECT deletion_id, kind, subject_id, name, asked_at, asked_by, due_at, begun_at FROM deletions
         WHERE tenant_id = $1 AND subject_id = $2 AND called_off_at IS NULL",
        tenant_id,
        subject.id(tenant_id)
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(Deletion::from))
}

/// Deletions that are asked for or have begun and are not over, the oldest first, 1,000 at most.
pub async fn list(tx: &mut TenantTx) -> Result<Vec<Deletion>> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query_as!(
        Row,
        "SELECT deletion_id, kind, subject_id, name, asked_at, asked_by, due_at, begun_at FROM deletions
         WHERE tenant_id = $1 AND called_off_at IS NULL AND ended_at IS NULL ORDER BY asked_at, deletion_id LIMIT 1000",
        tenant_id
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(Deletion::from).collect())
}

struct Row {
    deletion_id: Uuid,
    kind: String,
    subject_id: Uuid,
    name: String,
    asked_at: jiff_sqlx::Timestamp,
    asked_by: String,
    due_at: jiff_sqlx::Timestamp,
    begun_at: Option<jiff_sqlx::Timestamp>,
}

impl From<Row> for Deletion {
    fn from(row: Row) -> Deletion {
        Deletion {
            deletion_id: row.deletion_id,
            subject: if row.kind == "tenant" { Subject::Tenant } else { Subject::Client(row.subject_id) },
            name: row.name,
            asked_at: row.asked_at.to_jiff(),
            asked_by: row.asked_by,
            due_at: row.due_at.to_jiff(),
            begun_at: row.begun_at.map(|at| at.to_jiff()),
        }
    }
}

/// Asks for it, to begin after `delay`; of an organization, and of a client where it waits, the owners are told. False: it is
/// asked for already.
pub async fn insert(tx: &mut TenantTx, subject: Subject, name: &str, by: &str, delay: Duration) -> Result<bool> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let due_at = now + delay;
    let done = sqlx::query!(
        "INSERT INTO deletions (tenant_id, deletion_id, kind, subject_id, name, asked_at, asked_by, due_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (tenant_id, subject_id) WHERE called_off_at IS NULL DO NOTHING",
        tenant_id,
        Store::new_id(),
        subject.kind(),
        subject.id(tenant_id),
        name,
        now.to_sqlx() as _,
        by,
        due_at.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    let (about, after) = (subject.about(tenant_id), json!({ "begins_at": due_at.to_string() }));
    let entry = match subject {
        Subject::Tenant => Entry::made("organization.deletion_asked", about, after),
        Subject::Client(_) => Entry::made("client.deletion_asked", about, after),
    };
    audit::insert(tx, subject.client_id(), entry.with(json!({ "name": name }))).await?;
    if let Some(deletion) = find(tx, subject).await? {
        tell(tx, &deletion, "deletion asked", by).await?;
    }
    Ok(true)
}

/// How often within a time it was asked for, and any deletion, counting those that the owners are told of.
pub async fn count_recent(tx: &mut TenantTx, subject: Subject, within: Duration) -> Result<(u32, u32)> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let row = sqlx::query!(
        r#"SELECT count(*) FILTER (WHERE subject_id = $2) AS "of_this!", count(*) AS "of_all!" FROM deletions
           WHERE tenant_id = $1 AND asked_at > $3 AND (kind = 'tenant' OR due_at > asked_at)"#,
        tenant_id,
        subject.id(tenant_id),
        (now - within).to_sqlx() as _
    )
    .fetch_one(tx.conn())
    .await?;
    let count = |n: i64| u32::try_from(n).unwrap_or(u32::MAX);
    Ok((count(row.of_this), count(row.of_all)))
}

/// Calls it off. False: there is none, or it has begun.
pub async fn mark_called_off(tx: &mut TenantTx, subject: Subject, by: &str) -> Result<bool> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let row = sqlx::query_as!(
        Row,
        "UPDATE deletions SET called_off_at = $3, called_off_by = $4
         WHERE tenant_id = $1 AND subject_id = $2 AND called_off_at IS NULL AND begun_at IS NULL
         RETURNING deletion_id, kind, subject_id, name, asked_at, asked_by, due_at, begun_at",
        tenant_id,
        subject.id(tenant_id),
        now.to_sqlx() as _,
        by
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(deletion) = row.map(Deletion::from) else { return Ok(false) };
    let (about, before) = (subject.about(tenant_id), json!({ "begins_at": deletion.due_at.to_string() }));
    let entry = match subject {
        Subject::Tenant => Entry::removed("organization.deletion_called_off", about, before),
        Subject::Client(_) => Entry::removed("client.deletion_called_off", about, before),
    };
    audit::insert(tx, subject.client_id(), entry.with(json!({ "name": deletion.name }))).await?;
    tell(tx, &deletion, "deletion called off", by).await?;
    Ok(true)
}

/// How many runs and jobs are not finished: a deletion waits for them.
pub async fn count_unfinished(tx: &mut TenantTx, subject: Subject) -> Result<i64> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_scalar!(
        r#"SELECT count(*) AS "n!" FROM runs r WHERE r.tenant_id = $1 AND ($2::uuid IS NULL OR r.client_id = $2)
             AND (r.state IN ('admitted', 'running', 'unknown', 'verifying', 'undoing')
               OR EXISTS (SELECT 1 FROM jobs j WHERE j.tenant_id = $1 AND j.run_id = r.run_id
                    AND j.state IN ('queued', 'leased', 'permitted', 'unknown')))"#,
        tenant_id,
        subject.client_id()
    )
    .fetch_one(tx.conn())
    .await?)
}

/// Begins what is due: everything is stopped there, and once nothing runs any more no key and no token opens anything.
pub async fn begin_due(tx: &mut TenantTx) -> Result<()> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let due = sqlx::query_as!(
        Row,
        "SELECT deletion_id, kind, subject_id, name, asked_at, asked_by, due_at, begun_at FROM deletions
         WHERE tenant_id = $1 AND called_off_at IS NULL AND begun_at IS NULL AND due_at <= $2 ORDER BY due_at LIMIT 10",
        tenant_id,
        now.to_sqlx() as _
    )
    .fetch_all(tx.conn())
    .await?;
    for deletion in due.into_iter().map(Deletion::from) {
        let subject = deletion.subject;
        // Under the lock that every admission takes, so nothing is admitted after the count.
        freezes::insert(tx, subject.place(), "it is being deleted", &deletion.asked_by).await?;
        if count_unfinished(tx, subject).await? > 0 {
            continue;
        }
        let done = sqlx::query!(
            "UPDATE deletions SET begun_at = $3 WHERE tenant_id = $1 AND deletion_id = $2 AND called_off_at IS NULL AND begun_at IS NULL",
            tenant_id,
            deletion.deletion_id,
            now.to_sqlx() as _
        )
        .execute(tx.conn())
        .await?;
        if done.rows_affected() == 1 {
            shut(tx, subject).await?;
            let (about, was, is) = (subject.about(tenant_id), json!({ "begun": false }), json!({ "begun": true }));
            let entry = match subject {
                Subject::Tenant => Entry::changed("organization.deletion_begun", about, was, is),
                Subject::Client(_) => Entry::changed("client.deletion_begun", about, was, is),
            };
            let detail = json!({ "name": deletion.name, "asked_by": deletion.asked_by });
            audit::insert(tx, subject.client_id(), entry.with(detail)).await?;
            tell(tx, &deletion, "deletion begun", &deletion.asked_by).await?;
        }
    }
    Ok(())
}

/// Revokes what hosts and programs come in with, and ends the links that are open.
async fn shut(tx: &mut TenantTx, subject: Subject) -> Result<()> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let client_id = subject.client_id();
    sqlx::query!(
        "UPDATE credentials SET revoked_at = $3 WHERE tenant_id = $1 AND revoked_at IS NULL AND ($2::uuid IS NULL OR subject_id IN (
           SELECT h.host_id FROM hosts h WHERE h.tenant_id = $1 AND h.client_id = $2
           UNION ALL SELECT e.enrolment_id FROM enrolments e WHERE e.tenant_id = $1 AND e.client_id = $2
           UNION ALL SELECT k.token_id FROM enrolment_tokens k WHERE k.tenant_id = $1 AND k.client_id = $2))",
        tenant_id,
        client_id,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    host_links::wake_all(tx, client_id, None).await?;
    host_links::mark_all_replaced(tx, client_id).await?;
    match client_id {
        Some(client_id) => archiving::delete_of_client(tx, client_id).await,
        None => Ok(()),
    }
}

/// Tells the owners what became of a deletion, if it is one that they are told of.
async fn tell(tx: &mut TenantTx, deletion: &Deletion, what: &str, by: &str) -> Result<()> {
    if !deletion.is_told() {
        return Ok(());
    }
    let at = deletion.due_at.strftime("%Y-%m-%d %H:%M UTC").to_string();
    let (organization, client) = match deletion.subject {
        Subject::Tenant => (Some(deletion.name.clone()), None),
        Subject::Client(client_id) => {
            (configuration::find_tenant(tx).await?.map(|tenant| tenant.name), Some((client_id, &deletion.name)))
        }
    };
    let (client_id, client) = client.unzip();
    let facts = json!({ "what": what, "organization": organization, "client": client, "client_id": client_id, "by": by, "at": at });
    letters::insert_to_owners(tx, letters::Kind::AccountChanged, &facts).await
}
