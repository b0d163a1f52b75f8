//! Table `maintenance_windows`: actions are kept off a scope at planned times. A row holds the stretch that holds now or
//! comes next. It holds by the clock alone; at its beginning what has no permit yet is taken back.

use domain::remediate::maintenance::Span;
use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use serde_json::{Value, json};
use uuid::Uuid;

use super::runs;
use super::stops::Place;
use crate::audit::Entry;
use crate::{Queue, Result, Store, TenantTx};

/// A plan.
#[derive(Debug, Clone)]
pub struct Window {
    /// Its id.
    pub window_id: Uuid,
    /// Its name, unique in the organization.
    pub name: String,
    /// Whose client; none: the organization's.
    pub client_id: Option<Uuid>,
    /// Its name.
    pub client: Option<String>,
    /// The name of a host of the client; it need not be enrolled.
    pub host: Option<String>,
    /// That host, once it is.
    pub host_id: Option<Uuid>,
    /// When, as it was written.
    pub times: Value,
    /// The clock that is meant: the client's, else the organization's.
    pub time_zone: String,
    /// Whether it is planned at all.
    pub active: bool,
    /// The stretch that holds now, or comes next.
    pub span: Option<Span>,
    /// When what had no permit was taken back for that stretch.
    pub begun_at: Option<Timestamp>,
}

impl Window {
    /// Where actions are kept off; none: the host is not enrolled.
    fn place(&self) -> Option<Place> {
        match (self.client_id, &self.host) {
            (None, _) => Some(Place::Tenant),
            (Some(client_id), None) => Some(Place::Client(client_id)),
            (Some(client_id), Some(_)) => self.host_id.map(|host_id| Place::Host { client_id, host_id }),
        }
    }
}

/// The organization's plans: all, or one; those of archived clients are none.
pub async fn list(tx: &mut TenantTx, window_id: Option<Uuid>) -> Result<Vec<Window>> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query!(
        r#"SELECT w.window_id, w.name, w.host_name, w.times, w.active, w.starts_at, w.ends_at, w.begun_at,
             c.client_id AS "client_id?", c.name AS "client?", h.host_id AS "host_id?", coalesce(c.time_zone, t.time_zone) AS "time_zone!"
           FROM maintenance_windows w JOIN tenants t ON t.tenant_id = w.tenant_id
             LEFT JOIN clients c ON c.tenant_id = $1 AND w.scope_kind <> 'tenant' AND c.client_id = w.scope_key::uuid AND c.archived_at IS NULL
             LEFT JOIN hosts h ON h.tenant_id = $1 AND h.client_id = c.client_id AND h.name = w.host_name AND h.state <> 'retired'
           WHERE w.tenant_id = $1 AND ($2::uuid IS NULL OR w.window_id = $2) AND (w.scope_kind = 'tenant' OR c.client_id IS NOT NULL)
           ORDER BY w.name LIMIT 1000"#,
        tenant_id,
        window_id
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Window {
            window_id: row.window_id,
            name: row.name,
            client_id: row.client_id,
            client: row.client,
            host: row.host_name,
            host_id: row.host_id,
            times: row.times,
            time_zone: row.time_zone,
            active: row.active,
            span: row
                .starts_at
                .zip(row.ends_at)
                .map(|(from, to)| Span { starts_at: from.to_jiff(), ends_at: to.to_jiff() }),
            begun_at: row.begun_at.map(|at| at.to_jiff()),
        })
        .collect())
}

/// What is planned.
#[derive(Debug)]
pub struct Plan<'a> {
    /// Its name.
    pub name: &'a str,
    /// Whose client; none: the organization.
    pub client_id: Option<Uuid>,
    /// A host of the client.
    pub host: Option<&'a str>,
    /// When, as it is written.
    pub times: &'a Value,
    /// Whether it is planned at all.
    pub active: bool,
    /// The stretch that holds now, or comes next.
    pub span: Option<Span>,
}

/// Makes a plan, or puts it in place of the one of its name. The organization's bucket must be locked: each admission
/// locks it first. What the old one held is decided anew.
pub async fn put(tx: &mut TenantTx, plan: &Plan<'_>) -> Result<()> {
    let (tenant_id, id, now) = (tx.tenant_id(), Store::new_id(), tx.now().await?);
    let (kind, key) = match (plan.client_id, plan.host) {
        (None, _) => ("tenant", tenant_id),
        (Some(client_id), None) => ("client", client_id),
        (Some(client_id), Some(_)) => ("host", client_id),
    };
    sqlx::query!(
        "INSERT INTO maintenance_windows (tenant_id, window_id, name, scope_kind, scope_key, host_name, times, active, starts_at, ends_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT ON CONSTRAINT maintenance_windows_name
         DO UPDATE SET scope_kind = $4, scope_key = $5, host_name = $6, times = $7, active = $8, starts_at = $9, ends_at = $10, begun_at = NULL",
        tenant_id,
        id,
        plan.name,
        kind,
        key.to_string(),
        plan.host,
        plan.times,
        plan.active,
        plan.span.map(|span| span.starts_at.to_sqlx()) as _,
        plan.span.map(|span| span.ends_at.to_sqlx()) as _
    )
    .execute(tx.conn())
    .await?;
    runs::make_held_due(tx, None).await?;
    let starts_at = plan.span.filter(|_| plan.active).map_or(now, |span| span.starts_at);
    tx.due(Queue::Remediate, starts_at.max(now));
    Ok(())
}

