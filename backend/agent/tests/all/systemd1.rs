//! A double of systemd on a bus of the test's own: it has one unit, does what the test tells it to, and may have others
//! that merely run.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::time::timeout;
use zbus::message::Header;
use zbus::object_server::SignalEmitter;
use zbus::{Connection, ObjectPath, OwnedObjectPath, OwnedVariant, connection, fdo, interface};

use crate::fake::GUARD;

pub const UNIT: &str = "shop-web.service";
const MANAGER_PATH: &str = "/org/freedesktop/systemd1";
const UNIT_PATH: &str = "/org/freedesktop/systemd1/unit/shop_2dweb_2eservice";

/// What the unit's properties are; those that the agent does not read are left out.
#[derive(Debug, Clone)]
pub struct Facts {
    pub load: &'static str,
    pub active: &'static str,
    pub sub: &'static str,
    pub kind: &'static str,
    pub result: &'static str,
    pub restarts: u32,
    pub pid: u32,
    /// The type of the job that is queued.
    pub job: Option<&'static str>,
}

impl Facts {
    pub fn running(pid: u32) -> Self {
        let (load, active, sub, kind, result) = ("loaded", "active", "running", "notify", "success");
        Self { load, active, sub, kind, result, restarts: 0, pid, job: None }
    }

    pub fn down(active: &'static str, sub: &'static str, result: &'static str) -> Self {
        Self { active, sub, result, pid: 0, ..Self::running(0) }
    }
}

type Shared = Arc<Mutex<Facts>>;

struct Unit(Shared);

#[interface(name = "org.freedesktop.systemd1.Unit")]
impl Unit {
    #[zbus(property)]
    fn load_state(&self) -> String {
        self.0.lock().unwrap().load.to_owned()
    }

    #[zbus(property)]
    fn active_state(&self) -> String {
        self.0.lock().unwrap().active.to_owned()
    }

    #[zbus(property)]
    fn sub_state(&self) -> String {
        self.0.lock().unwrap().sub.to_owned()
    }

    #[zbus(property)]
    fn unit_file_state(&self) -> String {
        "enabled".to_owned()
    }

    #[zbus(property)]
    fn start_limit_burst(&self) -> u32 {
        5
    }

    #[zbus(property)]
    fn triggered_by(&self) -> Vec<String> {
        Vec::new()
    }

    #[zbus(property)]
    fn job(&self) -> (u32, OwnedObjectPath) {
        match self.0.lock().unwrap().job {
            Some(_) => (1, job_path(1)),
            None => (0, ObjectPath::try_from("/").unwrap().into()),
        }
    }
}

struct Service(Shared);

#[interface(name = "org.freedesktop.systemd1.Service")]
impl Service {
    #[zbus(property, name = "Type")]
    fn kind(&self) -> String {
        self.0.lock().unwrap().kind.to_owned()
    }

    #[zbus(property)]
    fn result(&self) -> String {
        self.0.lock().unwrap().result.to_owned()
    }

    #[zbus(property, name = "NRestarts")]
    fn restarts(&self) -> u32 {
        self.0.lock().unwrap().restarts
    }

    #[zbus(property)]
    fn exec_main_status(&self) -> i32 {
        9
    }

    #[zbus(property)]
    fn exec_main_code(&self) -> i32 {
        2
    }

    #[zbus(property)]
    fn exec_main_start_timestamp_monotonic(&self) -> u64 {
        1
    }

    #[zbus(property, name = "MainPID")]
    fn main_pid(&self) -> u32 {
        self.0.lock().unwrap().pid
    }

    #[zbus(property, name = "TimeoutStartUSec")]
    fn timeout_start(&self) -> u64 {
        90_000_000
    }
}

struct Job(Shared);

#[interface(name = "org.freedesktop.systemd1.Job")]
impl Job {
    #[zbus(property)]
    fn job_type(&self) -> String {
        self.0.lock().unwrap().job.unwrap_or_default().to_owned()
    }
}

/// What the double does when it is asked for a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scopes {
    /// It is there at once.
    Given,
    /// Its job is queued until the test ends it.
    Queued,
    /// No.
    Refused,
    /// The call is never answered.
    Unanswered,
}

/// A scope that was asked for.
#[derive(Debug)]
pub struct Asked {
    pub name: String,
    pub mode: String,
    pub properties: HashMap<String, OwnedVariant>,
    /// The process that asked, as the bus knows it.
    pub pid: u32,
}

