//! `org.freedesktop.systemd1` on the bus: the little of it that is used.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::time::Duration;

use futures_util::StreamExt as _;
use zbus::{
    Connection, MatchRule, MessageStream, OwnedObjectPath, OwnedVariant, Variant, connection, fdo, message, proxy,
};

use super::judge::{Heard, Properties};

/// Who is asked.
pub const NAME: &str = "org.freedesktop.systemd1";
const MANAGER: &str = "org.freedesktop.systemd1.Manager";
const UNIT: &str = "org.freedesktop.systemd1.Unit";
const SERVICE: &str = "org.freedesktop.systemd1.Service";
const JOB: &str = "org.freedesktop.systemd1.Job";
/// Where the objects of units are.
const UNITS: &str = "/org/freedesktop/systemd1/unit";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
/// So many signals wait to be heard.
const QUEUE: Option<NonZeroUsize> = NonZeroUsize::new(8);
/// A unit that changes while it is read is read no more often than this.
const READS: usize = 3;

/// systemd itself.
#[proxy(
    interface = "org.freedesktop.systemd1.Manager",
    default_service = "org.freedesktop.systemd1",
    default_path = "/org/freedesktop/systemd1"
)]
pub trait Manager {
    /// The object of a unit, which is loaded if it is not.
    fn load_unit(&self, name: &str) -> zbus::Result<OwnedObjectPath>;
    /// Starts it; gives the job.
    fn start_unit(&self, name: &str, mode: &str) -> zbus::Result<OwnedObjectPath>;
    /// Stops it; gives the job.
    fn stop_unit(&self, name: &str, mode: &str) -> zbus::Result<OwnedObjectPath>;
    /// Stops and starts it; gives the job.
    fn restart_unit(&self, name: &str, mode: &str) -> zbus::Result<OwnedObjectPath>;
    /// Makes a unit that is gone when it has ended, and starts it; gives the job. `aux` are units that come with it.
    fn start_transient_unit(
        &self,
        name: &str,
        mode: &str,
        properties: &[(&str, Variant<'_>)],
        aux: &[(&str, Vec<(&str, Variant<'_>)>)],
    ) -> zbus::Result<OwnedObjectPath>;
    /// Forgets that it failed, and how often it was started.
    fn reset_failed_unit(&self, name: &str) -> zbus::Result<()>;
    /// Asks for signals; without a subscriber systemd sends none.
    fn subscribe(&self) -> zbus::Result<()>;
    /// A job is over.
    #[zbus(signal)]
    fn job_removed(&self, id: u32, job: OwnedObjectPath, unit: String, result: String) -> zbus::Result<()>;
}

/// Connects to the bus at `address`, or to the system bus. No call takes longer than `limit`.
///
/// # Errors
/// Nobody listens there, or it is no bus.
pub async fn connect(address: Option<&str>, limit: Duration) -> zbus::Result<Connection> {
    let builder = match address {
        Some(address) => connection::Builder::address(address),
        None => connection::Builder::system(),
    };
    builder.method_timeout(limit).build().await
}

/// The signals that say a unit has changed, and those that say a job of one is over.
///
/// # Errors
/// The bus does not answer.
pub async fn signals(bus: &Connection) -> zbus::Result<(MessageStream, MessageStream)> {
    let signals = || MatchRule::builder().msg_type(message::Type::Signal).sender(NAME);
    // Each change is told for the unit's own kind first, and then for all units alike: once is enough.
    let changed = signals().interface(PROPERTIES).member("PropertiesChanged").path_namespace(UNITS).arg0ns(UNIT);
    let over = signals().interface(MANAGER).member("JobRemoved").build()?;
    let changed = MessageStream::for_match_rule(changed.build()?, bus, QUEUE).await?;
    Ok((changed, MessageStream::for_match_rule(over, bus, QUEUE).await?))
}

/// The object of the unit `name`, whose signals are sent from now on.
///
/// # Errors
/// Bus or systemd do not answer.
pub async fn attend(bus: &Connection, name: &str) -> zbus::Result<OwnedObjectPath> {
    let systemd = ManagerProxy::new(bus).await?;
    let path = systemd.load_unit(name).await?;
    match systemd.subscribe().await {
        // One connection for all lookouts: another one asked before.
        Err(zbus::Error::MethodError(name, ..)) if name.ends_with(".AlreadySubscribed") => {}
        other => other?,
    }
    Ok(path)
}

/// Waits until `job` is over, and gives its result. `over` listens since before the job was asked for.
///
/// # Errors
/// The bus goes away.
pub async fn end_of(over: &mut JobRemovedStream, job: &OwnedObjectPath) -> zbus::Result<String> {
    while let Some(signal) = over.next().await {
        let removed = signal.args()?;
        if removed.job == *job {
            return Ok(removed.result.clone());
        }
    }
    Err(std::io::Error::other("the bus went away while systemd was at work").into())
}

/// The path of the unit `name`, as systemd makes it: all but letters and digits is written in hexadecimal.
pub fn path_of(name: &str) -> String {
    let mut path = format!("{UNITS}/");
    for (at, byte) in name.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => path.push(char::from(byte)),
            b'0'..=b'9' if at > 0 => path.push(char::from(byte)),
            _ => path.push_str(&format!("_{byte:02x}")),
        }
    }
    path
}

/// Of which unit a job is over, and what the signal says of it.
pub fn job_over(signal: &zbus::Message) -> Option<(String, Heard)> {
    let body = signal.body();
    let (job, _, unit, result) = body.deserialize::<(u32, OwnedObjectPath, String, String)>().ok()?;
    Some((unit, Heard::Over { job, result }))
}

/// What a signal says of the unit that has changed; none if it is of something else.
pub fn change(signal: &zbus::Message) -> Option<Heard> {
    let body = signal.body();
    let (of, mut new, _) = body.deserialize::<(String, HashMap<String, OwnedVariant>, Vec<String>)>().ok()?;
    let job = |new: &mut _| take::<(u32, OwnedObjectPath)>(new, "Job").map(|(id, _)| id);
    (of == UNIT).then(|| Heard::Changed { job: job(&mut new), active: take(&mut new, "ActiveState") })
}

/// Reads the unit at `path`: one property after the other, because all of them at once are hundreds. What changed
/// meanwhile is read again.
///
/// # Errors
/// systemd does not answer.
pub async fn read(bus: &Connection, path: &OwnedObjectPath) -> zbus::Result<Properties> {
    let unit = Object { bus, path, of: UNIT };
    let mut state = (unit.text("ActiveState").await?, unit.text("SubState").await?);
    for _ in 1..READS {
        let read = once(bus, path, &state).await?;
        let now = (unit.text("ActiveState").await?, unit.text("SubState").await?);
        if now == state {
            return Ok(read);
        }
        state = now;
    }
    once(bus, path, &state).await
}

async fn once(bus: &Connection, path: &OwnedObjectPath, state: &(String, String)) -> zbus::Result<Properties> {
    let (unit, service) = (Object { bus, path, of: UNIT }, Object { bus, path, of: SERVICE });
    // First, because a job may be over in a few milliseconds.
    let job = match unit.get::<(u32, OwnedObjectPath)>("Job").await? {
        Some((id, job)) if id > 0 => {
            // A job that is over by now is one of an unknown kind.
            Some(Object { bus, path: &job, of: JOB }.text("JobType").await.unwrap_or_default())
        }
        _ => None,
    };
    let restarts = service.get("NRestarts").await?.unwrap_or(0);
    let main_pid = service.get("MainPID").await?.unwrap_or(0);
    let (active, sub) = state.clone();
    let known = Properties { active, sub, job, restarts, main_pid, was_started: main_pid > 0, ..Properties::default() };
    if main_pid > 0 && matches!(state.0.as_str(), "active" | "reloading") {
        // The rest matters only when it does not run.
        return Ok(known);
    }
    let micros = service.get::<u64>("TimeoutStartUSec").await?.filter(|micros| *micros < u64::MAX);
    let is_down = matches!(state.0.as_str(), "inactive" | "failed");
    Ok(Properties {
        load: unit.text("LoadState").await?,
        // systemd looks for it on the disk each time.
        file: if is_down { unit.text("UnitFileState").await? } else { String::new() },
        is_triggered: unit.get::<Vec<String>>("TriggeredBy").await?.is_some_and(|by| !by.is_empty()),
        start_burst: unit.get("StartLimitBurst").await?.unwrap_or(0),
        kind: service.text("Type").await?,
        was_started: service.get::<u64>("ExecMainStartTimestampMonotonic").await?.is_some_and(|at| at > 0),
        result: service.text("Result").await?,
        exit_how: service.get("ExecMainCode").await?.unwrap_or(0),
        exit_status: service.get("ExecMainStatus").await?.unwrap_or(0),
        start_limit: micros.map(Duration::from_micros),
        ..known
    })
}

/// An object on the bus, and an interface of it.
struct Object<'a> {
    bus: &'a Connection,
    path: &'a OwnedObjectPath,
    of: &'a str,
}

impl Object<'_> {
    /// One property; none if it has no such one, or of another type.
    async fn get<T: TryFrom<OwnedVariant>>(&self, name: &str) -> zbus::Result<Option<T>> {
        match self.bus.call_method(Some(NAME), self.path, Some(PROPERTIES), "Get", &(self.of, name)).await {
            Ok(reply) => Ok(T::try_from(reply.body().deserialize()?).ok()),
            // A unit that is not loaded has no properties of its kind.
            Err(zbus::Error::FDO(error)) if is_unknown(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn text(&self, name: &str) -> zbus::Result<String> {
        Ok(self.get(name).await?.unwrap_or_default())
    }
}

fn is_unknown(error: &fdo::Error) -> bool {
    use fdo::Error as E;
    matches!(error, E::UnknownProperty(_) | E::UnknownInterface(_) | E::UnknownObject(_) | E::UnknownMethod(_))
}

fn take<T: TryFrom<OwnedVariant>>(properties: &mut HashMap<String, OwnedVariant>, name: &str) -> Option<T> {
    T::try_from(properties.remove(name)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_units_path_is_the_one_that_systemd_gives() {
        assert_eq!(path_of("shop-web.service"), "/org/freedesktop/systemd1/unit/shop_2dweb_2eservice");
        assert_eq!(path_of("9p@a_1.service"), "/org/freedesktop/systemd1/unit/_39p_40a_5f1_2eservice");
    }
}
