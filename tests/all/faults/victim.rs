//! The service that is broken and healed, and the ledger of what its start command did.
//!
//! The start command is the test fix: it appends one line to the ledger, synced, and starts the service. The service
//! reads a pipe that the test holds open: it ends with the test, however that ends.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, mkfifo};

/// What the host calls it.
pub const SERVICE: &str = "shop";

/// `dir` is prepended. While `gate` is there, a start that has left its line in the ledger waits.
const CONTROL: &str = r#"
launch() {
  setsid cat "$dir/lifeline" </dev/null >/dev/null 2>&1 &
  echo $! >"$dir/pid.new" && mv "$dir/pid.new" "$dir/pid"
}
case $1 in
launch) launch ;;
start)
  printf '%s %s %s %s %s\n' "$MENDWRIGHT_RUN" "$MENDWRIGHT_ATTEMPT" "$MENDWRIGHT_STEP" $$ "$(date +%s.%N)" |
    dd of="$dir/ledger" oflag=append conv=notrunc,fsync status=none
  while [ -e "$dir/gate" ]; do sleep 0.05; done
  launch ;;
stop) kill "$(cat "$dir/pid")"; rm -f "$dir/pid" ;;
status)
  pid=$(cat "$dir/pid" 2>/dev/null) || exit 3
  stat=$(cat "/proc/$pid/stat" 2>/dev/null) || exit 1
  case $stat in *") Z "*|*") X "*) exit 1 ;; esac ;;
esac
"#;

/// One line of the ledger: the fix took place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    /// The run it was for.
    pub run: String,
    /// That run's attempt.
    pub attempt: i16,
}

/// The service.
pub struct Victim {
    dir: PathBuf,
    _lifeline: File,
}

impl Victim {
    /// A running service in `dir`.
    pub fn start(dir: PathBuf) -> Victim {
        fs::create_dir(&dir).expect("a folder for the service");
        let (control, lifeline) = (dir.join("control"), dir.join("lifeline"));
        fs::write(&control, format!("#!/bin/sh\ndir='{}'\n{CONTROL}", dir.display())).expect("a control script");
        fs::set_permissions(&control, fs::Permissions::from_mode(0o755)).expect("it can be run");
        mkfifo(&lifeline, Mode::S_IRUSR | Mode::S_IWUSR).expect("a pipe");
        let lifeline = File::options().read(true).write(true).open(lifeline).expect("both its ends");
        let launched = Command::new(control).arg("launch").status().expect("the control script runs");
        assert!(launched.success(), "the service starts");
        Victim { dir, _lifeline: lifeline }
    }

    /// The host's own limits file, which declares the service.
    pub fn limits(&self) -> String {
        let command = |verb: &str| format!("{verb} = [\"{}\", \"{verb}\"]\n", self.dir.join("control").display());
        format!(
            "max_runs_per_hour = 6\n[services.{SERVICE}]\npid_file = \"{}\"\n{}{}{}stop_limit_secs = 10\n",
            self.dir.join("pid").display(),
            command("start"),
            command("stop"),
            command("status"),
        )
    }

    /// Kills it.
    pub fn break_it(&self) {
        let text = fs::read_to_string(self.dir.join("pid")).expect("a pid file");
        kill(Pid::from_raw(text.trim().parse().expect("a pid")), Signal::SIGKILL).expect("it runs");
    }

    /// A person starts it, past the fix.
    pub fn start_by_hand(&self) {
        let launched = Command::new(self.dir.join("control")).arg("launch").status().expect("the control script runs");
        assert!(launched.success(), "the service starts");
    }

    /// From now on, a start waits once its line is in the ledger.
    pub fn close_gate(&self) {
        File::create(self.dir.join("gate")).and_then(|mut gate| gate.write_all(b"closed")).expect("a gate");
    }

    /// Lets the start that waits, and all others, go on.
    pub fn open_gate(&self) {
        fs::remove_file(self.dir.join("gate")).expect("a closed gate");
    }

    /// What took place, in order.
    pub fn ledger(&self) -> Vec<Effect> {
        ledger(&self.dir.join("ledger"))
    }
}

fn ledger(path: &Path) -> Vec<Effect> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let line = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        Effect {
            run: words.first().copied().unwrap_or_default().to_owned(),
            attempt: words.get(1).and_then(|word| word.parse().ok()).unwrap_or(0),
        }
    };
    text.lines().map(line).collect()
}
