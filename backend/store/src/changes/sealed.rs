//! Secrets that wait with a change: sealed for the place where they are to stand, and gone as soon as the change is over.

use domain::change::State;

use super::{NewChange, Subject, find_open, lock_before, mark_ended, propose};
use crate::error::exactly_one;
use crate::{Result, TenantTx};

/// A secret that waits with a change.
#[derive(Clone)]
pub struct Sealed {
    /// The secret, sealed for the place where it is to stand.
    pub secret: Vec<u8>,
    /// The version of the sealing key.
    pub sealing_version: i32,
}

/// Proposes a change that a secret waits with. Whether it is the one of an open change nobody can tell, so that one is over.
pub async fn propose_sealed(tx: &mut TenantTx, new: &NewChange<'_>, sealed: &Sealed) -> Result<()> {
    lock_before(tx, new.subject).await?;
    if let Some(open) = find_open(tx, new.subject).await? {
        mark_ended(tx, open.change_id, State::Stale, "something else was proposed instead").await?;
    }
    propose(tx, new).await?;
    let (tenant_id, (kind, key)) = (tx.tenant_id(), new.subject.words());
    let done = sqlx::query!(
        "UPDATE proposed_changes SET secret_sealed = $4, sealing_version = $5
         WHERE tenant_id = $1 AND kind = $2 AND subject_key = $3 AND state = 'proposed'",
        tenant_id,
        kind,
        key,
        sealed.secret,
        sealed.sealing_version
    )
    .execute(tx.conn())
    .await?;
    exactly_one("changes::propose_sealed", done.rows_affected())
}

/// The secret that waits with an open change, and the version that it is sealed for. The change is locked, so that it does not
/// end with its secret before that is put in place or sealed anew; whoever asks has locked the tenant's row.
pub async fn find_sealed(tx: &mut TenantTx, subject: Subject) -> Result<Option<(Sealed, i32)>> {
    let (tenant_id, (kind, key)) = (tx.tenant_id(), subject.words());
    let row = sqlx::query!(
        r#"SELECT secret_sealed AS "secret!", sealing_version AS "sealing_version!", (wanted->>'version')::int AS "version!"
           FROM proposed_changes WHERE tenant_id = $1 AND kind = $2 AND subject_key = $3
             AND state IN ('proposed', 'confirmed') AND secret_sealed IS NOT NULL FOR UPDATE"#,
        tenant_id,
        kind,
        key
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|r| (Sealed { secret: r.secret, sealing_version: r.sealing_version }, r.version)))
}

/// Puts the secret in place that is sealed anew.
pub(crate) async fn update_sealed(tx: &mut TenantTx, subject: Subject, sealed: &Sealed) -> Result<()> {
    let (tenant_id, (kind, key)) = (tx.tenant_id(), subject.words());
    let done = sqlx::query!(
        "UPDATE proposed_changes SET secret_sealed = $4, sealing_version = $5
         WHERE tenant_id = $1 AND kind = $2 AND subject_key = $3 AND secret_sealed IS NOT NULL",
        tenant_id,
        kind,
        key,
        sealed.secret,
        sealed.sealing_version
    )
    .execute(tx.conn())
    .await?;
    exactly_one("changes::update_sealed", done.rows_affected())
}
