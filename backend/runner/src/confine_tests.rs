use std::process::Command;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tempfile::TempDir;

use super::*;
use crate::clock::Clock;
use crate::supervise::{End, Program, run};

/// A cgroup v2 tree mounted for one test, with a root of its own: all mounts show the same tree.
struct Tree {
    at: TempDir,
    root: PathBuf,
}

impl Tree {
    fn mount() -> Self {
        let at = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount").args(["-t", "cgroup2", "none"]).arg(at.path()).status().unwrap();
        assert!(mounted.success(), "this test mounts a cgroup v2 tree, and needs root for it");
        let root = at.path().join(format!("mendwright-test-{}", at.path().file_name().unwrap().display()));
        Self { at, root }
    }

    fn groups(&self) -> usize {
        fs::read_dir(&self.root).into_iter().flatten().flatten().filter(|entry| entry.path().is_dir()).count()
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.root);
        let _ = Command::new("umount").arg("-l").arg(self.at.path()).status();
    }
}

fn shell(script: &str, limit: Duration, memory_bytes: Option<u64>, group: Option<&Group>) -> (End, String) {
    let argv = ["/bin/sh", "-c", script].map(str::to_owned);
    let env = [("PATH".to_owned(), "/usr/bin:/bin".to_owned())];
    let program = Program { argv: &argv, env: &env, limit, grace: Duration::from_millis(200), memory_bytes, group };
    let mut output = Vec::new();
    let end = run(program, &Clock::system(), &mut |bytes| output.extend_from_slice(bytes)).unwrap();
    (end, String::from_utf8_lossy(&output).into_owned())
}

/// Whether the process whose number `output` begins with ends within a minute, which is a hang guard.
fn ends(output: &str, within: Duration) -> bool {
    let pid = Pid::from_raw(output.lines().next().unwrap().trim().parse().unwrap()).unwrap();
    let Ok(pidfd) = pidfd_open(pid, PidfdFlags::empty()) else { return true };
    let limit = Timespec { tv_sec: i64::try_from(within.as_secs()).unwrap(), tv_nsec: 0 };
    poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&limit)).unwrap() == 1
}

/// Says its number, leaves session and process group, and would sleep for days.
const LEAVER: &str = "setsid sh -c 'echo $$; exec sleep 1000000' & wait";

#[test]
fn at_its_limit_a_step_is_killed_with_those_who_left_its_process_group() {
    let tree = Tree::mount();
    let group = Group::make(&tree.root, "1-1").unwrap();
    let (end, output) = shell(LEAVER, Duration::from_millis(500), None, Some(&group));
    assert_eq!(end, End::TimedOut);
    assert!(ends(&output, Duration::from_secs(60)), "{output}");
}

#[test]
fn without_a_cgroup_whoever_left_lives_on_which_is_why_the_host_says_so() {
    let (end, output) = shell(LEAVER, Duration::from_millis(500), None, None);
    assert_eq!(end, End::TimedOut);
    assert!(!ends(&output, Duration::ZERO));
    let pid = Pid::from_raw(output.trim().parse().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

#[test]
fn what_a_step_that_ended_left_running_lives_and_its_empty_group_is_removed_later() {
    let tree = Tree::mount();
    let group = Group::make(&tree.root, "1-1").unwrap();
    let (end, output) = shell("sleep 1000000 & echo $!", Duration::from_secs(60), None, Some(&group));
    assert_eq!(end, End::Exited(0));
    drop(group);
    assert_eq!(tree.groups(), 1, "the group of a living process stays");
    let pid = Pid::from_raw(output.trim().parse().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("it lives");
    assert!(ends(&output, Duration::from_secs(60)));
    // A zombie leaves its group before it is reaped.
    drop(Group::make(&tree.root, "2-1").unwrap());
    assert_eq!(tree.groups(), 0);
}

#[test]
fn a_process_that_wants_more_memory_than_it_may_hold_fails() {
    let hungry = "head -c 300000000 /dev/zero | tail -c 200000000 | wc -c";
    assert_eq!(shell(hungry, Duration::from_secs(60), None, None).1.trim(), "200000000");
    let (_, output) = shell(hungry, Duration::from_secs(60), Some(64 * 1024 * 1024), None);
    assert!(output.contains("memory exhausted") && !output.contains("200000000"), "{output}");
}

#[test]
fn where_no_group_can_be_made_that_is_said() {
    let dir = tempfile::tempdir().unwrap();
    assert!(cannot_group(dir.path()).is_some(), "no cgroup v2");
    assert!(cannot_group(&dir.path().join("no/parent")).is_some());
    let tree = Tree::mount();
    assert!(cannot_group(&tree.root).is_none());
    assert!(!tree.root.exists(), "nothing is left behind");
}
