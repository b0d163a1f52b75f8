//! Services that systemd runs, watched and acted on over D-Bus.
//!
//! [`proxy`] asks, [`judge`] decides what the answer means, [`line`] is what all lookouts share, [`lookout`] watches a unit, [`act`] is the program that a
//! step of a run is, [`scope`] gives the runner a unit of its own.

pub mod act;
pub mod judge;
pub mod line;
pub mod lookout;
pub mod proxy;
pub mod scope;

use std::time::Duration;

use judge::{Acting, Before, Judged, State, judge};
use zbus::{Connection, OwnedObjectPath};

use crate::service::Look;
use crate::service::declared::Unit;

/// Looks at `unit` once, for at most `limit`, on the bus at `address` or on the system's.
pub async fn look(unit: &Unit, address: Option<&str>, limit: Duration) -> Look {
    let ask = async {
        let bus = proxy::connect(address, limit).await?;
        let path = proxy::ManagerProxy::new(&bus).await?.load_unit(unit.name()).await?;
        Ok(look_once(&bus, &path).await?.0)
    };
    let judged = match tokio::time::timeout(limit, ask).await {
        Ok(Ok(judged)) => judged,
        Ok(Err(error)) => return Look::NoData(format!("systemd does not answer: {}", words(&error))),
        Err(_) => return Look::NoData(format!("systemd took longer than {} ms", limit.as_millis())),
    };
    match judged.state {
        State::Running | State::Done => Look::Running(judged.pid.and_then(|pid| i32::try_from(pid).ok())),
        State::Failed => Look::Failed(judged.detail),
        State::Stopped => Look::Stopped(judged.detail),
        State::Starting | State::Restarting | State::Stopping | State::NoData => Look::NoData(judged.detail),
    }
}

/// How the unit at `path` is without knowing how it was, and whether systemd says that it failed.
async fn look_once(bus: &Connection, path: &OwnedObjectPath) -> zbus::Result<(Judged, bool)> {
    let unit = proxy::read(bus, path).await?;
    let has_failed = unit.active == "failed";
    Ok((judge(&unit, &mut Before::default(), Acting::Nobody, Duration::ZERO), has_failed))
}

/// What `error` says; of an answer that systemd gave, its own words.
pub(crate) fn words(error: &zbus::Error) -> String {
    match error {
        zbus::Error::MethodError(name, text, _) => match text {
            Some(text) => text.clone(),
            None => name.to_string(),
        },
        error => error.to_string(),
    }
}
