//! Tables `guardrail_buckets`, `guardrail_admissions`, `guardrail_history`: locks, counts, slots.

use domain::remediate::decide::Slot;
use domain::remediate::guardrails::{BucketFacts, BucketKind, Numbers, Size, limits};
use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx;
use uuid::Uuid;

use crate::error::exactly_one;
use crate::{Result, StoreError, TenantTx};

/// The buckets of a run, in lock order.
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

/// Makes a bucket unless it exists, with the numbers of the tenant's default row (`scope_key = '*'`) of its kind.
pub async fn ensure(tx: &mut TenantTx, kind: BucketKind, key: &str) -> Result<()> {
    let tenant_id = tx.tenant_id();
    let set = sqlx::query!(
        "SELECT max_in_flight, max_per_window, window_secs FROM guardrail_buckets
         WHERE tenant_id = $1 AND scope_kind = $2 AND scope_key = '*'",
        tenant_id,
        kind.word()
    )
    .fetch_optional(tx.conn())
    .await?;
    let (in_flight, per_window, window) =
        set.map_or((None, None, None), |s| (s.max_in_flight, s.max_per_window, s.window_secs));
    sqlx::query!(
        "INSERT INTO guardrail_buckets (tenant_id, scope_kind, scope_key, rank, max_in_flight, max_per_window, window_secs)
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
        tenant_id,
        kind.word(),
        key,
        kind.rank(),
        in_flight,
        per_window,
        window
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Makes the bucket of a host.
pub async fn ensure_host_bucket(tx: &mut TenantTx, host_id: Uuid) -> Result<()> {
    ensure(tx, BucketKind::Host, &host_id.to_string()).await
}

/// Locks one bucket, for whoever forbids, stops forbidding or releases.
pub async fn lock_one(tx: &mut TenantTx, kind: &str, key: &str) -> Result<()> {
    let tenant_id = tx.tenant_id();
    sqlx::query!(
        "SELECT rank FROM guardrail_buckets WHERE tenant_id = $1 AND scope_kind = $2 AND scope_key = $3 FOR UPDATE",
        tenant_id,
        kind,
        key
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(())
}

/// Locks the buckets of a run in the one order, in a statement of its own; missing ones are made before.
pub async fn lock(tx: &mut TenantTx, keys: &[(BucketKind, String)]) -> Result<()> {
    for (kind, key) in keys {
        ensure(tx, *kind, key).await?;
    }
    let tenant_id = tx.tenant_id();
    let kinds: Vec<String> = keys.iter().map(|(k, _)| k.word().to_owned()).collect();
    let names: Vec<String> = keys.iter().map(|(_, key)| key.clone()).collect();
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

/// Reads what is known of locked buckets at the transaction's now.
pub async fn facts(tx: &mut TenantTx, keys: &[(BucketKind, String)], run_id: Uuid) -> Result<Vec<BucketFacts>> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let mut out = Vec::with_capacity(keys.len());
    for (kind, key) in keys {
        let b = sqlx::query!(
            "SELECT clock_high, frozen, max_in_flight, max_per_window, window_secs FROM guardrail_buckets
             WHERE tenant_id = $1 AND scope_kind = $2 AND scope_key = $3",
            tenant_id,
            kind.word(),
            key
        )
        .fetch_one(tx.conn())
        .await?;
        let slots = sqlx::query!(
            "SELECT occupied_until, slot_no FROM guardrail_admissions
             WHERE tenant_id = $1 AND scope_kind = $2 AND scope_key = $3 AND occupied_until > $4 ORDER BY occupied_until, slot_no",
            tenant_id,
            kind.word(),
            key,
            now.to_sqlx() as _
        )
        .fetch_all(tx.conn())
        .await?;
        let flights = sqlx::query!(
            r#"SELECT flight_no AS "flight_no!", run_id FROM guardrail_admissions
             WHERE tenant_id = $1 AND scope_kind = $2 AND scope_key = $3 AND released_at IS NULL AND flight_no IS NOT NULL"#,
            tenant_id,
            kind.word(),
            key
        )
        .fetch_all(tx.conn())
        .await?;
        let size = size(tx, *kind, key).await?;
        let number = |n: Option<i32>| n.and_then(|n| u32::try_from(n).ok());
        let set = Numbers {
            max_in_flight: number(b.max_in_flight),
            max_per_window: number(b.max_per_window),
            window_secs: number(b.window_secs),
        };
        out.push(BucketFacts {
            kind: *kind,
            key: key.clone(),
            frozen: b.frozen,
            clock_high: b.clock_high.to_jiff(),
            limits: limits(*kind, set, size),
            occupied: slots.iter().map(|s| (s.occupied_until.to_jiff(), s.slot_no as u32)).collect(),
            flights: flights.iter().map(|f| f.flight_no as u32).collect(),
            own_flight: flights.iter().any(|f| f.run_id == run_id),
        });
    }
    Ok(out)
}

/// How large a bucket's scope is.
pub(crate) async fn size(tx: &mut TenantTx, kind: BucketKind, key: &str) -> Result<Size> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let created = sqlx::query_scalar!("SELECT created_at FROM tenants WHERE tenant_id = $1", tenant_id)
        .fetch_one(tx.conn())
        .await?
        .to_jiff();
    let first_week = now.duration_since(created) < jiff::SignedDuration::from_hours(24 * 7);
    let hosts = match kind {
        BucketKind::Tenant => {
            sqlx::query_scalar!(
                r#"SELECT count(*) AS "n!" FROM hosts WHERE tenant_id = $1 AND state <> 'retired'"#,
                tenant_id
            )
            .fetch_one(tx.conn())
            .await?
        }
        BucketKind::Client => {
            let client_id = key.parse::<Uuid>().unwrap_or_default();
            sqlx::query_scalar!(
                r#"SELECT count(*) AS "n!" FROM hosts WHERE tenant_id = $1 AND client_id = $2 AND state <> 'retired'"#,
                tenant_id,
                client_id
            )
            .fetch_one(tx.conn())
            .await?
        }
        _ => 1,
    };
    Ok(Size { hosts: u32::try_from(hosts).unwrap_or(u32::MAX), first_week })
}

/// What stops every tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Platform {
    /// The operator's brake.
    pub frozen: bool,
    /// How far the clock jumped forward since the operator last looked.
    pub clock_jump: Option<SignedDuration>,
}

/// Reads the platform's brakes; a jump that this node has just seen counts before it is written down.
pub async fn platform(tx: &mut TenantTx) -> Result<Platform> {
    let row = sqlx::query!("SELECT frozen, clock_jump_ms FROM platform_state").fetch_one(tx.conn()).await?;
    let clock_jump = row.clock_jump_ms.map(SignedDuration::from_millis).or(tx.jumped());
    Ok(Platform { frozen: row.frozen, clock_jump })
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

/// Takes the slots of an admission and moves the buckets' high-water marks. A `conflict` of
/// `guardrail_admissions_slot` or `_flight` means that the lock was not what kept the limit.
pub async fn admit(tx: &mut TenantTx, run_id: Uuid, attempt: i32, slots: &[Slot]) -> Result<()> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    for s in slots {
        insert_slot(tx, run_id, attempt, s, now).await?;
        let done = sqlx::query!(
            "UPDATE guardrail_buckets SET clock_high = greatest(clock_high, $4)
             WHERE tenant_id = $1 AND scope_kind = $2 AND scope_key = $3",
            tenant_id,
            s.kind.word(),
            s.key,
            now.to_sqlx() as _
        )
        .execute(tx.conn())
        .await?;
        exactly_one("guardrails::admit", done.rows_affected())?;
        move_finished(tx, s, now).await?;
    }
    Ok(())
}

async fn insert_slot(tx: &mut TenantTx, run_id: Uuid, attempt: i32, s: &Slot, now: Timestamp) -> Result<()> {
    let tenant_id = tx.tenant_id();
    sqlx::query!(
        "INSERT INTO guardrail_admissions (tenant_id, scope_kind, scope_key, run_id, attempt, slot_no, flight_no, admitted_at, occupied_until)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        tenant_id,
        s.kind.word(),
        s.key,
        run_id,
        attempt,
        s.slot_no as i32,
        s.flight_no.map(|n| n as i32),
        now.to_sqlx() as _,
        s.occupied_until.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Finished rows of a locked bucket move to the history, in two statements.
async fn move_finished(tx: &mut TenantTx, s: &Slot, now: Timestamp) -> Result<()> {
    let tenant_id = tx.tenant_id();
    sqlx::query!(
        "INSERT INTO guardrail_history (tenant_id, scope_kind, scope_key, run_id, attempt, slot_no, flight_no, admitted_at, occupied_until, released_at, outcome)
         SELECT tenant_id, scope_kind, scope_key, run_id, attempt, slot_no, flight_no, admitted_at, occupied_until, released_at, outcome
         FROM guardrail_admissions WHERE tenant_id = $1 AND scope_kind = $2 AND scope_key = $3 AND released_at IS NOT NULL AND occupied_until <= $4",
        tenant_id,
        s.kind.word(),
        s.key,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!(
        "DELETE FROM guardrail_admissions a WHERE tenant_id = $1 AND scope_kind = $2 AND scope_key = $3 AND released_at IS NOT NULL AND occupied_until <= $4
         AND EXISTS (SELECT 1 FROM guardrail_history h WHERE h.tenant_id = a.tenant_id AND h.scope_kind = a.scope_kind AND h.scope_key = a.scope_key
           AND h.run_id = a.run_id AND h.attempt = a.attempt AND h.slot_no = a.slot_no)",
        tenant_id,
        s.kind.word(),
        s.key,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Releases a run's admissions by evidence; its buckets must be locked. With proof that nothing was executed
/// the window slots end too.
pub async fn release(tx: &mut TenantTx, run_id: Uuid, outcome: &str, executed: Executed) -> Result<()> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    sqlx::query!(
        "UPDATE guardrail_admissions SET released_at = $3, outcome = $4,
           occupied_until = CASE WHEN $5 THEN greatest($3, admitted_at + interval '1 microsecond') ELSE occupied_until END
         WHERE tenant_id = $1 AND run_id = $2 AND released_at IS NULL",
        tenant_id,
        run_id,
        now.to_sqlx() as _,
        outcome,
        executed == Executed::No
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Whether anything was executed under an admission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Executed {
    /// Something was, or may have been.
    Yes,
    /// Proven that nothing was.
    No,
}
