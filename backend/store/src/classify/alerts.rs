//! Table `alerts`.

use domain::classify::recurrence::Fixed;
use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx;
use uuid::Uuid;

use crate::error::exactly_one;
use crate::{Result, Store, TenantTx};

/// An open alert, locked.
#[derive(Clone, Debug)]
pub struct Alert {
    /// Its id.
    pub alert_id: Uuid,
    /// Its incident.
    pub incident_id: Uuid,
    /// `warning` or `critical`.
    pub severity: String,
    /// The newest `check_states.version` it has seen.
    pub newest_version: i64,
    /// Whether that was `cleared`.
    pub newest_ok: bool,
    /// How many signals it has seen.
    pub signal_count: i32,
}

/// The open alert of this fingerprint, locked until the transaction ends.
pub async fn find_open(tx: &mut TenantTx, fingerprint: &[u8; 32]) -> Result<Option<Alert>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_as!(
        Alert,
        "SELECT alert_id, incident_id, severity, newest_version, newest_ok, signal_count FROM alerts
         WHERE tenant_id = $1 AND fingerprint = $2 AND state = 'open' FOR UPDATE",
        tenant_id,
        &fingerprint[..]
    )
    .fetch_optional(tx.conn())
    .await?)
}

/// An alert to be opened.
#[derive(Debug)]
pub struct NewAlert<'a> {
    /// The client.
    pub client_id: Uuid,
    /// Its incident.
    pub incident_id: Uuid,
    /// The host.
    pub host_id: Uuid,
    /// The check.
    pub check_id: Uuid,
    /// The target.
    pub target: &'a str,
    /// Its fingerprint.
    pub fingerprint: &'a [u8; 32],
    /// `warning` or `critical`.
    pub severity: &'a str,
    /// The raising signal's version.
    pub newest_version: i64,
}

/// Opens an alert; a second one of its fingerprint conflicts with `alerts_one_open`.
pub async fn insert(tx: &mut TenantTx, a: &NewAlert<'_>) -> Result<Uuid> {
    let (tenant_id, alert_id, now) = (tx.tenant_id(), Store::new_id(), tx.now().await?);
    sqlx::query!(
        "INSERT INTO alerts (tenant_id, client_id, alert_id, incident_id, host_id, check_id, target, fingerprint, severity, state, opened_at, newest_version)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'open', $10, $11)",
        tenant_id,
        a.client_id,
        alert_id,
        a.incident_id,
        a.host_id,
        a.check_id,
        a.target,
        &a.fingerprint[..],
        a.severity,
        now.to_sqlx() as _,
        a.newest_version
    )
    .execute(tx.conn())
    .await?;
    Ok(alert_id)
}

/// One more signal of an open alert: its version, whether it is ok now, and its severity; an open alert gets worse, never milder.
pub async fn mark_signal(tx: &mut TenantTx, alert_id: Uuid, version: i64, ok: bool, severity: &str) -> Result<()> {
    let tenant_id = tx.tenant_id();
    let done = sqlx::query!(
        "UPDATE alerts SET newest_version = $3, newest_ok = $4, signal_count = signal_count + 1,
           severity = CASE WHEN $5 = 'critical' THEN 'critical' ELSE severity END
         WHERE tenant_id = $1 AND alert_id = $2 AND state = 'open' AND newest_version < $3",
        tenant_id,
        alert_id,
        version,
        ok,
        severity
    )
    .execute(tx.conn())
    .await?;
    exactly_one("alerts.mark_signal", done.rows_affected())
}

/// The fixes of alerts of this fingerprint since then with the runs that fixed them, newest first.
pub async fn list_fixed(tx: &mut TenantTx, fingerprint: &[u8; 32], since: Timestamp) -> Result<Vec<(Uuid, Fixed)>> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query!(
        r#"SELECT r.run_id, a.closed_at AS "closed_at!", coalesce(v.stable_ms, v.stable_secs * 1000) AS "stable_ms!" FROM alerts a
             JOIN runs r ON r.tenant_id = a.tenant_id AND r.alert_id = a.alert_id AND r.state = 'fixed'
             JOIN verifications v ON v.tenant_id = r.tenant_id AND v.run_id = r.run_id AND v.purpose = 'fix' AND v.attempt = r.attempt
           WHERE a.tenant_id = $1 AND a.fingerprint = $2 AND a.close_cause = 'fixed' AND a.closed_at > $3
           ORDER BY a.closed_at DESC LIMIT 16"#,
        tenant_id,
        &fingerprint[..],
        since.to_sqlx() as _
    )
    .fetch_all(tx.conn())
    .await?;
    let fixed = |at, stable_ms: i32| Fixed { at, stable: SignedDuration::from_millis(stable_ms.into()) };
    Ok(rows.into_iter().map(|r| (r.run_id, fixed(r.closed_at.to_jiff(), r.stable_ms))).collect())
}

/// Closes an open alert: `fixed`, `recovered` or `by_person`.
pub async fn mark_closed(tx: &mut TenantTx, alert_id: Uuid, cause: &str) -> Result<()> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let done = sqlx::query!(
        "UPDATE alerts SET state = 'closed', closed_at = $3, close_cause = $4
         WHERE tenant_id = $1 AND alert_id = $2 AND state = 'open'",
        tenant_id,
        alert_id,
        now.to_sqlx() as _,
        cause
    )
    .execute(tx.conn())
    .await?;
    exactly_one("alerts.mark_closed", done.rows_affected())
}

/// The alert, locked, if it is open.
pub async fn find(tx: &mut TenantTx, alert_id: Uuid) -> Result<Option<Alert>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_as!(
        Alert,
        "SELECT alert_id, incident_id, severity, newest_version, newest_ok, signal_count FROM alerts
         WHERE tenant_id = $1 AND alert_id = $2 AND state = 'open' FOR UPDATE",
        tenant_id,
        alert_id
    )
    .fetch_optional(tx.conn())
    .await?)
}

/// Whether an incident has an open alert.
pub async fn has_open(tx: &mut TenantTx, incident_id: Uuid) -> Result<bool> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM alerts WHERE tenant_id = $1 AND incident_id = $2 AND state = 'open') AS "open!""#,
        tenant_id,
        incident_id
    )
    .fetch_one(tx.conn())
    .await?)
}

/// How often a problem of this incident was fixed since `since`, this time included: the same check on the same target.
pub async fn count_fixed_like(tx: &mut TenantTx, incident_id: Uuid, since: Timestamp) -> Result<u64> {
    let tenant_id = tx.tenant_id();
    let n = sqlx::query_scalar!(
        r#"SELECT count(*) AS "n!" FROM alerts a JOIN alerts b ON b.tenant_id = a.tenant_id AND b.fingerprint = a.fingerprint
           WHERE a.tenant_id = $1 AND a.incident_id = $2 AND b.close_cause = 'fixed' AND b.closed_at > $3"#,
        tenant_id,
        incident_id,
        since.to_sqlx() as _
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(n.cast_unsigned())
}
