//! Named points at which a test makes the process kill or stop itself.
//!
//! With the feature `crash-points`: `MENDWRIGHT_CRASH=<point>` kills the process with SIGKILL at the point,
//! once, if the file `MENDWRIGHT_CRASH_ONCE` does not exist yet (it is made first). `MENDWRIGHT_STOP=<point>`
//! stops it with SIGSTOP instead, after writing its pid into that file. Without the feature, nothing.

/// The points, in the order in which a job passes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// A job arrived, nothing is written.
    AfterLease,
    /// `INTENT` is written, the permit not asked for.
    AfterIntent,
    /// `STARTED` is written, the runner not spawned.
    AfterStarted,
    /// The runner holds the lock, `BEGIN` is not written.
    BeforeBegin,
    /// `BEGIN` is written, the step not spawned.
    AfterBegin,
    /// The step ended, its exit status is not written.
    BeforeExitStatus,
    /// The exit status is written.
    AfterExitStatus,
    /// The result is kept and `FINISHED` written, nothing is sent.
    AfterFinished,
}

impl Point {
    /// Every point.
    pub const ALL: [Point; 8] = [
        Point::AfterLease,
        Point::AfterIntent,
        Point::AfterStarted,
        Point::BeforeBegin,
        Point::AfterBegin,
        Point::BeforeExitStatus,
        Point::AfterExitStatus,
        Point::AfterFinished,
    ];

    /// Its name in the environment.
    pub const fn name(self) -> &'static str {
        match self {
            Point::AfterLease => "after_lease",
            Point::AfterIntent => "after_intent",
            Point::AfterStarted => "after_started",
            Point::BeforeBegin => "before_begin",
            Point::AfterBegin => "after_begin",
            Point::BeforeExitStatus => "before_exit_status",
            Point::AfterExitStatus => "after_exit_status",
            Point::AfterFinished => "after_finished",
        }
    }
}

/// The variables that are handed on to the runner, whose environment is otherwise empty.
pub const VARIABLES: [&str; 3] = ["MENDWRIGHT_CRASH", "MENDWRIGHT_STOP", "MENDWRIGHT_CRASH_ONCE"];

/// Does what the environment asks for at `point`.
#[cfg(feature = "crash-points")]
pub fn reach(point: Point) {
    use rustix::process::{Signal, getpid, kill_process};
    use std::io::Write as _;

    let is = |name: &str| std::env::var(name).is_ok_and(|v| v == point.name());
    let signal = match (is("MENDWRIGHT_CRASH"), is("MENDWRIGHT_STOP")) {
        (true, _) => Signal::KILL,
        (_, true) => Signal::STOP,
        _ => return,
    };
    let Ok(marker) = std::env::var("MENDWRIGHT_CRASH_ONCE") else { return };
    let Ok(mut file) = std::fs::OpenOptions::new().write(true).create_new(true).open(marker) else { return };
    let _ = writeln!(file, "{}", getpid().as_raw_nonzero());
    let _ = file.sync_all();
    let _ = kill_process(getpid(), signal);
}

/// Nothing: the feature is off.
#[cfg(not(feature = "crash-points"))]
#[inline(always)]
pub fn reach(_: Point) {}
