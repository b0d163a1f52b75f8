//! Planned maintenance begins and ends. It holds by the clock alone, whoever is late; here what waits is taken back at its
//! beginning, and decided anew at its end.

use domain::remediate::maintenance::Times;
use jiff::tz::TimeZone;
use store::remediate::maintenance;
use store::{StoreError, TenantTx};
use uuid::Uuid;

/// What is due of one plan now.
pub async fn turn(tx: &mut TenantTx, window_id: Uuid) -> store::Result<()> {
    let Some(window) = maintenance::find_locked(tx, window_id).await?.filter(|window| window.active) else {
        return Ok(());
    };
    let now = tx.now().await?;
    match window.span {
        Some(span) if span.ends_at <= now => {
            let corrupt = |_| StoreError::Corrupt { table: "maintenance_windows", column: "times", id: window_id };
            let times: Times = serde_json::from_value(window.times.clone()).map_err(corrupt)?;
            // A zone that this server's data does not know any more: the times are kept, in UTC.
            let zone = TimeZone::get(&window.time_zone).unwrap_or(TimeZone::UTC);
            maintenance::end(tx, &window, times.next(now, &zone)).await
        }
        Some(span) if span.starts_at <= now && window.begun_at.is_none() => maintenance::begin(tx, &window, span).await,
        _ => Ok(()),
    }
}
