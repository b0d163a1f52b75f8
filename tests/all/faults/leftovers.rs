//! The folder of this process's benches, and an end for every process that works in it, however this one ends.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Ends when its input does, which this process holds: then kills whoever names the folder, and removes it. Twice,
/// because a process that is killed may just have started another.
const WATCH: &str = r#"cat >/dev/null
for round in 1 2; do for p in /proc/[0-9]*; do
  if tr '\0' '\n' <"$p/cmdline" 2>/dev/null | grep -q -F -e "$0/"; then kill -9 "${p#/proc/}"; fi
done; done
rm -rf "$0""#;

/// A fresh folder for one bench.
pub fn folder() -> PathBuf {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let root = ROOT.get_or_init(|| {
        let root = std::env::temp_dir().join(format!("mendwright-faults-{}", std::process::id()));
        fs::create_dir_all(&root).expect("a folder in the temp directory");
        let mut watch = Command::new("sh");
        watch.arg("-c").arg(WATCH).arg(&root).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        // Kept open for the life of the process.
        std::mem::forget(watch.process_group(0).spawn().expect("sh runs"));
        root
    });
    let folder = root.join(NEXT.fetch_add(1, Ordering::Relaxed).to_string());
    fs::create_dir(&folder).expect("a folder of the bench's own");
    folder
}

/// Kills every process whose command line names something in `folder`.
pub fn end_all(folder: &Path) {
    for _ in 0..2 {
        for pid in naming(&format!("{}/", folder.display())) {
            let _ = kill(pid, Signal::SIGKILL);
        }
    }
}

/// Every process, but this one, whose command line has `text` in it; its words end in zeros.
pub fn naming(text: &str) -> Vec<Pid> {
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok().map(Pid::from_raw));
    let names = |pid: &Pid| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(text)
    };
    pids.filter(|pid| *pid != Pid::this() && names(pid)).collect()
}
