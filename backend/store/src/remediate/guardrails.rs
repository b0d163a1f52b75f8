//! Tables `guardrail_buckets`, `guardrail_admissions`, `guardrail_history`: locks, counts, slots.

use std::collections::{BTreeMap, BTreeSet};

use domain::remediate::damage;
use domain::remediate::decide::Slot;
use domain::remediate::guardrails::{BucketFacts, BucketKind, Limits, Numbers, Occupancy, Size, limits};
use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx;
use uuid::Uuid;

use super::groups;
use crate::{Result, StoreError, TenantTx, configuration};

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

/// The limits of a bucket whose scope has `hosts`, or as many as there are.
async fn limits_of(
    tx: &mut TenantTx,
    kind: BucketKind,
    key: &str,
    set: Numbers,
    hosts: Option<u32>,
    first_week: bool,
) -> Result<Limits> {
    if kind == BucketKind::ServiceGroup {
        // People know a group by its name.
        let (name, hosts) = groups::find_size(tx, key.parse().unwrap_or_default()).await?.unwrap_or_default();
        let limits = limits(kind, set, Size { hosts, first_week });
        return Ok(Limits { why: format!("“{name}”: {}", limits.why), ..limits });
    }
    let hosts = match hosts {
        Some(hosts) => hosts,
        None => hosts_in(tx, kind, key).await?,
    };
    Ok(limits(kind, set, Size { hosts, first_week }))
}

/// The limits that hold for a bucket as it stands, made or not.
pub async fn find_limits(tx: &mut TenantTx, kind: BucketKind, key: &str, set: Numbers) -> Result<Limits> {
    let Size { first_week, .. } = size(tx, BucketKind::Host, key).await?;
    limits_of(tx, kind, key, set, None, first_week).await
}

/// The numbers of a row's columns.
fn numbers(max_in_flight: Option<i32>, max_per_window: Option<i32>, window_secs: Option<i32>) -> Numbers {
    Numbers {
        max_in_flight: number(max_in_flight),
        max_per_window: number(max_per_window),
        window_secs: number(window_secs),
        ..Numbers::default()
    }
}

pub(super) fn number(n: Option<i32>) -> Option<u32> {
    n.and_then(|n| u32::try_from(n).ok())
}

/// What holds for a bucket: its own numbers, else those of the tenant's row of its kind; a count and its window are one.
fn inherit(own: Numbers, of_kind: Numbers) -> Numbers {
    let window = if own.max_per_window.is_none() && own.window_secs.is_none() { of_kind } else { own };
    let (max_per_window, window_secs) = (window.max_per_window, window.window_secs);
    let (a, b) = (own.damage, of_kind.damage);
    let damage = damage::Numbers {
        max_unproven: a.max_unproven.or(b.max_unproven),
        max_bad: a.max_bad.or(b.max_bad),
        max_wave: a.max_wave.or(b.max_wave),
    };
    let max_storm = own.max_storm.or(of_kind.max_storm);
    Numbers {
        max_in_flight: own.max_in_flight.or(of_kind.max_in_flight),
        max_per_window,
        window_secs,
        max_storm,
        damage,
    }
}

/// A bucket as it stands.
#[derive(Clone, Copy, Debug)]
pub struct Bucket {
    /// Stopped by a person.
    pub frozen: bool,
    /// The latest now an admission has used; none: no run has met the bucket.
    pub clock_high: Option<Timestamp>,
    /// The numbers that hold for it: its own, else those of the tenant's row of its kind (`*`).
    pub set: Numbers,
}

/// A bucket, made or not.
pub async fn find(tx: &mut TenantTx, kind: BucketKind, key: &str) -> Result<Bucket> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query!(
        "SELECT scope_key, clock_high, frozen, max_in_flight, max_per_window, window_secs, max_unproven, max_bad, max_wave, max_storm
         FROM guardrail_buckets
         WHERE tenant_id = $1 AND scope_kind = $2 AND scope_key IN ($3, '*')",
        tenant_id,
        kind.word(),
        key
    )
    .fetch_all(tx.conn())
    .await?;
    let of = |key: &str| rows.iter().find(|row| row.scope_key == key);
    let set = |key: &str| {
        of(key).map(|row| Numbers {
            max_storm: number(row.max_storm),
            damage: damage::Numbers {
                max_unproven: number(row.max_unproven),
                max_bad: number(row.max_bad),
                max_wave: number(row.max_wave),
            },
            ..numbers(row.max_in_flight, row.max_per_window, row.window_secs)
        })
    };
    Ok(Bucket {
        frozen: of(key).is_some_and(|row| row.frozen),
        clock_high: of(key).map(|row| row.clock_high.to_jiff()),
        set: inherit(set(key).unwrap_or_default(), set("*").unwrap_or_default()),
    })
}

