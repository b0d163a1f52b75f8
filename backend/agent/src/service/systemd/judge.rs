//! What a unit's properties mean for its check. Pure: what was read, what was seen before and the time are handed in.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use wire::v1::{Seen, Value};

/// systemd's restarts are counted over this long.
const FLAPPING: Duration = Duration::from_secs(600);
/// No more of them are remembered.
const MOST: usize = 32;

/// What was read of a unit, in systemd's own words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Properties {
    /// Whether it is known: `loaded`, `not-found`, `masked`, `bad-setting`, `error`.
    pub load: String,
    /// `active`, `reloading`, `inactive`, `failed`, `activating`, `deactivating`.
    pub active: String,
    /// What of it, as `running`, `exited`, `auto-restart`, `start-pre`.
    pub sub: String,
    /// `enabled`, `disabled`, `static`, …
    pub file: String,
    /// What is queued or at work for it: `start`, `stop`, `restart`, …; empty if it was over before it could be asked.
    pub job: Option<String>,
    /// Whether it ends by itself and may then be inactive: a timer, socket or path starts it.
    pub is_triggered: bool,
    /// `simple`, `notify`, `oneshot`, …
    pub kind: String,
    /// It has had a main process, as far as systemd remembers.
    pub was_started: bool,
    /// How it went: `success`, `exit-code`, `signal`, `start-limit-hit`, …
    pub result: String,
    /// How often systemd restarted it by itself.
    pub restarts: u32,
    /// With this many starts in its interval systemd gives it up; 0 = never.
    pub start_burst: u32,
    /// How the main process ended, as `si_code`: 1 = exited, 2 = killed, 3 = dumped.
    pub exit_how: i32,
    /// With which exit code, or by which signal.
    pub exit_status: i32,
    /// The main process; 0 = none.
    pub main_pid: u32,
    /// How long a start may take; none = for ever.
    pub start_limit: Option<Duration>,
}

/// What earlier looks saw.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Before {
    /// Since when it has been starting without an end.
    starting: Option<Duration>,
    /// It was seen restarting by itself since it last ran or was down.
    was_restarting: bool,
    /// It was seen running: systemd forgets what a unit was once it is down and nothing needs it.
    ran: bool,
    /// It was seen being stopped by a stop job that was no run's of ours.
    was_stopped: bool,
    /// It is down by a stop of our own.
    ours: bool,
    /// The job that was heard of last, and the one that took the unit down.
    job: u32,
    stopping: Option<u32>,
    /// systemd's count of restarts, and when each of the last ones was seen.
    counted: Option<u32>,
    restarted: VecDeque<Duration>,
}

/// What systemd's signals say. A stop may be over before the unit can be asked, but not before it is heard of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// The unit's state or its job changed; 0 = it has none.
    Changed {
        /// The state.
        active: Option<String>,
        /// The job's number.
        job: Option<u32>,
    },
    /// A job of the unit is over.
    Over {
        /// Its number.
        job: u32,
        /// How it went: `done`, `failed`, `canceled`, …
        result: String,
    },
}

/// Whether a run of ours is acting on the unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acting {
    /// One is, or ended just now.
    Ours,
    /// None is: what happens to the unit is systemd's or a person's doing.
    Nobody,
}

/// The state of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It runs, or is a one-shot that did its work.
    Running,
    /// It is still inside its start.
    Starting,
    /// It died, and systemd starts it again by itself.
    Restarting,
    /// It is being stopped.
    Stopping,
    /// It is dead, and nobody wanted that.
    Failed,
    /// It is not to run now, because a person stopped, masked or never started it. Not watched while it is.
    Stopped,
    /// It is not running, and that is normal: a one-shot is done, or a timer, socket or path will start it.
    Done,
    /// It cannot be told.
    NoData,
}

/// A state and what led to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// The state.
    pub state: State,
    /// Why, for people.
    pub detail: String,
    /// The main process, if there is one.
    pub pid: Option<u32>,
    /// How often systemd restarted it by itself in the last ten minutes.
    pub restarts: usize,
}

impl Judged {
    /// Nothing is known.
    pub fn no_data(why: impl Into<String>) -> Self {
        Self { state: State::NoData, detail: why.into(), pid: None, restarts: 0 }
    }