impl Asked {
    pub fn property<T: TryFrom<OwnedVariant>>(&self, name: &str) -> Option<T> {
        T::try_from(self.properties.get(name)?.try_clone().unwrap()).ok()
    }
}

struct Manager {
    facts: Shared,
    calls: mpsc::UnboundedSender<&'static str>,
    scopes: Arc<Mutex<Scopes>>,
    asked: mpsc::UnboundedSender<Asked>,
}

impl Manager {
    fn called(&self, what: &'static str, name: &str, mode: &str) -> fdo::Result<OwnedObjectPath> {
        if (name, mode) != (UNIT, "replace") {
            return Err(fdo::Error::InvalidArgs(format!("{name} {mode}")));
        }
        if self.facts.lock().unwrap().load == "masked" {
            return Err(fdo::Error::Failed(format!("Unit {name} is masked.")));
        }
        self.calls.send(what).unwrap();
        Ok(job_path(1))
    }
}

#[interface(name = "org.freedesktop.systemd1.Manager")]
impl Manager {
    fn load_unit(&self, name: &str) -> fdo::Result<OwnedObjectPath> {
        Ok(unit_path(name))
    }

    fn start_unit(&self, name: &str, mode: &str) -> fdo::Result<OwnedObjectPath> {
        self.called("start", name, mode)
    }

    fn stop_unit(&self, name: &str, mode: &str) -> fdo::Result<OwnedObjectPath> {
        self.called("stop", name, mode)
    }

    fn restart_unit(&self, name: &str, mode: &str) -> fdo::Result<OwnedObjectPath> {
        self.called("restart", name, mode)
    }

    fn reset_failed_unit(&self, name: &str) -> fdo::Result<()> {
        assert_eq!(name, UNIT);
        self.calls.send("reset").unwrap();
        *self.facts.lock().unwrap() = Facts::down("inactive", "dead", "success");
        Ok(())
    }

    async fn start_transient_unit(
        &self,
        name: String,
        mode: String,
        properties: Vec<(String, OwnedVariant)>,
        aux: Vec<(String, Vec<(String, OwnedVariant)>)>,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> fdo::Result<OwnedObjectPath> {
        assert_eq!(aux.len(), 0);
        let sender = header.sender().unwrap().to_owned();
        let pid = fdo::DBusProxy::new(bus).await?.get_connection_unix_process_id(sender.into()).await?;
        let properties = properties.into_iter().collect();
        self.asked.send(Asked { name: name.clone(), mode, properties, pid }).unwrap();
        let scopes = *self.scopes.lock().unwrap();
        match scopes {
            Scopes::Given => {
                Self::job_removed(&SignalEmitter::new(bus, MANAGER_PATH)?, 3, job_path(3), name, "done".into())
                    .await
                    .unwrap()
            }
            Scopes::Queued => {}
            Scopes::Refused => return Err(fdo::Error::AccessDenied("Access denied by the test".into())),
            Scopes::Unanswered => std::future::pending().await,
        }
        Ok(job_path(3))
    }

    fn subscribe(&self) {}

    #[zbus(signal)]
    async fn job_removed(
        emitter: &SignalEmitter<'_>,
        id: u32,
        job: OwnedObjectPath,
        unit: String,
        result: String,
    ) -> zbus::Result<()>;
}

fn unit_path(name: &str) -> OwnedObjectPath {
    let path = if name == UNIT { UNIT_PATH.to_owned() } else { agent::service::systemd::proxy::path_of(name) };
    ObjectPath::try_from(path).unwrap().into()
}

fn job_path(id: u32) -> OwnedObjectPath {
    ObjectPath::try_from(format!("{MANAGER_PATH}/job/{id}")).unwrap().into()
}

/// A message bus of the test's own.
pub struct Bus {
    socket: PathBuf,
    daemon: Child,
}

impl Bus {
    /// In `dir`, where anybody may own any name and talk to everybody.
    pub async fn new(dir: &Path) -> Self {
        let (socket, config) = (dir.join("bus"), dir.join("bus.conf"));
        let _ = fs::remove_file(&socket);
        let text = format!(
            "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\" \
             \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n<busconfig>\n\
             <listen>unix:path={}</listen>\n<auth>EXTERNAL</auth>\n<policy context=\"default\">\n\
             <allow own=\"*\"/>\n<allow send_destination=\"*\"/>\n<allow receive_sender=\"*\"/>\n\
             </policy>\n</busconfig>\n",
            socket.display()
        );
        fs::write(&config, text).unwrap();
        let mut command = Command::new("dbus-daemon");
        command.arg(format!("--config-file={}", config.display())).args([
            "--nofork",
            "--nopidfile",
            "--print-address=1",
        ]);
        let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true).spawn();
        let mut daemon = spawned.unwrap_or_else(|error| {
            panic!("these tests need dbus-daemon: apt-get install dbus (it cannot be started here: {error})")
        });
        // It prints its address when it listens.
        let mut lines = BufReader::new(daemon.stdout.take().unwrap()).lines();
        timeout(GUARD, lines.next_line()).await.unwrap().unwrap().expect("dbus-daemon listens");
        Self { socket, daemon }
    }

