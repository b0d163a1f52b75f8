//! Table `host_links`: which node holds a host's link; written when a link opens or closes.

use domain::detect::silence::Link;
use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use serde_json::Value;
use uuid::Uuid;

use crate::live::Kind;
use crate::{Queue, Result, TenantTx, nodes};

/// Makes the row of a new host: epoch 0, closed.
pub async fn insert(tx: &mut TenantTx, client_id: Uuid, host_id: Uuid, node_id: Uuid) -> Result<()> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    sqlx::query!(
        "INSERT INTO host_links (tenant_id, host_id, client_id, node_id, epoch, linked_at, unlinked_at)
         VALUES ($1, $2, $3, $4, 0, $5, $5)",
        tenant_id,
        host_id,
        client_id,
        node_id,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The newest epoch.
pub async fn find_epoch(tx: &mut TenantTx, host_id: Uuid) -> Result<Option<i64>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_scalar!("SELECT epoch FROM host_links WHERE tenant_id = $1 AND host_id = $2", tenant_id, host_id)
        .fetch_optional(tx.conn())
        .await?)
}

/// Opens the link of `epoch`; false when a link of this or a newer epoch was opened before.
pub async fn mark_linked(
    tx: &mut TenantTx,
    host_id: Uuid,
    node_id: Uuid,
    epoch: i64,
    instance_id: Uuid,
) -> Result<bool> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let client = sqlx::query_scalar!(
        "UPDATE host_links SET node_id = $3, epoch = $4, instance_id = $5, linked_at = $6, unlinked_at = NULL, goodbye = NULL
         WHERE tenant_id = $1 AND host_id = $2 AND epoch < $4 RETURNING client_id",
        tenant_id,
        host_id,
        node_id,
        epoch,
        instance_id,
        now.to_sqlx() as _
    )
    .fetch_optional(tx.conn())
    .await?;
    if let Some(client_id) = client {
        tx.changes(Kind::Host, client_id, host_id);
    }
    Ok(client.is_some())
}

/// Closes the link of `epoch`, with the agent's goodbye if it said one; an older link closes nothing.
pub async fn mark_unlinked(tx: &mut TenantTx, host_id: Uuid, epoch: i64, goodbye: Option<&str>) -> Result<()> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let client = sqlx::query_scalar!(
        "UPDATE host_links SET unlinked_at = $4, goodbye = $5
         WHERE tenant_id = $1 AND host_id = $2 AND epoch = $3 AND unlinked_at IS NULL RETURNING client_id",
        tenant_id,
        host_id,
        epoch,
        now.to_sqlx() as _,
        goodbye
    )
    .fetch_optional(tx.conn())
    .await?;
    if let Some(client_id) = client {
        tx.changes(Kind::Host, client_id, host_id);
    }
    Ok(())
}

/// A host whose silence is to be judged.
#[derive(Debug, Clone)]
pub struct Silent {
    /// The host.
    pub host_id: Uuid,
    /// Its client.
    pub client_id: Uuid,
    /// Its client's name.
    pub client: String,
    /// Its name.
    pub name: String,
    /// Its tags, an object of texts.
    pub tags: Value,
    /// How its link stands.
    pub link: Link,
}

/// Up to `limit` hosts (after `after`, by id) that are not heard of, or that one of `checks` holds for not ok.
pub async fn list_silent(tx: &mut TenantTx, checks: &[Uuid], after: Uuid, limit: i64) -> Result<Vec<Silent>> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let alive = now - nodes::DEAD_AFTER;
    let rows = sqlx::query!(
        r#"SELECT h.host_id, h.client_id, c.name AS client, h.name, h.tags, l.goodbye,
             coalesce(l.unlinked_at, CASE WHEN n.seen_at > $2 THEN NULL ELSE greatest(n.seen_at, l.linked_at) END) AS "lost_at?",
             (l.unlinked_at IS NULL AND NOT coalesce(n.seen_at > $2, false)) AS "node_died!",
             coalesce((SELECT min(started_at) FROM nodes WHERE seen_at > $2), $3) AS "listening_since!"
           FROM hosts h
           JOIN clients c ON c.tenant_id = h.tenant_id AND c.client_id = h.client_id
           JOIN host_links l ON l.tenant_id = h.tenant_id AND l.host_id = h.host_id
           LEFT JOIN nodes n ON n.node_id = l.node_id
           WHERE h.tenant_id = $1 AND h.state <> 'retired' AND h.host_id > $5
             AND (l.unlinked_at IS NOT NULL OR NOT coalesce(n.seen_at > $2, false)
               OR EXISTS (SELECT 1 FROM check_states s WHERE s.tenant_id = $1 AND s.host_id = h.host_id AND s.check_id = ANY($4)
                    AND (s.verdict <> 'ok' OR s.raised))
               OR NOT EXISTS (SELECT 1 FROM check_states s WHERE s.tenant_id = $1 AND s.host_id = h.host_id AND s.check_id = ANY($4)))
           ORDER BY h.host_id LIMIT $6"#,
        tenant_id,
        alive.to_sqlx() as _,
        now.to_sqlx() as _,
        checks,
        after,
        limit
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| Silent {
            host_id: r.host_id,
            client_id: r.client_id,
            client: r.client,
            name: r.name,
            tags: r.tags,
            link: Link {
                lost_at: r.lost_at.map(|at| at.to_jiff()),
                node_died: r.node_died,
                listening_since: r.listening_since.to_jiff(),
                goodbye: r.goodbye,
            },
        })
        .collect())
}