    /// As it is told unasked. What systemd is at work on is neither ok nor bad.
    pub fn seen(&self) -> Seen {
        let state = match self.state {
            State::Running => "running",
            State::Starting => "starting",
            State::Restarting => "restarting",
            State::Stopping => "stopping",
            State::Failed => "failed",
            State::Stopped | State::Done => "stopped",
            State::NoData => return Seen::NoData { why: self.detail.clone() },
        };
        let mut readings = BTreeMap::from([
            ("state".to_owned(), Value::Text(state.to_owned())),
            ("detail".to_owned(), Value::Text(self.detail.clone())),
            ("restarts".to_owned(), Value::Number(self.restarts as f64)),
        ]);
        if let Some(pid) = self.pid {
            readings.insert("pid".to_owned(), Value::Number(f64::from(pid)));
        }
        Seen::Data(readings)
    }

    /// As an answer: while systemd is at work nobody can tell yet, so that no run begins and none is judged by it.
    pub fn answer(&self) -> Seen {
        match self.state {
            State::Starting | State::Restarting | State::Stopping => Seen::NoData { why: self.detail.clone() },
            _ => self.seen(),
        }
    }

    /// Whether both say the same of the unit; the words are not compared.
    pub fn is_same(&self, other: &Self) -> bool {
        (self.state, self.pid, self.restarts) == (other.state, other.pid, other.restarts)
    }
}

/// Judges what was read, after what was seen before, and notes it for the next time.
pub fn judge(unit: &Properties, before: &mut Before, acting: Acting, now: Duration) -> Judged {
    let restarts = count(unit.restarts, before, now);
    let (state, detail) = state(unit, before, acting, now);
    note(unit, before, acting, state, now);
    let detail = match restarts {
        _ if matches!(state, State::Stopped | State::Done | State::NoData) => detail,
        0 => detail,
        1 => format!("{detail}; systemd restarted it once in ten minutes"),
        n => format!("{detail}; systemd restarted it {n} times in ten minutes"),
    };
    Judged { state, detail, pid: (unit.main_pid > 0).then_some(unit.main_pid), restarts }
}

/// Notes what was heard. A job that took the unit down, is done, and did not bring it up again, was a stop.
pub fn hear(heard: &Heard, before: &mut Before, acting: Acting) {
    match heard {
        Heard::Changed { active, job } => {
            before.job = job.unwrap_or(before.job);
            match active.as_deref() {
                Some("deactivating") if before.job > 0 => before.stopping = Some(before.job),
                Some("active" | "reloading" | "activating") => before.stopping = None,
                _ => {}
            }
        }
        Heard::Over { job, result } if before.stopping == Some(*job) => {
            before.stopping = None;
            if result == "done" {
                (before.was_stopped, before.ours) = (acting == Acting::Nobody, acting == Acting::Ours);
            }
        }
        Heard::Over { .. } => {}
    }
}

/// A count that went down began anew: somebody started the unit or reset it.
fn count(total: u32, before: &mut Before, now: Duration) -> usize {
    let news = before.counted.map_or(0, |counted| if total < counted { total } else { total - counted });
    for _ in 0..(news as usize).min(MOST) {
        before.restarted.push_back(now);
    }
    before.counted = Some(total);
    let old = |at: &Duration| now.saturating_sub(*at) >= FLAPPING;
    while before.restarted.len() > MOST || before.restarted.front().is_some_and(old) {
        before.restarted.pop_front();
    }
    before.restarted.len()
}

fn state(unit: &Properties, before: &Before, acting: Acting, now: Duration) -> (State, String) {
    let is_oneshot = unit.kind == "oneshot";
    if unit.sub.contains("auto-restart") {
        return (State::Restarting, format!("systemd restarts it by itself after {}", how_it_ended(unit)));
    }
    match unit.active.as_str() {
        // A unit whose file was removed or masked may still run.
        "active" | "reloading" | "refreshing" => match (unit.main_pid, unit.sub.as_str()) {
            (0, "exited") if is_oneshot => (State::Running, "a one-shot that did its work".to_owned()),
            (0, sub) => (State::Running, format!("systemd says active ({sub})")),
            (pid, _) => (State::Running, format!("process {pid} runs")),
        },
        "activating" if is_oneshot => (State::Starting, format!("a one-shot at work ({})", unit.sub)),
        "activating" => (State::Starting, starting(unit, before, now)),
        "deactivating" => (State::Stopping, format!("it is being stopped ({})", unit.sub)),
        "failed" | "inactive" => down(unit, before, acting),
        other => (State::NoData, format!("systemd calls it {other}, which is not known")),
    }
}

