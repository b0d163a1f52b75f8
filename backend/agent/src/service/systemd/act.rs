//! The program that a step of a run is: it asks systemd for a job and waits for the job's end.
//!
//! The runner starts it, so that it outlives the agent like every other step, and ends it at the step's time limit.
//! systemd goes on with its job then.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use wire::v1::constants;

use super::judge::State;
use super::proxy::{self, ManagerProxy};
use super::{look_once, words};
use crate::service::declared::Unit;

/// Our own program: the runner that starts it is the very file that the agent is.
const PROGRAM: &str = "/proc/self/exe";
/// Nothing was done because systemd is at work on the unit itself; sysexits.h calls it a temporary failure.
const LATER: u8 = 75;

/// What is done to a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Starts it.
    Start,
    /// Stops it.
    Stop,
    /// Stops it if it runs, and starts it.
    Restart,
    /// Says how it is, by an LSB exit code.
    Status,
}

impl Action {
    fn word(self) -> &'static str {
        match self {
            Action::Start => "start",
            Action::Stop => "stop",
            Action::Restart => "restart",
            Action::Status => "status",
        }
    }
}

impl FromStr for Action {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        let all = [Action::Start, Action::Stop, Action::Restart, Action::Status];
        all.into_iter().find(|action| action.word() == word).ok_or(())
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The command that does `action` to `unit`.
pub fn command(action: Action, unit: &Unit, bus: Option<&str>) -> Vec<String> {
    let bus = bus.into_iter().flat_map(|address| ["--bus", address]);
    let words = [PROGRAM, "unit", action.word()].into_iter().chain(bus).chain([unit.name()]);
    words.map(str::to_owned).collect()
}

/// The unit that `argv` acts on, if it is one of these commands.
pub fn unit_of(argv: &[String]) -> Option<&str> {
    match argv {
        [program, unit, _, .., name] if program == PROGRAM && unit == "unit" => Some(name),
        _ => None,
    }
}

/// How it went: a sentence, and the exit code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// The sentence.
    pub said: String,
    /// The exit code.
    pub code: u8,
}

/// Does `action` to `unit`, and waits for its end, however long that takes.
pub async fn perform(action: Action, unit: &Unit, bus: Option<&str>) -> Done {
    match attempt(action, unit, bus).await {
        Ok(done) => done,
        Err(error) => {
            let code = if action == Action::Status { 4 } else { 1 };
            Done { said: format!("{}: {action}: {}", unit.name(), words(&error)), code }
        }
    }
}

async fn attempt(action: Action, unit: &Unit, address: Option<&str>) -> zbus::Result<Done> {
    let name = unit.name();
    let bus = proxy::connect(address, Duration::from_secs(constants::CHECK_LIMIT_SECS)).await?;
    let systemd = ManagerProxy::new(&bus).await?;
    let path = systemd.load_unit(name).await?;
    let (state, has_failed) = look_once(&bus, &path).await?;
    if action == Action::Status {
        let code = match state.state {
            State::Running => 0,
            State::Failed => 1,
            State::Stopped | State::Done => 3,
            _ => 4,
        };
        return Ok(Done { said: format!("{name}: {}", state.detail), code });
    }
    let at_work = matches!(state.state, State::Starting | State::Restarting | State::Stopping);
    if at_work && action != Action::Stop {
        return Ok(Done { said: format!("{name}: nothing done: {}", state.detail), code: LATER });
    }
    // Asked for before the job is there: a short one is over before its call is answered.
    let mut over = systemd.receive_job_removed().await?;
    systemd.subscribe().await?;
    let mut said = Vec::new();
    if has_failed && action != Action::Stop {
        // After a start limit systemd refuses even a person's start; and it does not always say that this is why.
        systemd.reset_failed_unit(name).await?;
        said.push(format!("it had failed ({}), reset", state.detail));
    }
    let job = match action {
        Action::Start => systemd.start_unit(name, "replace").await?,
        Action::Restart => systemd.restart_unit(name, "replace").await?,
        Action::Stop | Action::Status => systemd.stop_unit(name, "replace").await?,
    };
    let result = proxy::end_of(&mut over, &job).await?;
    let (state, _) = look_once(&bus, &path).await?;
    said.push(format!("{action} {result}"));
    said.push(state.detail);
    Ok(Done { said: format!("{name}: {}", said.join("; ")), code: u8::from(result != "done") })
}
