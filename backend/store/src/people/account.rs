//! What happens to an account, as the audit of every organization says it where the account has a seat, and as its owner is
//! told by a letter. Each is written in the transaction of the change.

use domain::people::{FAILED_TOLD, are_told_of};
use jiff_sqlx::ToSqlx;
use serde_json::{Value, json};
use uuid::Uuid;

use super::letters;
use crate::audit::{Entry, link_at};
use crate::{Origin, Queue, Result, Store, SystemTx};

/// What entries about an account are about: the member who is it.
pub(crate) fn subject(login_id: Uuid) -> (&'static str, Uuid) {
    ("member", login_id)
}

/// Writes the entry for each organization where the login that it is about has a seat.
pub(crate) async fn note_in(tx: &mut SystemTx, entry: Entry<'_>, origin: Origin) -> Result<()> {
    note_where(tx, None, entry, origin).await
}

/// As [`note_in`], and tells the account's owner by a letter of these facts.
pub(crate) async fn tell_in(tx: &mut SystemTx, entry: Entry<'_>, facts: &Value, origin: Origin) -> Result<()> {
    let login_id = entry.subject_id;
    let email =
        sqlx::query_scalar!("SELECT email FROM logins WHERE login_id = $1", login_id).fetch_one(tx.conn()).await?;
    letters::insert_in(tx, letters::Kind::AccountChanged, &email, Some(login_id), facts).await?;
    note_in(tx, entry, origin).await
}

/// Ends the login's own API tokens in each organization where it has a seat, and those that they made, with an entry of each:
/// they stand on the password that they were made under. Those of service accounts go on. `why` is what ended them, as
/// people read it after "revoked by". Says how many there were.
pub(crate) async fn end_tokens_in(tx: &mut SystemTx, login_id: Uuid, why: &'static str, origin: Origin) -> Result<i64> {
    let now = tx.now().await?;
    Ok(sqlx::query_scalar!(
        r#"SELECT maintenance.end_tokens($1, $2, $3, $4, $5, $6) AS "n!""#,
        login_id,
        why,
        now.to_sqlx() as _,
        link_at(now).to_sqlx() as _,
        origin.address.map(|address| address.to_canonical().to_string()),
        origin.request_id
    )
    .fetch_one(tx.conn())
    .await?)
}

/// After the commit of what wrote a letter and entries.
pub(super) fn wake(store: &Store) {
    store.wake().wake_everywhere(Queue::Letters);
    store.wake().wake(Queue::Audit);
}

/// Writes the entry for each organization where the login has a seat, or for one of them.
pub(crate) async fn note_where(
    tx: &mut SystemTx,
    only_in: Option<Uuid>,
    entry: Entry<'_>,
    origin: Origin,
) -> Result<()> {
    let now = tx.now().await?;
    sqlx::query_scalar!(
        r#"SELECT maintenance.note_account($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) AS "n!""#,
        entry.subject_id,
        only_in,
        entry.action,
        entry.detail,
        entry.before,
        entry.after,
        now.to_sqlx() as _,
        link_at(now).to_sqlx() as _,
        origin.address.map(|address| address.to_canonical().to_string()),
        origin.request_id
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(())
}

/// Says that so many tries at the second factor came before this one without success, where that many are told of: whoever
/// guesses writes a handful of entries, however often they guess.
pub(crate) async fn note_code_tries_in(
    tx: &mut SystemTx,
    login_id: Uuid,
    failed_before: i32,
    origin: Origin,
) -> Result<()> {
    if !are_told_of(failed_before.unsigned_abs()) {
        return Ok(());
    }
    let entry = Entry::done("account.second_factor_failed", subject(login_id));
    note_in(tx, entry.with(json!({ "tries": failed_before })), origin).await
}

/// Says how many tries at the password were without success, where they were many, when their count ends: somebody came in,
/// or has set a new one. At the try itself it would take time, which tells a stranger that there is such an account.
pub(crate) async fn note_guesses_in(tx: &mut SystemTx, login_id: Uuid, failed: i32, origin: Origin) -> Result<()> {
    if !u32::try_from(failed).is_ok_and(|failed| failed >= FAILED_TOLD) {
        return Ok(());
    }
    let entry = Entry::done("account.password_failed", subject(login_id));
    note_in(tx, entry.with(json!({ "tries": failed })), origin).await
}

/// Says that somebody came in, in the organization that they came into; `by` says how.
pub async fn note_entered(store: &Store, login_id: Uuid, tenant_id: Uuid, by: &str, origin: Origin) -> Result<()> {
    let mut tx = store.system().await?;
    let entry = Entry::done("account.signed_in", subject(login_id)).with(json!({ "by": by }));
    note_where(&mut tx, Some(tenant_id), entry, origin).await?;
    tx.commit().await?;
    store.wake().wake(Queue::Audit);
    Ok(())
}