/// Writes numbers of a bucket, or of the tenant's row of a kind (`*`). A tenant's own bucket must be locked: each
/// admission of the tenant locks it first, so each is wholly before or wholly after the change.
pub async fn set_numbers(tx: &mut TenantTx, kind: BucketKind, key: &str, set: Numbers) -> Result<()> {
    let tenant_id = tx.tenant_id();
    let number = |n: Option<u32>| n.and_then(|n| i32::try_from(n).ok());
    sqlx::query!(
        "INSERT INTO guardrail_buckets (tenant_id, scope_kind, scope_key, rank, max_in_flight, max_per_window, window_secs,
           max_unproven, max_bad, max_wave, max_storm)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (tenant_id, scope_kind, scope_key)
         DO UPDATE SET max_in_flight = $5, max_per_window = $6, window_secs = $7, max_unproven = $8, max_bad = $9, max_wave = $10,
           max_storm = $11",
        tenant_id,
        kind.word(),
        key,
        kind.rank(),
        number(set.max_in_flight),
        number(set.max_per_window),
        number(set.window_secs),
        number(set.damage.max_unproven),
        number(set.damage.max_bad),
        number(set.damage.max_wave),
        number(set.max_storm)
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// How large a bucket's scope is.
pub async fn size(tx: &mut TenantTx, kind: BucketKind, key: &str) -> Result<Size> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let created = sqlx::query_scalar!("SELECT created_at FROM tenants WHERE tenant_id = $1", tenant_id)
        .fetch_one(tx.conn())
        .await?
        .to_jiff();
    Ok(Size { hosts: hosts_in(tx, kind, key).await?, first_week: is_first_week(created, now) })
}

/// The sizes of all scopes of a kind, which a limit of that kind holds for.
pub async fn list_sizes(tx: &mut TenantTx, kind: BucketKind) -> Result<Vec<Size>> {
    let tenant_id = tx.tenant_id().to_string();
    let tenant = size(tx, BucketKind::Tenant, &tenant_id).await?;
    let first_week = tenant.first_week;
    Ok(match kind {
        BucketKind::Tenant => vec![tenant],
        BucketKind::Client => {
            let clients = configuration::list_client_sizes(tx).await?;
            clients.into_iter().map(|hosts| Size { hosts, first_week }).collect()
        }
        _ => vec![Size { hosts: 1, first_week }],
    })
}

fn is_first_week(created: Timestamp, now: Timestamp) -> bool {
    now.duration_since(created) < SignedDuration::from_hours(24 * 7)
}