/// The plans of which a stretch begins or is over, and nothing was done about it yet.
pub async fn list_turning(tx: &mut TenantTx) -> Result<Vec<Uuid>> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    Ok(sqlx::query_scalar!(
        "SELECT window_id FROM maintenance_windows
         WHERE tenant_id = $1 AND active AND ((begun_at IS NULL AND starts_at <= $2) OR ends_at <= $2) ORDER BY window_id LIMIT 1000",
        tenant_id,
        now.to_sqlx() as _
    )
    .fetch_all(tx.conn())
    .await?)
}

/// A plan, under the lock of its place's bucket.
pub async fn find_locked(tx: &mut TenantTx, window_id: Uuid) -> Result<Option<Window>> {
    let Some(window) = list(tx, Some(window_id)).await?.pop() else { return Ok(None) };
    if let Some(place) = window.place() {
        place.lock(tx).await?;
    }
    // Read anew: whoever planned it otherwise meanwhile held the organization's bucket, not this one.
    let tenant_id = tx.tenant_id();
    sqlx::query!(
        "SELECT window_id FROM maintenance_windows WHERE tenant_id = $1 AND window_id = $2 FOR UPDATE",
        tenant_id,
        window_id
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(list(tx, Some(window_id)).await?.pop())
}

/// Its stretch begins: what has no permit yet is taken back, and the agents are told.
pub async fn begin(tx: &mut TenantTx, window: &Window, span: Span) -> Result<()> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    sqlx::query!(
        "UPDATE maintenance_windows SET begun_at = $3 WHERE tenant_id = $1 AND window_id = $2",
        tenant_id,
        window.window_id,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    if let Some(place) = window.place() {
        place.forbid(tx, "maintenance").await?;
        let set = json!({ "until": span.ends_at.to_string() });
        let entry = Entry::made("maintenance.began", place.subject(tenant_id), set);
        place.note(tx, entry.with(json!({ "name": window.name }))).await?;
    }
    tx.due(Queue::Remediate, span.ends_at);
    Ok(())
}

/// Its stretch is over; `next` is the one after it. What it held is decided anew.
pub async fn end(tx: &mut TenantTx, window: &Window, next: Option<Span>) -> Result<()> {
    let tenant_id = tx.tenant_id();
    sqlx::query!(
        "UPDATE maintenance_windows SET begun_at = NULL, starts_at = $3, ends_at = $4 WHERE tenant_id = $1 AND window_id = $2",
        tenant_id,
        window.window_id,
        next.map(|span| span.starts_at.to_sqlx()) as _,
        next.map(|span| span.ends_at.to_sqlx()) as _
    )
    .execute(tx.conn())
    .await?;
    if let Some(place) = window.place().filter(|_| window.begun_at.is_some()) {
        place.allow(tx).await?;
        let was = json!({ "until": window.span.map(|span| span.ends_at.to_string()) });
        let entry = Entry::removed("maintenance.ended", place.subject(tenant_id), was);
        place.note(tx, entry.with(json!({ "name": window.name }))).await?;
    }
    if let Some(next) = next {
        tx.due(Queue::Remediate, next.starts_at);
    }
    Ok(())
}

/// Whether maintenance holds over a host now, by the clock: a permit asks, for between a stretch's beginning and the
/// taking back of what waits nothing may begin.
pub async fn holds(tx: &mut TenantTx, client_id: Uuid, host_id: Uuid) -> Result<bool> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM maintenance_windows w
             WHERE w.tenant_id = $1 AND w.active AND w.starts_at <= $4 AND w.ends_at > $4 AND (w.scope_kind = 'tenant' OR (w.scope_key = $2
               AND (w.host_name IS NULL OR w.host_name = (SELECT name FROM hosts WHERE tenant_id = $1 AND host_id = $3))))) AS "holds!""#,
        tenant_id,
        client_id.to_string(),
        host_id,
        now.to_sqlx() as _
    )
    .fetch_one(tx.conn())
    .await?)
}
