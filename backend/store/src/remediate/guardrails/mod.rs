//! Tables `guardrail_buckets`, `guardrail_admissions`, `guardrail_history`: locks, counts, slots.

mod admissions;
mod numbers;

use std::collections::{BTreeMap, BTreeSet};

use domain::remediate::guardrails::{BucketFacts, BucketKind, Occupancy};
use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx;
use uuid::Uuid;

use crate::{Result, StoreError, TenantTx};
use numbers::{inherit, is_first_week, limits_of, numbers};

pub use admissions::{Executed, Taken, admit, mark_clock, move_finished, release};
pub use numbers::{Bucket, find, find_limits, list_sizes, set_numbers, size};
pub(super) use numbers::{list_client_sizes, number};

/// The buckets of a run, in lock order.
/// Those of its service groups are [`group_bucket`]'s: an admission alone takes them, under the organization's lock.
pub fn buckets_of(tenant_id: Uuid, client_id: Uuid, host_id: Uuid, playbook_id: Uuid) -> [(BucketKind, String); 5] {
    let fix = format!("{host_id}/{playbook_id}");
    [
        (BucketKind::Tenant, tenant_id.to_string()),
        (BucketKind::Client, client_id.to_string()),
        (BucketKind::Host, host_id.to_string()),
        (BucketKind::HostPlaybook, fix.clone()),
        (BucketKind::HostPlaybookDay, fix),
    ]
}

/// The bucket of a service group.
pub fn group_bucket(group_id: Uuid) -> (BucketKind, String) {
    (BucketKind::ServiceGroup, group_id.to_string())
}

/// The bucket of a client's undos.
pub fn undo_bucket(client_id: Uuid) -> (BucketKind, String) {
    (BucketKind::Undo, client_id.to_string())
}

