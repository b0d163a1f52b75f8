//! How the platform stands, in numbers.

use domain::organization::Standing;
use jiff::SignedDuration;
use jiff_sqlx::ToSqlx;
use uuid::Uuid;

use crate::{Result, Store};

/// Organizations after one of them, by id. Their hosts and members are counted as [`crate::quotas::count`] counts them.
pub async fn list_standings(store: &Store, after: Option<Uuid>, limit: i64) -> Result<Vec<Standing>> {
    let mut tx = store.system().await?;
    let ids = sqlx::query_scalar!(
        "SELECT tenant_id FROM tenants WHERE tenant_id > $1 ORDER BY tenant_id LIMIT $2",
        after.unwrap_or_default(),
        limit
    )
    .fetch_all(tx.conn())
    .await?;
    let (now, mut standings) = (tx.now().await?, Vec::with_capacity(ids.len()));
    for tenant_id in ids {
        let row = sqlx::query!(
            r#"SELECT name AS "name!", state AS "state!", plan AS "plan!", clients AS "clients!", hosts AS "hosts!", linked AS "linked!",
                 checks AS "checks!", members AS "members!", open_incidents AS "open_incidents!", running AS "running!",
                 is_stopped AS "is_stopped!", deletes_at AS "deletes_at?", versions AS "versions!" FROM maintenance.survey($1, $2)"#,
            tenant_id,
            now.to_sqlx() as _
        )
        .fetch_optional(tx.conn())
        .await?;
        let Some(r) = row else { continue };
        standings.push(Standing {
            tenant_id,
            name: r.name,
            state: r.state,
            plan: r.plan,
            clients: r.clients,
            hosts: r.hosts,
            linked: r.linked,
            checks: r.checks,
            members: r.members,
            open_incidents: r.open_incidents,
            running: r.running,
            is_stopped: r.is_stopped,
            deletes_at: r.deletes_at.map(|at| at.to_jiff()),
            versions: serde_json::from_value(r.versions).unwrap_or_default(),
        });
    }
    tx.commit().await?;
    Ok(standings)
}

/// How far a queue of the loops is behind.
#[derive(Clone, Debug)]
pub struct Lag {
    /// The queue; those of all nodes' links as one.
    pub queue: String,
    /// Wake-ups that are due.
    pub due: i64,
    /// For how long the oldest has been.
    pub oldest: SignedDuration,
}

/// The queues in which something is due.
pub async fn list_lags(store: &Store) -> Result<Vec<Lag>> {
    let mut tx = store.system().await?;
    let now = tx.now().await?;
    let rows = sqlx::query!(
        r#"SELECT split_part(queue, '@', 1) AS "queue!", count(*) AS "due!", min(due_at) AS "oldest!"
           FROM tenant_wakeups WHERE due_at <= $1 GROUP BY 1 ORDER BY 1"#,
        now.to_sqlx() as _
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| Lag { queue: r.queue, due: r.due, oldest: now.duration_since(r.oldest.to_jiff()) })
        .collect())
}

/// Whether the platform's own brake is on: then no job is handed out anywhere.
pub async fn find_frozen(store: &Store) -> Result<bool> {
    let mut tx = store.system().await?;
    Ok(sqlx::query_scalar!("SELECT frozen FROM platform_state").fetch_one(tx.conn()).await?)
}