async fn hosts_in(tx: &mut TenantTx, kind: BucketKind, key: &str) -> Result<u32> {
    let tenant_id = tx.tenant_id();
    let hosts = match kind {
        BucketKind::Tenant => {
            sqlx::query_scalar!(
                r#"SELECT count(*) AS "n!" FROM hosts WHERE tenant_id = $1 AND state <> 'retired'"#,
                tenant_id
            )
            .fetch_one(tx.conn())
            .await?
        }
        BucketKind::Client | BucketKind::Undo => {
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
    Ok(u32::try_from(hosts).unwrap_or(u32::MAX))
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

/// What one run takes.
#[derive(Debug)]
pub struct Taken<'a> {
    /// The run.
    pub run_id: Uuid,
    /// Its attempt, from 1.
    pub attempt: i16,
    /// The slots.
    pub slots: &'a [Slot],
}

/// Takes the slots of admissions; [`mark_clock`] follows in the same transaction. A `conflict` of
/// `guardrail_admissions_slot` or `_flight` means that the lock was not what kept the limit.
pub async fn admit(tx: &mut TenantTx, admitted: &[Taken<'_>]) -> Result<()> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let slots = || admitted.iter().flat_map(|taken| taken.slots.iter().map(move |slot| (taken, slot)));
    let run_ids: Vec<Uuid> = slots().map(|(taken, _)| taken.run_id).collect();
    let attempts: Vec<i32> = slots().map(|(taken, _)| i32::from(taken.attempt)).collect();
    let kinds: Vec<String> = slots().map(|(_, s)| s.kind.word().to_owned()).collect();
    let keys: Vec<String> = slots().map(|(_, s)| s.key.clone()).collect();
    let numbers: Vec<i32> = slots().map(|(_, s)| s.slot_no as i32).collect();
    // No flight: 0 here, NULL in the row.
    let flights: Vec<i32> = slots().map(|(_, s)| s.flight_no.map_or(0, |n| n as i32)).collect();
    let spans: Vec<i64> = slots().map(|(_, s)| (s.occupied_until.duration_since(now).as_micros()) as i64).collect();
    sqlx::query!(
        "INSERT INTO guardrail_admissions (tenant_id, scope_kind, scope_key, run_id, attempt, slot_no, flight_no, admitted_at, occupied_until)
         SELECT $1, s.kind, s.key, s.run_id, s.attempt, s.slot_no, nullif(s.flight_no, 0), $4::timestamptz, $4::timestamptz + s.micros * interval '1 microsecond'
         FROM unnest($2::uuid[], $3::int[], $5::text[], $6::text[], $7::int[], $8::int[], $9::bigint[])
           AS s(run_id, attempt, kind, key, slot_no, flight_no, micros)",
        tenant_id,
        &run_ids,
        &attempts,
        now.to_sqlx() as _,
        &kinds,
        &keys,
        &numbers,
        &flights,
        &spans
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// After admissions: the locked buckets remember this now, so that none is made before it.
pub async fn mark_clock(tx: &mut TenantTx, keys: &[(BucketKind, String)]) -> Result<()> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let keys: Vec<_> = keys.iter().collect::<BTreeSet<_>>().into_iter().cloned().collect();
    let (kinds, names) = words(&keys);
    let done = sqlx::query!(
        "UPDATE guardrail_buckets SET clock_high = greatest(clock_high, $4)
         WHERE tenant_id = $1 AND scope_kind = ANY ($2) AND scope_key = ANY ($3)
           AND (scope_kind, scope_key) IN (SELECT * FROM unnest($2::text[], $3::text[]))",
        tenant_id,
        &kinds,
        &names,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    if done.rows_affected() != keys.len() as u64 {
        let (statement, expected) = ("guardrails::mark_clock", keys.len() as u64);
        return Err(StoreError::WrongRowCount { statement, expected, changed: done.rows_affected() });
    }
    Ok(())
}

/// Finished rows of locked buckets move to the history, in two statements.
pub async fn move_finished(tx: &mut TenantTx, keys: &[(BucketKind, String)]) -> Result<()> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let (kinds, names) = words(keys);
    let moved = sqlx::query!(
        "INSERT INTO guardrail_history (tenant_id, scope_kind, scope_key, run_id, attempt, slot_no, flight_no, admitted_at, occupied_until, released_at, outcome)
         SELECT tenant_id, scope_kind, scope_key, run_id, attempt, slot_no, flight_no, admitted_at, occupied_until, released_at, outcome
         FROM guardrail_admissions WHERE tenant_id = $1 AND scope_kind = ANY ($2) AND scope_key = ANY ($3)
           AND (scope_kind, scope_key) IN (SELECT * FROM unnest($2::text[], $3::text[])) AND released_at IS NOT NULL AND occupied_until <= $4",
        tenant_id,
        &kinds,
        &names,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    if moved.rows_affected() == 0 {
        return Ok(());
    }
    sqlx::query!(
        "DELETE FROM guardrail_admissions a WHERE tenant_id = $1 AND scope_kind = ANY ($2) AND scope_key = ANY ($3)
         AND (scope_kind, scope_key) IN (SELECT * FROM unnest($2::text[], $3::text[])) AND released_at IS NOT NULL AND occupied_until <= $4
         AND EXISTS (SELECT 1 FROM guardrail_history h WHERE h.tenant_id = a.tenant_id AND h.scope_kind = a.scope_kind AND h.scope_key = a.scope_key
           AND h.run_id = a.run_id AND h.attempt = a.attempt AND h.slot_no = a.slot_no)",
        tenant_id,
        &kinds,
        &names,
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