/// Makes a bucket unless it exists. It has no numbers of its own: those of the tenant's row of its kind (`scope_key = '*'`)
/// hold for it.
pub async fn ensure(tx: &mut TenantTx, kind: BucketKind, key: &str) -> Result<()> {
    let tenant_id = tx.tenant_id();
    sqlx::query!(
        "INSERT INTO guardrail_buckets (tenant_id, scope_kind, scope_key, rank) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        tenant_id,
        kind.word(),
        key,
        kind.rank()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Makes the bucket of a host.
pub async fn ensure_host_bucket(tx: &mut TenantTx, host_id: Uuid) -> Result<()> {
    ensure(tx, BucketKind::Host, &host_id.to_string()).await
}

/// Locks the organization's bucket. Each admission locks it first: whoever changes what holds for the organization (limits,
/// service groups and the tags that make a member of them, what refers to a secret) is wholly before one or wholly after it.
pub async fn lock_tenant(tx: &mut TenantTx) -> Result<()> {
    let tenant_id = tx.tenant_id().to_string();
    lock_one(tx, BucketKind::Tenant, &tenant_id).await
}

/// Locks one bucket, for whoever forbids, stops forbidding or releases. One that no run has met yet is made: a row that is
/// not there locks nothing.
pub async fn lock_one(tx: &mut TenantTx, kind: BucketKind, key: &str) -> Result<()> {
    if !lock_if_there(tx, kind, key).await? {
        ensure(tx, kind, key).await?;
        lock_if_there(tx, kind, key).await?;
    }
    Ok(())
}

async fn lock_if_there(tx: &mut TenantTx, kind: BucketKind, key: &str) -> Result<bool> {
    let tenant_id = tx.tenant_id();
    let row = sqlx::query!(
        "SELECT rank FROM guardrail_buckets WHERE tenant_id = $1 AND scope_kind = $2 AND scope_key = $3 FOR UPDATE",
        tenant_id,
        kind.word(),
        key
    );
    Ok(row.fetch_optional(tx.conn()).await?.is_some())
}

/// Kinds and keys, side by side. `= ANY` on each is what an index is used for; pairs alone would read the tenant's rows.
fn words(keys: &[(BucketKind, String)]) -> (Vec<String>, Vec<String>) {
    keys.iter().map(|(kind, key)| (kind.word().to_owned(), key.clone())).unzip()
}

/// Locks the buckets of a run, or of a batch of runs, in the one order, in a statement of its own; missing ones are made
/// before.
pub async fn lock(tx: &mut TenantTx, keys: &[(BucketKind, String)]) -> Result<()> {
    let tenant_id = tx.tenant_id();
    let keys: BTreeSet<&(BucketKind, String)> = keys.iter().collect();
    let (kinds, names): (Vec<_>, Vec<_>) = keys.iter().map(|(kind, key)| (kind.word().to_owned(), key.clone())).unzip();
    let ranks: Vec<i16> = keys.iter().map(|(kind, _)| kind.rank()).collect();
    sqlx::query!(
        "INSERT INTO guardrail_buckets (tenant_id, scope_kind, scope_key, rank)
         SELECT $1, k.kind, k.key, k.rank FROM unnest($2::text[], $3::text[], $4::smallint[]) AS k(kind, key, rank)
         WHERE NOT EXISTS (SELECT 1 FROM guardrail_buckets b WHERE b.tenant_id = $1 AND b.scope_kind = k.kind AND b.scope_key = k.key)
         ORDER BY k.rank, k.kind, k.key ON CONFLICT DO NOTHING",
        tenant_id,
        &kinds,
        &names,
        &ranks
    )
    .execute(tx.conn())
    .await?;
    let locked = sqlx::query_scalar!(
        "SELECT rank FROM guardrail_buckets
         WHERE tenant_id = $1 AND scope_kind = ANY ($2) AND scope_key = ANY ($3) AND scope_key <> '*'
           AND (scope_kind, scope_key) IN (SELECT * FROM unnest($2::text[], $3::text[]))
         ORDER BY rank, scope_kind, scope_key FOR UPDATE",
        tenant_id,
        &kinds,
        &names
    )
    .fetch_all(tx.conn())
    .await?;
    if locked.len() != keys.len() {
        return Err(StoreError::WrongRowCount {
            statement: "guardrails::lock",
            expected: keys.len() as u64,
            changed: locked.len() as u64,
        });
    }
    Ok(())
}

/// Reads what is known of locked buckets at the transaction's now, in the order of `keys`.
pub async fn read(tx: &mut TenantTx, keys: &[(BucketKind, String)]) -> Result<Vec<Occupancy>> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let (kinds, names) = words(keys);
    let buckets = sqlx::query!(
        r#"SELECT b.scope_kind, b.scope_key, b.clock_high, b.frozen, b.max_in_flight, b.max_per_window, b.window_secs,
           d.max_in_flight AS "kind_in_flight?", d.max_per_window AS "kind_per_window?", d.window_secs AS "kind_window_secs?",
           (SELECT created_at FROM tenants WHERE tenant_id = $1) AS "tenant_created_at!"
         FROM guardrail_buckets b
           LEFT JOIN guardrail_buckets d ON d.tenant_id = b.tenant_id AND d.scope_kind = b.scope_kind AND d.scope_key = '*'
         WHERE b.tenant_id = $1 AND b.scope_kind = ANY ($2) AND b.scope_key = ANY ($3)"#,
        tenant_id,
        &kinds,
        &names
    )
    .fetch_all(tx.conn())
    .await?;
    let live = sqlx::query!(
        r#"SELECT a.scope_kind, a.scope_key, a.run_id, a.slot_no, a.flight_no, a.occupied_until, a.released_at IS NULL AS "unreleased!"
         FROM guardrail_admissions a WHERE a.tenant_id = $1 AND a.scope_kind = ANY ($2) AND a.scope_key = ANY ($3)
           AND (a.occupied_until > $4 OR (a.released_at IS NULL AND a.flight_no IS NOT NULL))
         ORDER BY a.occupied_until, a.slot_no"#,
        tenant_id,
        &kinds,
        &names,
        now.to_sqlx() as _
    )
    .fetch_all(tx.conn())
    .await?;
    let mut of_buckets: BTreeMap<(&str, &str), Vec<_>> = BTreeMap::new();
    for a in &live {
        of_buckets.entry((&a.scope_kind, &a.scope_key)).or_default().push(a);
    }
    let mut out = Vec::with_capacity(keys.len());
    for (kind, key) in keys {
        let b = buckets.iter().find(|b| b.scope_kind == kind.word() && b.scope_key == *key);
        let Some(b) = b else {
            return Err(StoreError::WrongRowCount { statement: "guardrails::read", expected: 1, changed: 0 });
        };
        let of_bucket = of_buckets.get(&(kind.word(), key.as_str())).map(Vec::as_slice).unwrap_or_default();
        let flights = || of_bucket.iter().filter(|a| a.unreleased).filter_map(|a| Some((a.flight_no?, a.run_id)));
        let own = numbers(b.max_in_flight, b.max_per_window, b.window_secs);
        let set = inherit(own, numbers(b.kind_in_flight, b.kind_per_window, b.kind_window_secs));
        let first_week = is_first_week(b.tenant_created_at.to_jiff(), now);
        // How large the scope is counts only where nobody has set the number.
        let known = (set.max_per_window.is_some() && *kind != BucketKind::ServiceGroup).then_some(1);
        let facts = BucketFacts {
            kind: *kind,
            key: key.clone(),
            frozen: b.frozen,
            clock_high: b.clock_high.to_jiff(),
            limits: limits_of(tx, *kind, key, set, known, first_week).await?,
            occupied: of_bucket
                .iter()
                .map(|a| (a.occupied_until.to_jiff(), a.slot_no as u32))
                .filter(|(until, _)| *until > now)
                .collect(),
            flights: flights().map(|(flight, _)| flight as u32).collect(),
            own_flight: false,
        };
        out.push(Occupancy::new(facts, flights().map(|(_, run_id)| run_id).collect()));
    }
    Ok(out)
}

/// What stops every tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Platform {
    /// The operator's brake.
    pub frozen: bool,
    /// When the storm ends by itself, while there is one.
    pub storm: Option<Timestamp>,
    /// How far the clock jumped forward since the operator last looked.
    pub clock_jump: Option<SignedDuration>,
}

