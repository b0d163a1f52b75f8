//! Table `proposed_changes`: what loosens, and waits for a second person and for its time.

mod rights;
mod sealed;
mod subject;

pub(crate) use rights::end_lost;
pub use rights::find_lost;
pub(crate) use sealed::update_sealed;
pub use sealed::{Sealed, find_sealed, propose_sealed};
pub use subject::{Subject, check_value, group_value, limit_key, limit_value, mode_value, sign_on_value, tags_value};

use domain::change::{LAPSES, State};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::audit::{self, Entry};
use crate::classify::mappings;
use crate::error::exactly_one;
use crate::people::sign_on;
use crate::remediate::{groups, guardrails};
use crate::{Queue, Result, Store, TenantTx, archiving, hosts, sealing};

/// A change to propose.
#[derive(Clone, Debug)]
pub struct NewChange<'a> {
    /// What it is about.
    pub subject: Subject,
    /// The same, for people.
    pub name: &'a str,
    /// What stands now.
    pub was: Value,
    /// What is to stand.
    pub wanted: Value,
    /// In the words of whoever proposes it; empty: a file says none.
    pub why: &'a str,
    /// Who proposes it.
    pub by: &'a str,
    /// Their login; none: the operator on the server's own machine.
    pub login_id: Option<Uuid>,
}

/// A change.
#[derive(Clone, Debug)]
pub struct Change {
    /// Its id.
    pub change_id: Uuid,
    /// What it is about; none: what no code of ours writes.
    pub subject: Option<Subject>,
    /// The same, for people.
    pub name: String,
    /// What stood when it was proposed.
    pub was: Value,
    /// What is to stand.
    pub wanted: Value,
    /// Why it was proposed, in words; empty: nobody said.
    pub why: String,
    /// How it stands.
    pub state: State,
    /// When it was proposed.
    pub proposed_at: Timestamp,
    /// By whom.
    pub proposed_by: String,
    /// Their login.
    pub proposed_login_id: Option<Uuid>,
    /// When no answer becomes a no.
    pub lapses_at: Timestamp,
    /// Who answered.
    pub answered_by: Option<String>,
    /// The login whose yes it was.
    pub answered_login_id: Option<Uuid>,
    /// In their words.
    pub reason: Option<String>,
    /// When it takes effect, while it is confirmed.
    pub due_at: Option<Timestamp>,
    /// When it was over.
    pub ended_at: Option<Timestamp>,
    /// Why.
    pub end_reason: Option<String>,
}

/// Proposes a change, unless exactly this one waits already. An open one that wants something else of the same thing
/// is over: the newest word counts. True: it is new.
pub async fn propose(tx: &mut TenantTx, new: &NewChange<'_>) -> Result<bool> {
    lock_before(tx, new.subject).await?;
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let (kind, key) = new.subject.words();
    let open = sqlx::query!(
        "SELECT change_id, was, wanted FROM proposed_changes
         WHERE tenant_id = $1 AND kind = $2 AND subject_key = $3 AND state IN ('proposed', 'confirmed') FOR UPDATE",
        tenant_id,
        kind,
        key
    )
    .fetch_optional(tx.conn())
    .await?;
    if let Some(open) = open {
        if open.was == new.was && open.wanted == new.wanted {
            return Ok(false);
        }
        mark_ended(tx, open.change_id, State::Stale, "something else was proposed instead").await?;
    }
    let change_id = Store::new_id();
    let lapses_at = now + LAPSES;
    sqlx::query!(
        "INSERT INTO proposed_changes (tenant_id, change_id, kind, subject_key, subject, was, wanted, state, proposed_at, proposed_by, proposed_login_id, lapses_at, why)
         VALUES ($1, $2, $3, $4, $5, $6, $7, 'proposed', $8, $9, $10, $11, $12)",
        tenant_id,
        change_id,
        kind,
        key,
        new.name,
        new.was,
        new.wanted,
        now.to_sqlx() as _,
        new.by,
        new.login_id,
        lapses_at.to_sqlx() as _,
        new.why
    )
    .execute(tx.conn())
    .await?;
    let detail = json!({ "what": new.name, "was": new.was, "wanted": new.wanted, "by": new.by, "why": new.why });
    let entry = Entry::made("change.proposed", ("change", change_id), said("proposed"));
    audit::insert(tx, None, entry.with(detail)).await?;
    tx.due(Queue::Changes, lapses_at);
    Ok(true)
}

