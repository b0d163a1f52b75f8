//! A scope of the runner's own: a transient unit of systemd that holds one run, so that whatever is done to the agent's unit
//! leaves the run alone.
//!
//! The runner asks for itself before it begins, and names no process: number 0 means whoever asks. So a request that systemd
//! comes to when the runner is gone moves nobody, whoever has its number by then. Without a scope the run goes on where its
//! agent is, as it does where there is no systemd: what that risks is its life, and a run that died half way is in doubt and
//! never run again by itself.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use runner::confine::cannot_group;
use serde::{Deserialize, Serialize};
use wire::v1::{JobKey, Purpose};
use zbus::Variant;

use super::proxy::{self, ManagerProxy};
use super::words;
use crate::cgroup;

/// Is there where systemd is PID 1, says sd_booted(3).
const BOOTED: &str = "/run/systemd/system";
/// The runner waits no longer for its scope. systemd answers within milliseconds unless it reads all its units anew.
const LIMIT: Duration = Duration::from_secs(2);
/// When systemd stops a scope, as at a shutdown, so long is between TERM and KILL. The runner itself gives a step 5 s.
const STOP: Duration = Duration::from_secs(10);
/// The cgroup in the scope below which the steps have theirs.
const STEPS: &str = "steps";

/// Whom the runners of this host ask for scopes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scopes {
    bus: Option<String>,
    slice: Option<String>,
    own_groups: bool,
}

impl Scopes {
    /// Of a host on which systemd is PID 1, or is on the bus at `bus`; none of any other. With `own_groups`, the steps' groups
    /// are made in the scope.
    pub fn of_host(bus: Option<&str>, own_groups: bool) -> Option<Self> {
        if bus.is_none() && !Path::new(BOOTED).is_dir() {
            return None;
        }
        let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        Some(Self { bus: bus.map(str::to_owned), slice: slice_of(&groups), own_groups })
    }

    /// The scope for `job`. No two starts share it: an attempt is started at most once.
    pub fn of_job(&self, job: &JobKey) -> Scope {
        let JobKey { run_id, leg, attempt, .. } = job;
        let purpose = match job.purpose {
            Purpose::Fix => "fix",
            Purpose::Undo => "undo",
            Purpose::Diagnostics => "diagnostics",
        };
        Scope {
            name: format!("mendwright-run-{run_id}-{purpose}-{leg}-{attempt}.scope"),
            description: format!("Mendwright run {run_id} ({purpose}, leg {leg}, attempt {attempt})"),
            of: self.clone(),
        }
    }
}

/// The slice of the service whose `/proc/self/cgroup` says `groups`. A session's is gone when its person is: that one is nobody's.
fn slice_of(groups: &str) -> Option<String> {
    let group = |hierarchy| groups.lines().find_map(|line| line.split_once(hierarchy)).map(|(_, path)| path);
    let mut parts = group(":name=systemd:").or_else(|| group("0::"))?.rsplit('/');
    let (unit, slice) = (parts.next()?, parts.next()?);
    (unit.ends_with(".service") && slice.ends_with(".slice")).then(|| slice.to_owned())
}

/// A scope, as the agent tells the runner to ask for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    name: String,
    description: String,
    of: Scopes,
}

impl FromStr for Scope {
    type Err = serde_json::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        serde_json::from_str(text)
    }
}

impl Scope {
    /// As the runner reads it.
    ///
    /// # Errors
    /// Never: it is text and numbers.
    pub fn argument(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }

    /// Goes there, or says on `said` why not. Gives the cgroup in which the steps' groups are to be made, if they belong there.
    pub fn enter(&self, mut said: impl Write) -> Option<PathBuf> {
        match self.wait() {
            Ok(()) => self.groups(),
            Err(why) => {
                // The agent that listens may be gone by now.
                let _ = writeln!(said, "{why}");
                None
            }
        }
    }