    pub fn address(&self) -> String {
        format!("unix:path={}", self.socket.display())
    }

    pub async fn kill(mut self) {
        self.daemon.kill().await.unwrap();
    }
}

/// The double.
pub struct Systemd {
    bus: Connection,
    facts: Shared,
    calls: mpsc::UnboundedReceiver<&'static str>,
    scopes: Arc<Mutex<Scopes>>,
    asked: mpsc::UnboundedReceiver<Asked>,
}

impl Systemd {
    /// On `bus`, with a unit that is as `facts` say.
    pub async fn new(bus: &Bus, facts: Facts) -> Self {
        Self::among(bus, facts, &[]).await
    }

    /// The same, with other units that run.
    pub async fn among(bus: &Bus, facts: Facts, others: &[String]) -> Self {
        let facts = Arc::new(Mutex::new(facts));
        let (sender, calls) = mpsc::unbounded_channel();
        let (asking, asked) = mpsc::unbounded_channel();
        let scopes = Arc::new(Mutex::new(Scopes::Given));
        let manager = Manager { facts: facts.clone(), calls: sender, scopes: scopes.clone(), asked: asking };
        let bus = connection::Builder::address(bus.address().as_str())
            .serve_at(MANAGER_PATH, manager)
            .serve_at(UNIT_PATH, Unit(facts.clone()))
            .serve_at(UNIT_PATH, Service(facts.clone()))
            .serve_at(job_path(1), Job(facts.clone()))
            .name("org.freedesktop.systemd1")
            .build()
            .await
            .unwrap();
        for other in others {
            let facts = Arc::new(Mutex::new(Facts::running(1)));
            let (server, path) = (bus.object_server(), unit_path(other));
            server.at(&path, Unit(facts.clone())).await.unwrap();
            server.at(&path, Service(facts)).await.unwrap();
        }
        Self { bus, facts, calls, scopes, asked }
    }

    /// From now on the unit is as `facts` say; whoever listens hears it.
    pub async fn set(&self, facts: Facts) {
        *self.facts.lock().unwrap() = facts;
        let unit = self.bus.object_server().interface::<_, Unit>(UNIT_PATH).await.unwrap();
        unit.get().await.active_state_changed(unit.signal_emitter()).await.unwrap();
    }

    /// The next thing that somebody asked for.
    pub async fn called(&mut self) -> &'static str {
        timeout(GUARD, self.calls.recv()).await.expect("something is asked for").unwrap()
    }

    /// Nothing was asked for.
    pub fn is_untouched(&mut self) -> bool {
        self.calls.try_recv().is_err()
    }

    /// From now on it does this when it is asked for a scope.
    pub fn give(&self, scopes: Scopes) {
        *self.scopes.lock().unwrap() = scopes;
    }

    /// The next scope that a runner asks for.
    pub async fn asked(&mut self) -> Asked {
        timeout(GUARD, self.asked.recv()).await.expect("a scope is asked for").unwrap()
    }

    /// The queued job of the scope `name` is over.
    pub async fn end_scope(&self, name: &str, result: &str) {
        let emitter = SignalEmitter::new(&self.bus, MANAGER_PATH).unwrap();
        Manager::job_removed(&emitter, 3, job_path(3), name.to_owned(), result.to_owned()).await.unwrap();
    }

    /// The job that was asked for is over; the unit is as `facts` say.
    pub async fn end(&self, result: &str, facts: Facts) {
        self.set(facts).await;
        let emitter = SignalEmitter::new(&self.bus, MANAGER_PATH).unwrap();
        let (unit, result) = (UNIT.to_owned(), result.to_owned());
        // Other jobs end as well.
        Manager::job_removed(&emitter, 2, job_path(2), "other.service".into(), "failed".into()).await.unwrap();
        Manager::job_removed(&emitter, 1, job_path(1), unit, result).await.unwrap();
    }
}