/// What stands now of what a change is about, in the form of its `was`; none: it is no more.
pub async fn find_current(tx: &mut TenantTx, subject: Subject) -> Result<Option<Value>> {
    Ok(match subject {
        Subject::Mode(mapping_id) => mappings::find(tx, mapping_id).await?.map(|m| mode_value(m.version, &m.mode)),
        Subject::ServiceGroup(group_id) => groups::find(tx, group_id).await?.as_ref().map(group_value),
        Subject::SignOn => {
            let (required, version) = sign_on::lock(tx).await?;
            let set = sign_on::find(tx).await?;
            let provider = set.as_ref().map(|set| (&*set.issuer, &*set.application_id, &*set.domains));
            Some(sign_on_value(provider, required, version))
        }
        Subject::HostTags(host_id) => hosts::find(tx, host_id).await?.map(|host| json!({ "tags": host.tags })),
        Subject::Check(check_id) => archiving::find_version(tx, check_id).await?.map(check_value),
        Subject::Limit(kind, part) => {
            let key = limit_key(tx.tenant_id(), kind);
            Some(limit_value(part, guardrails::find(tx, kind, &key).await?.set))
        }
    })
}

/// **The tenant first, then the change.** How members sign on stands with the tenant's row, which whoever seals or rotates locks
/// before the rows of sealed values: so a change of it is locked after that row, by whoever proposes, answers, ends or seals it
/// anew, and no two wait for each other.
async fn lock_before(tx: &mut TenantTx, subject: Subject) -> Result<()> {
    match subject {
        Subject::SignOn => sealing::lock(tx).await,
        Subject::Mode(_) | Subject::Limit(..) | Subject::ServiceGroup(_) | Subject::HostTags(_) | Subject::Check(_) => {
            Ok(())
        }
    }
}

/// The change, locked, and before it what [`lock_before`] says. Whoever locks buckets locks them before.
pub async fn find_locked(tx: &mut TenantTx, change_id: Uuid) -> Result<Option<Change>> {
    lock(tx, change_id).await?;
    Ok(select(tx, Some(change_id), 1).await?.pop())
}

/// Locks a change; the word of its state.
async fn lock(tx: &mut TenantTx, change_id: Uuid) -> Result<Option<String>> {
    let tenant_id = tx.tenant_id();
    // What a change is about never becomes something else, so it is read without a lock.
    let about = sqlx::query!(
        "SELECT kind, subject_key FROM proposed_changes WHERE tenant_id = $1 AND change_id = $2",
        tenant_id,
        change_id
    )
    .fetch_optional(tx.conn())
    .await?;
    if let Some(subject) = about.and_then(|about| Subject::parse(&about.kind, &about.subject_key)) {
        lock_before(tx, subject).await?;
    }
    Ok(sqlx::query_scalar!(
        "SELECT state FROM proposed_changes WHERE tenant_id = $1 AND change_id = $2 FOR UPDATE",
        tenant_id,
        change_id
    )
    .fetch_optional(tx.conn())
    .await?)
}

/// What waits for one thing: for a second person, or for its time.
pub async fn find_open(tx: &mut TenantTx, subject: Subject) -> Result<Option<Change>> {
    let (tenant_id, (kind, key)) = (tx.tenant_id(), subject.words());
    let open = sqlx::query_scalar!(
        "SELECT change_id FROM proposed_changes
         WHERE tenant_id = $1 AND kind = $2 AND subject_key = $3 AND state IN ('proposed', 'confirmed')",
        tenant_id,
        kind,
        key
    )
    .fetch_optional(tx.conn())
    .await?;
    match open {
        Some(change_id) => Ok(select(tx, Some(change_id), 1).await?.pop()),
        None => Ok(None),
    }
}

/// The newest changes: those that wait first.
pub async fn list(tx: &mut TenantTx, limit: i64) -> Result<Vec<Change>> {
    select(tx, None, limit).await
}

async fn select(tx: &mut TenantTx, change_id: Option<Uuid>, limit: i64) -> Result<Vec<Change>> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query!(
        "SELECT change_id, kind, subject_key, subject, was, wanted, why, state, proposed_at, proposed_by, proposed_login_id, lapses_at,
           answered_by, answered_login_id, reason, due_at, ended_at, end_reason
         FROM proposed_changes WHERE tenant_id = $1 AND ($2::uuid IS NULL OR change_id = $2)
         ORDER BY state NOT IN ('proposed', 'confirmed'), proposed_at DESC, change_id LIMIT $3",
        tenant_id,
        change_id,
        limit
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| Change {
            change_id: r.change_id,
            subject: Subject::parse(&r.kind, &r.subject_key),
            name: r.subject,
            was: r.was,
            wanted: r.wanted,
            why: r.why,
            state: State::parse(&r.state).unwrap_or(State::Stale),
            proposed_at: r.proposed_at.to_jiff(),
            proposed_by: r.proposed_by,
            proposed_login_id: r.proposed_login_id,
            lapses_at: r.lapses_at.to_jiff(),
            answered_by: r.answered_by,
            answered_login_id: r.answered_login_id,
            reason: r.reason,
            due_at: r.due_at.map(|at| at.to_jiff()),
            ended_at: r.ended_at.map(|at| at.to_jiff()),
            end_reason: r.end_reason,
        })
        .collect())
}