/// It does not run.
fn down(unit: &Properties, before: &Before, acting: Acting) -> (State, String) {
    match unit.load.as_str() {
        "not-found" => return (State::NoData, "systemd knows no such unit".to_owned()),
        "masked" => return (State::Stopped, "masked: a person forbade its start".to_owned()),
        _ => {}
    }
    if let Some(job) = unit.job.as_deref().filter(|job| matches!(*job, "start" | "restart" | "try-restart")) {
        return (State::Starting, format!("systemd has a {job} job for it"));
    }
    if unit.active == "failed" {
        // It obeyed a stop, only not in the way that systemd calls a success.
        if before.was_stopped {
            return (State::Stopped, format!("stopped by a person, after {}", how_it_ended(unit)));
        }
        if hit_the_limit(unit, before) {
            let burst = unit.start_burst;
            return (
                State::Failed,
                format!("start limit hit ({burst} starts): systemd starts it no more until it is reset"),
            );
        }
        return (State::Failed, how_it_ended(unit));
    }
    if unit.load == "bad-setting" || unit.load == "error" {
        return (State::Failed, format!("its unit file cannot be loaded ({})", unit.load));
    }
    // It ends by itself, whoever started it.
    if unit.kind == "oneshot" {
        return (State::Done, "a one-shot that is done; inactive is normal".to_owned());
    }
    if unit.is_triggered {
        return (State::Done, "it waits for its timer, socket or path; inactive is normal".to_owned());
    }
    if acting == Acting::Ours {
        return (State::Stopping, "a run is at work on it".to_owned());
    }
    if before.ours {
        // Neither a failure, which would have it started, nor a person's word, which would count as recovered.
        return (State::NoData, "stopped by a run, and not started again".to_owned());
    }
    // Whatever its result: a unit that fails is called failed, so this one was stopped, if only between two restarts.
    let words = if unit.was_started || before.ran { "stopped by a person" } else { "not started" };
    (State::Stopped, format!("{words} ({}); not watched while stopped", unit.file))
}

/// systemd keeps the result of the last death, so that the limit shows by its name only sometimes.
fn hit_the_limit(unit: &Properties, before: &Before) -> bool {
    unit.result == "start-limit-hit"
        || (before.was_restarting && unit.start_burst > 0 && unit.restarts >= unit.start_burst)
}

fn starting(unit: &Properties, before: &Before, now: Duration) -> String {
    let so_far = before.starting.map_or(0, |since| now.saturating_sub(since).as_secs());
    match unit.start_limit {
        Some(limit) => format!("it is starting ({}), {so_far} s of at most {}", unit.sub, limit.as_secs()),
        None => format!("it is starting ({}), {so_far} s so far and without a limit", unit.sub),
    }
}

fn how_it_ended(unit: &Properties) -> String {
    match (unit.result.as_str(), unit.exit_how) {
        ("exit-code", _) | ("", 1) => format!("exit code {}", unit.exit_status),
        ("signal", _) | ("", 2) => format!("signal {}", unit.exit_status),
        ("core-dump", _) | ("", 3) => format!("signal {}, with a core dump", unit.exit_status),
        ("timeout", _) => "a time limit of systemd".to_owned(),
        ("oom-kill", _) => "the machine being out of memory".to_owned(),
        ("watchdog", _) => "its watchdog not being fed".to_owned(),
        ("success" | "", _) => "a clean end".to_owned(),
        (other, _) => format!("systemd's result {other}"),
    }
}

fn note(unit: &Properties, before: &mut Before, acting: Acting, state: State, now: Duration) {
    match state {
        State::Starting => {
            before.starting.get_or_insert(now);
        }
        _ => before.starting = None,
    }
    before.ran |= state == State::Running;
    match state {
        State::Restarting => before.was_restarting = true,
        State::Running | State::Stopped | State::Done => before.was_restarting = false,
        _ => {}
    }
    match unit.active.as_str() {
        _ if unit.job.as_deref() == Some("stop") => {
            (before.was_stopped, before.ours) = (acting == Acting::Nobody, acting == Acting::Ours);
        }
        "inactive" if acting == Acting::Ours => before.ours = true,
        "deactivating" | "inactive" | "failed" => {}
        _ => (before.was_stopped, before.ours) = (false, false),
    }
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
