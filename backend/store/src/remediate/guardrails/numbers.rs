//! The numbers of buckets: those that somebody has set, and what follows from the size of a scope.

use domain::remediate::damage;
use domain::remediate::guardrails::{BucketKind, Limits, Numbers, Size, limits};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::remediate::groups;
use crate::{Result, TenantTx, fleet};

/// The limits of a bucket whose scope has `hosts`, or as many as there are.
pub(super) async fn limits_of(
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
pub(super) fn numbers(max_in_flight: Option<i32>, max_per_window: Option<i32>, window_secs: Option<i32>) -> Numbers {
    Numbers {
        max_in_flight: number(max_in_flight),
        max_per_window: number(max_per_window),
        window_secs: number(window_secs),
        ..Numbers::default()
    }
}

pub(in crate::remediate) fn number(n: Option<i32>) -> Option<u32> {
    n.and_then(|n| u32::try_from(n).ok())
}

/// What holds for a bucket: its own numbers, else those of the tenant's row of its kind; a count and its window are one.
pub(super) fn inherit(own: Numbers, of_kind: Numbers) -> Numbers {
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

/// How large each of these clients is: what an admission, a change of a limit and a page go by alike.
pub(in crate::remediate) async fn list_client_sizes(
    tx: &mut TenantTx,
    client_ids: &[Uuid],
) -> Result<Vec<(Uuid, Size)>> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let rows = sqlx::query!(
        r#"SELECT c.id AS "client_id!", t.created_at,
             (SELECT count(*) FROM hosts h WHERE h.tenant_id = $1 AND h.client_id = c.id AND h.state <> 'retired') AS "hosts!"
           FROM unnest($2::uuid[]) AS c(id) JOIN tenants t ON t.tenant_id = $1"#,
        tenant_id,
        client_ids
    )
    .fetch_all(tx.conn())
    .await?;
    let size = |hosts: i64, created: jiff_sqlx::Timestamp| Size {
        hosts: u32::try_from(hosts).unwrap_or(u32::MAX),
        first_week: is_first_week(created.to_jiff(), now),
    };
    Ok(rows.into_iter().map(|row| (row.client_id, size(row.hosts, row.created_at))).collect())
}

/// The sizes of all scopes of a kind, which a limit of that kind holds for.
pub async fn list_sizes(tx: &mut TenantTx, kind: BucketKind) -> Result<Vec<Size>> {
    let tenant_id = tx.tenant_id().to_string();
    Ok(match kind {
        BucketKind::Client => {
            let clients = fleet::list_clients(tx).await?.into_iter().map(|client| client.client_id).collect::<Vec<_>>();
            list_client_sizes(tx, &clients).await?.into_iter().map(|(_, size)| size).collect()
        }
        BucketKind::Tenant => vec![size(tx, kind, &tenant_id).await?],
        // Each of them is about one host.
        _ => vec![size(tx, BucketKind::Host, &tenant_id).await?],
    })
}

pub(super) fn is_first_week(created: Timestamp, now: Timestamp) -> bool {
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
            return Ok(list_client_sizes(tx, &[client_id]).await?.first().map_or(0, |(_, size)| size.hosts));
        }
        _ => 1,
    };
    Ok(u32::try_from(hosts).unwrap_or(u32::MAX))
}
