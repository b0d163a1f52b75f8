//! A service declared by pid file and commands: what state it is in. One that systemd runs: [`systemd`].

pub mod declared;
pub mod lookout;
pub mod process;
pub mod systemd;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use wire::v1::{Seen, Value, constants};

use declared::{Commands, Service};
use process::Life;

/// The environment of status commands.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What one look found.
#[derive(Debug, Clone, PartialEq)]
pub enum Look {
    /// It runs; its pid if it is known.
    Running(Option<i32>),
    /// It is dead though no one stopped it; why we think so.
    Failed(String),
    /// It is stopped on purpose.
    Stopped(String),
    /// It cannot be told; why.
    NoData(String),
}

impl Look {
    /// As it is sent.
    pub fn seen(&self) -> Seen {
        let (state, pid, detail) = match self {
            Look::NoData(why) => return Seen::NoData { why: why.clone() },
            Look::Running(Some(pid)) => ("running", Some(*pid), format!("process {pid} runs")),
            Look::Running(None) => ("running", None, "status said 0".to_owned()),
            Look::Failed(detail) => ("failed", None, detail.clone()),
            Look::Stopped(detail) => ("stopped", None, detail.clone()),
        };
        let mut readings = BTreeMap::from([
            ("state".to_owned(), Value::Text(state.to_owned())),
            ("detail".to_owned(), Value::Text(detail)),
        ]);
        if let Some(pid) = pid {
            readings.insert("pid".to_owned(), Value::Number(f64::from(pid)));
        }
        Seen::Data(readings)
    }

    /// Whether both say the same of the service; the detail is not compared.
    pub fn same_state(&self, other: &Look) -> bool {
        match (self, other) {
            (Look::Running(a), Look::Running(b)) => a == b,
            (Look::Failed(_), Look::Failed(_))
            | (Look::Stopped(_), Look::Stopped(_))
            | (Look::NoData(_), Look::NoData(_)) => true,
            _ => false,
        }
    }
}

/// Looks at `service`, for at most `limit`.
///
/// The state is the status command's LSB exit code: 0 running; 1 or 2 dead with its pid or lock file left =
/// failed; 3 stopped; any other, none in time = no data. A zombie is dead, whatever the command says.
pub async fn look(service: &Commands, limit: Duration) -> Look {
    let code = match status(&service.status, limit).await {
        Ok(code) => code,
        Err(why) => return Look::NoData(why),
    };
    let pid = service.pid_file.as_deref().and_then(read_pid);
    match code {
        0 => match pid.map(|pid| (pid, process::life(pid))) {
            Some((pid, Life::Zombie)) => Look::Failed(format!("process {pid} ended and is not yet reaped")),
            Some((pid, Life::Gone)) => Look::Failed(format!("status said 0, but process {pid} ended")),
            Some((pid, Life::Alive)) => Look::Running(Some(pid)),
            None => Look::Running(None),
        },
        1 | 2 => Look::Failed(match pid {
            Some(pid) if process::life(pid) != Life::Alive => format!("process {pid} ended (status said {code})"),
            _ => format!("status said {code}"),
        }),
        3 => Look::Stopped("status said 3".to_owned()),
        _ => Look::NoData(format!("status said {code}")),
    }
}

/// Looks at each of `services`, one after the other, each for at most [`constants::CHECK_LIMIT_SECS`]. One whose stop
/// command is at work counts as stopped. systemd is asked at the D-Bus address `bus`.
pub async fn look_at_all(services: Vec<(String, Service)>, bus: Option<String>) -> Vec<(String, Look)> {
    let (mut looks, limit) = (Vec::new(), Duration::from_secs(constants::CHECK_LIMIT_SECS));
    for (name, service) in services {
        let service = match service {
            Service::Commands(commands) => commands,
            Service::Unit(unit) => {
                looks.push((name, systemd::look(&unit, bus.as_deref(), limit).await));
                continue;
            }
        };
        let seen = look(&service, limit).await;
        let stopping = matches!(seen, Look::Failed(_) | Look::Running(_)) && process::runs(&service.stop);
        looks.push((name, if stopping { Look::Stopped("its stop command is at work".to_owned()) } else { seen }));
    }
    looks
}

/// Why a fix that would start these services must not begin: one is stopped on purpose, or that cannot be told.
pub fn stopped_on_purpose(looks: &[(String, Look)]) -> Option<String> {
    looks.iter().find_map(|(name, look)| match look {
        Look::Running(_) | Look::Failed(_) => None,
        Look::Stopped(why) => Some(format!("service {name} was stopped on purpose ({why}), and is not started")),
        Look::NoData(why) => Some(format!("it cannot be told whether service {name} was stopped on purpose: {why}")),
    })
}

/// The pid in `path`: its first word.
pub(crate) fn read_pid(path: &Path) -> Option<i32> {
    let text = std::fs::read_to_string(path).ok()?;
    text.split_whitespace().next()?.parse().ok().filter(|pid| *pid > 0)
}

async fn status(argv: &[String], limit: Duration) -> Result<i32, String> {
    let (program, arguments) = argv.split_first().ok_or("no status command is declared")?;
    let mut child = tokio::process::Command::new(program)
        .args(arguments)
        .env_clear()
        .env("PATH", PATH)
        .env("LC_ALL", "C")
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("the status command cannot be run: {error}"))?;
    let group = child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
    match tokio::time::timeout(limit, child.wait()).await {
        Ok(Ok(status)) => status.code().ok_or_else(|| "the status command was killed".to_owned()),
        Ok(Err(error)) => Err(format!("the status command is lost: {error}")),
        Err(_) => {
            if let Some(group) = group {
                let _ = kill_process_group(group, Signal::KILL);
            }
            let _ = child.wait().await;
            Err(format!("the status command took longer than {} ms", limit.as_millis()))
        }
    }
}