fn said(state: &str) -> Value {
    json!({ "state": state })
}

/// How many people own the tenant.
pub async fn count_owners(tx: &mut TenantTx) -> Result<u32> {
    let tenant_id = tx.tenant_id();
    let n = sqlx::query_scalar!(
        r#"SELECT count(*) AS "n!" FROM memberships WHERE tenant_id = $1 AND role = 'owner' AND client_ids IS NULL"#,
        tenant_id
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(u32::try_from(n).unwrap_or(0))
}

/// A second person said yes, of this name and login: it takes effect at `due_at`.
pub async fn mark_confirmed(
    tx: &mut TenantTx,
    change_id: Uuid,
    (by, login_id): (&str, Uuid),
    reason: &str,
    due_at: Timestamp,
) -> Result<()> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let done = sqlx::query!(
        "UPDATE proposed_changes SET state = 'confirmed', answered_at = $3, answered_by = $4, reason = $5, due_at = $6,
           answered_login_id = $7
         WHERE tenant_id = $1 AND change_id = $2 AND state = 'proposed'",
        tenant_id,
        change_id,
        now.to_sqlx() as _,
        by,
        reason,
        due_at.to_sqlx() as _,
        login_id
    )
    .execute(tx.conn())
    .await?;
    exactly_one("changes::mark_confirmed", done.rows_affected())?;
    tx.due(Queue::Changes, due_at);
    let entry = Entry::changed("change.confirmed", ("change", change_id), said("proposed"), said("confirmed"));
    audit::insert(tx, None, entry.with(json!({ "by": by, "reason": reason }))).await
}

/// It cannot take effect yet: it is looked at again at `until`.
pub async fn postpone(tx: &mut TenantTx, change_id: Uuid, until: Timestamp) -> Result<()> {
    let tenant_id = tx.tenant_id();
    let done = sqlx::query!(
        "UPDATE proposed_changes SET due_at = $3 WHERE tenant_id = $1 AND change_id = $2 AND state = 'confirmed'",
        tenant_id,
        change_id,
        until.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    exactly_one("changes::postpone", done.rows_affected())?;
    tx.due(Queue::Changes, until);
    Ok(())
}

/// Somebody said no.
pub async fn mark_rejected(tx: &mut TenantTx, change_id: Uuid, by: &str, reason: &str) -> Result<()> {
    let was = lock(tx, change_id).await?.unwrap_or_default();
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let done = sqlx::query!(
        "UPDATE proposed_changes SET state = 'rejected', answered_at = $3, answered_by = $4, reason = $5, due_at = NULL,
           ended_at = $3, end_reason = 'somebody said no', secret_sealed = NULL, sealing_version = NULL
         WHERE tenant_id = $1 AND change_id = $2 AND state IN ('proposed', 'confirmed')",
        tenant_id,
        change_id,
        now.to_sqlx() as _,
        by,
        reason
    )
    .execute(tx.conn())
    .await?;
    exactly_one("changes::mark_rejected", done.rows_affected())?;
    let entry = Entry::changed("change.rejected", ("change", change_id), said(&was), said("rejected"));
    audit::insert(tx, None, entry.with(json!({ "by": by, "reason": reason }))).await
}

/// It is over: applied, stale or lapsed.
pub async fn mark_ended(tx: &mut TenantTx, change_id: Uuid, state: State, why: &str) -> Result<()> {
    let was = lock(tx, change_id).await?.unwrap_or_default();
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let done = sqlx::query!(
        "UPDATE proposed_changes SET state = $3, due_at = NULL, ended_at = $4, end_reason = $5, secret_sealed = NULL, sealing_version = NULL
         WHERE tenant_id = $1 AND change_id = $2 AND state IN ('proposed', 'confirmed')",
        tenant_id,
        change_id,
        state.word(),
        now.to_sqlx() as _,
        why
    )
    .execute(tx.conn())
    .await?;
    exactly_one("changes::mark_ended", done.rows_affected())?;
    let (subject, was, is) = (("change", change_id), said(&was), said(state.word()));
    let entry = match state {
        State::Applied => Entry::changed("change.applied", subject, was, is),
        State::Lapsed => Entry::changed("change.lapsed", subject, was, is),
        _ => Entry::changed("change.stale", subject, was, is),
    };
    audit::insert(tx, None, entry.with(json!({ "why": why }))).await
}

/// Changes whose time has come: to take effect, or to lapse.
pub async fn list_due(tx: &mut TenantTx, limit: i64) -> Result<Vec<Uuid>> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    Ok(sqlx::query_scalar!(
        "SELECT change_id FROM proposed_changes WHERE tenant_id = $1
           AND (state = 'confirmed' AND due_at <= $2 OR state = 'proposed' AND lapses_at <= $2) ORDER BY change_id LIMIT $3",
        tenant_id,
        now.to_sqlx() as _,
        limit
    )
    .fetch_all(tx.conn())
    .await?)
}