/// Reads the platform's brakes; a jump that this node has just seen counts before it is written down.
pub async fn platform(tx: &mut TenantTx) -> Result<Platform> {
    let now = tx.now().await?;
    let row =
        sqlx::query!("SELECT frozen, storm_ends_at, clock_jump_ms FROM platform_state").fetch_one(tx.conn()).await?;
    let clock_jump = row.clock_jump_ms.map(SignedDuration::from_millis).or(tx.jumped());
    // A storm ends by the clock, whether or not a loop was there to write it down.
    let storm = row.storm_ends_at.map(|at| at.to_jiff()).filter(|at| *at > now);
    Ok(Platform { frozen: row.frozen, storm, clock_jump })
}

/// After the operator has looked at the clock: no bucket waits for a time that the clock only jumped to. Answers how many
/// did.
pub async fn reset_clock(tx: &mut TenantTx) -> Result<u64> {
    let tenant_id = tx.tenant_id();
    sqlx::query!(
        "SELECT rank FROM guardrail_buckets WHERE tenant_id = $1 ORDER BY rank, scope_kind, scope_key FOR UPDATE",
        tenant_id
    )
    .fetch_all(tx.conn())
    .await?;
    let now = tx.now().await?;
    let done = sqlx::query!(
        "UPDATE guardrail_buckets SET clock_high = $2 WHERE tenant_id = $1 AND clock_high > $2",
        tenant_id,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}
