//! Planned maintenance.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use store::TenantTx;
use store::remediate::maintenance::{self, Plan};
use uuid::Uuid;

use super::{ApplyError, Work};
use crate::seed::document::Document;
use crate::seed::known::tell_window;

impl Work<'_> {
    /// Plans that are new or say something else now. One that is left out stays.
    pub(super) async fn write_maintenance(
        &mut self,
        tx: &mut TenantTx,
        document: &Document,
        clients: &BTreeMap<String, Uuid>,
    ) -> Result<(), ApplyError> {
        let now = tx.now().await?;
        for entry in &document.maintenance {
            let what = format!("maintenance {:?}", entry.name);
            match self.known.windows.iter().find(|window| window.name == entry.name) {
                None => self.report.created(what),
                Some(window) => {
                    let old = serde_json::to_value(tell_window(window))?;
                    if !self.report.changed(&what, &old, &serde_json::to_value(entry)?) {
                        continue;
                    }
                }
            }
            let of_client = entry.client.as_ref().map(|name| {
                let known = document.clients.iter().find(|client| client.name == *name);
                let zone = known.and_then(|client| client.time_zone.clone());
                zone.or_else(|| {
                    self.known.client(name).filter(|_| known.is_none()).map(|client| client.time_zone.clone())
                })
            });
            let zone = of_client.flatten().unwrap_or_else(|| document.tenant.time_zone.clone());
            // It was found sound before: a zone that is none is told there.
            let zone = TimeZone::get(&zone).unwrap_or(TimeZone::UTC);
            let times = entry.times();
            let plan = Plan {
                name: &entry.name,
                client_id: entry.client.as_ref().and_then(|name| clients.get(name).copied()),
                host: entry.host.as_deref(),
                times: &serde_json::to_value(&times)?,
                active: entry.active,
                span: times.next(now, &zone),
            };
            maintenance::put(tx, &plan).await?;
        }
        for other in &self.known.windows {
            if !document.maintenance.iter().any(|entry| entry.name == other.name) {
                self.report.not_in_file(format!("maintenance {:?}", other.name));
            }
        }
        Ok(())
    }
}