    /// With a runtime that is gone before the first step is started.
    fn wait(&self) -> Result<(), String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let asked = runtime.map_err(|error| error.to_string())?.block_on(async {
            // The whole of it, however many answers it takes.
            tokio::time::timeout(LIMIT, self.ask()).await
        });
        match asked {
            Ok(Ok(result)) if result == "done" => Ok(()),
            Ok(Ok(result)) => Err(format!("systemd says {result}")),
            Ok(Err(error)) => Err(words(&error)),
            Err(_) => Err(format!("systemd took longer than {} ms", LIMIT.as_millis())),
        }
    }

    /// Asks for it and waits until it is there; gives what systemd calls the job's result.
    async fn ask(&self) -> zbus::Result<String> {
        let bus = proxy::connect(self.of.bus.as_deref(), LIMIT).await?;
        let systemd = ManagerProxy::new(&bus).await?;
        // Asked for before the job is there: it is over before its call is answered.
        let mut over = systemd.receive_job_removed().await?;
        systemd.subscribe().await?;
        let job = systemd.start_transient_unit(&self.name, "fail", &self.properties(), &[]).await?;
        proxy::end_of(&mut over, &job).await
    }

    fn properties(&self) -> Vec<(&str, Variant<'_>)> {
        let micros = u64::try_from(STOP.as_micros()).unwrap_or(u64::MAX);
        let mut properties = vec![
            ("Description", self.description.as_str().into()),
            ("PIDs", vec![0_u32].into()),
            // The steps' groups are the runner's to make, and a process that is killed for want of memory ends no run.
            ("Delegate", true.into()),
            ("CollectMode", "inactive-or-failed".into()),
            ("KillMode", "control-group".into()),
            ("TimeoutStopUSec", micros.into()),
        ];
        properties.extend(self.of.slice.as_deref().map(|slice| ("Slice", slice.into())));
        properties
    }

    /// Where the steps' groups are made: in the scope, if the runner is in it and the kernel can.
    fn groups(&self) -> Option<PathBuf> {
        let own = cgroup::own().filter(|own| self.of.own_groups && own.ends_with(&self.name))?;
        let steps = own.join(STEPS);
        cannot_group(&steps).is_none().then_some(steps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_stays_in_the_slice_of_the_agents_service_and_in_no_persons_session() {
        let of = |path: &str| slice_of(&format!("4:memory:/x\n0::{path}\n"));
        assert_eq!(of("/system.slice/mendwright-agent.service").as_deref(), Some("system.slice"));
        assert_eq!(of("/ops.slice/ops-heal.slice/agent.service").as_deref(), Some("ops-heal.slice"));
        let user = "/user.slice/user-1000.slice/user@1000.service/app.slice/agent.service";
        assert_eq!(of(user).as_deref(), Some("app.slice"));
        for none in ["/user.slice/user-1000.slice/session-3.scope", "/init.scope", "/", "/agent.service", "/x.slice"] {
            assert_eq!(of(none), None, "{none}");
        }
        let hybrid = "1:name=systemd:/system.slice/agent.service\n0::/system.slice/agent.service\n";
        assert_eq!(slice_of(hybrid).as_deref(), Some("system.slice"));
        assert_eq!(slice_of(""), None);
    }

    #[test]
    fn a_scope_says_run_and_attempt_and_the_runner_reads_what_the_agent_wrote() {
        let scopes = Scopes { bus: None, slice: Some("system.slice".into()), own_groups: true };
        let job = JobKey { run_id: uuid::Uuid::from_u128(5), purpose: Purpose::Undo, leg: 1, attempt: 2 };
        let scope = scopes.of_job(&job);
        assert_eq!(scope.name, "mendwright-run-00000000-0000-0000-0000-000000000005-undo-1-2.scope");
        assert_eq!(scope.argument().unwrap().parse::<Scope>().unwrap(), scope);
        assert_ne!(scopes.of_job(&JobKey { attempt: 3, ..job }).name, scope.name);
    }

    #[test]
    fn a_host_without_systemd_asks_nobody() {
        let booted = Path::new(BOOTED).is_dir();
        assert_eq!(Scopes::of_host(None, true).is_some(), booted);
        assert!(Scopes::of_host(Some("unix:path=/run/bus"), true).is_some());
    }
}