/// Whether `epoch` is still the host's newest link; holds the row until the end of the transaction, so that
/// what an old link writes is wholly before the new one.
pub async fn holds(tx: &mut TenantTx, host_id: Uuid, epoch: i64) -> Result<bool> {
    let tenant_id = tx.tenant_id();
    let newest = sqlx::query_scalar!(
        "SELECT epoch FROM host_links WHERE tenant_id = $1 AND host_id = $2 FOR SHARE",
        tenant_id,
        host_id
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(newest == Some(epoch))
}

/// [`wake_each`] of one host.
pub async fn wake(tx: &mut TenantTx, host_id: Uuid) -> Result<()> {
    wake_each(tx, &[host_id]).await
}

/// [`wake_each_at`] now.
pub async fn wake_each(tx: &mut TenantTx, host_ids: &[Uuid]) -> Result<()> {
    let now = tx.now().await?;
    wake_each_at(tx, host_ids, now).await
}

/// Wakes the nodes that hold the hosts' links, for whoever makes something due for the hosts at `at`: the rows are read
/// `FOR SHARE`, so this transaction commits wholly before or wholly after a new link. Without a link nothing is woken; the
/// next `Hello` takes everything open.
pub async fn wake_each_at(tx: &mut TenantTx, host_ids: &[Uuid], at: Timestamp) -> Result<()> {
    let tenant_id = tx.tenant_id();
    let links = sqlx::query!(
        "SELECT node_id, unlinked_at FROM host_links WHERE tenant_id = $1 AND host_id = ANY ($2) ORDER BY host_id FOR SHARE",
        tenant_id,
        host_ids
    )
    .fetch_all(tx.conn())
    .await?;
    for link in links.iter().filter(|link| link.unlinked_at.is_none()) {
        tx.due(Queue::Dispatch(link.node_id), at);
    }
    Ok(())
}

/// Wakes the nodes that hold links of one host, of a client's hosts, or of all of the organization's.
pub async fn wake_all(tx: &mut TenantTx, client_id: Option<Uuid>, host_id: Option<Uuid>) -> Result<()> {
    let tenant_id = tx.tenant_id();
    let nodes = sqlx::query_scalar!(
        "SELECT DISTINCT node_id FROM host_links WHERE tenant_id = $1 AND unlinked_at IS NULL
           AND ($2::uuid IS NULL OR client_id = $2) AND ($3::uuid IS NULL OR host_id = $3)",
        tenant_id,
        client_id,
        host_id
    )
    .fetch_all(tx.conn())
    .await?;
    let now = tx.now().await?;
    for node_id in nodes {
        tx.due(Queue::Dispatch(node_id), now);
    }
    Ok(())
}

/// Makes every open link one that was replaced: its node ends it as soon as it looks, and nothing it writes counts.
pub async fn mark_all_replaced(tx: &mut TenantTx, client_id: Option<Uuid>) -> Result<()> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    sqlx::query!(
        "UPDATE host_links SET epoch = epoch + 1, unlinked_at = coalesce(unlinked_at, $3)
         WHERE tenant_id = $1 AND ($2::uuid IS NULL OR client_id = $2)",
        tenant_id,
        client_id,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// [`mark_all_replaced`] of one host.
pub async fn mark_replaced(tx: &mut TenantTx, host_id: Uuid) -> Result<()> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    sqlx::query!(
        "UPDATE host_links SET epoch = epoch + 1, unlinked_at = coalesce(unlinked_at, $3) WHERE tenant_id = $1 AND host_id = $2",
        tenant_id,
        host_id,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The living nodes that hold links of hosts for which a job waits, or a question that was asked and is not answered.
pub async fn list_nodes_with_open_work(tx: &mut TenantTx) -> Result<Vec<Uuid>> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let alive = now - nodes::DEAD_AFTER;
    Ok(sqlx::query_scalar!(
        "SELECT DISTINCT l.node_id FROM host_links l JOIN nodes n ON n.node_id = l.node_id
         WHERE l.tenant_id = $1 AND l.unlinked_at IS NULL AND n.seen_at > $3
           AND (EXISTS (SELECT 1 FROM jobs j WHERE j.tenant_id = $1 AND j.host_id = l.host_id AND j.state = 'queued' AND j.expires_at > $2)
             OR EXISTS (SELECT 1 FROM check_requests q WHERE q.tenant_id = $1 AND q.host_id = l.host_id
                  AND q.answered_at IS NULL AND q.expires_at > $2 AND q.asked_at <= $2))",
        tenant_id,
        now.to_sqlx() as _,
        alive.to_sqlx() as _
    )
    .fetch_all(tx.conn())
    .await?)
}
