//! `org.freedesktop.systemd1` on the bus: the little of it that is used.

use std::collections::HashMap;
use std::time::Duration;

use zbus::{Connection, MatchRule, MessageStream, OwnedObjectPath, OwnedVariant, connection, message, proxy};

use super::judge::{Heard, Properties};

/// Who is asked.
pub const NAME: &str = "org.freedesktop.systemd1";
const UNIT: &str = "org.freedesktop.systemd1.Unit";
const SERVICE: &str = "org.freedesktop.systemd1.Service";
const JOB: &str = "org.freedesktop.systemd1.Job";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";

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

/// The signals of the unit at `path` that say it has changed.
///
/// # Errors
/// The bus does not answer.
pub async fn changes(bus: &Connection, path: &OwnedObjectPath) -> zbus::Result<MessageStream> {
    let rule = MatchRule::builder()
        .msg_type(message::Type::Signal)
        .sender(NAME)
        .interface(PROPERTIES)
        .member("PropertiesChanged")
        .path(path.clone())
        .build()?;
    MessageStream::for_match_rule(rule, bus, None).await
}

/// What a signal of [`changes`] says of the unit; none if it is of something else.
pub fn change(signal: &zbus::Message) -> Option<Heard> {
    let body = signal.body();
    let (of, mut new, _) = body.deserialize::<(String, HashMap<String, OwnedVariant>, Vec<String>)>().ok()?;
    let job = |new: &mut _| take::<(u32, OwnedObjectPath)>(new, "Job").map(|(id, _)| id);
    (of == UNIT).then(|| Heard::Changed { job: job(&mut new), active: take(&mut new, "ActiveState") })
}

/// Reads the unit at `path`.
///
/// # Errors
/// systemd does not answer.
pub async fn read(bus: &Connection, path: &OwnedObjectPath) -> zbus::Result<Properties> {
    let mut unit = all(bus, path, UNIT).await?;
    // First, because a job may be over in a few milliseconds.
    let job = match take::<(u32, OwnedObjectPath)>(&mut unit, "Job") {
        Some((id, job)) if id > 0 => Some(job_type(bus, &job).await),
        _ => None,
    };
    let mut service = all(bus, path, SERVICE).await.or_else(|error| match error {
        // A unit that is not loaded has no properties of its kind.
        zbus::Error::FDO(_) => Ok(HashMap::new()),
        error => Err(error),
    })?;
    let micros = take::<u64>(&mut service, "TimeoutStartUSec").filter(|micros| *micros < u64::MAX);
    Ok(Properties {
        load: text(&mut unit, "LoadState"),
        active: text(&mut unit, "ActiveState"),
        sub: text(&mut unit, "SubState"),
        file: text(&mut unit, "UnitFileState"),
        job,
        is_triggered: take::<Vec<String>>(&mut unit, "TriggeredBy").is_some_and(|by| !by.is_empty()),
        start_burst: take(&mut unit, "StartLimitBurst").unwrap_or(0),
        kind: text(&mut service, "Type"),
        was_started: take::<u64>(&mut service, "ExecMainStartTimestampMonotonic").is_some_and(|at| at > 0),
        result: text(&mut service, "Result"),
        restarts: take(&mut service, "NRestarts").unwrap_or(0),
        exit_how: take(&mut service, "ExecMainCode").unwrap_or(0),
        exit_status: take(&mut service, "ExecMainStatus").unwrap_or(0),
        main_pid: take(&mut service, "MainPID").unwrap_or(0),
        start_limit: micros.map(Duration::from_micros),
    })
}

async fn all(bus: &Connection, path: &OwnedObjectPath, of: &str) -> zbus::Result<HashMap<String, OwnedVariant>> {
    let reply = bus.call_method(Some(NAME), path, Some(PROPERTIES), "GetAll", &(of,)).await?;
    reply.body().deserialize()
}

/// What the job does; a job that is over by now is one of an unknown kind.
async fn job_type(bus: &Connection, job: &OwnedObjectPath) -> String {
    let reply = bus.call_method(Some(NAME), job, Some(PROPERTIES), "Get", &(JOB, "JobType")).await;
    let kind = reply.and_then(|reply| reply.body().deserialize::<OwnedVariant>()).and_then(String::try_from);
    kind.unwrap_or_default()
}

fn text(properties: &mut HashMap<String, OwnedVariant>, name: &str) -> String {
    take(properties, name).unwrap_or_default()
}

fn take<T: TryFrom<OwnedVariant>>(properties: &mut HashMap<String, OwnedVariant>, name: &str) -> Option<T> {
    T::try_from(properties.remove(name)?).ok()
}
