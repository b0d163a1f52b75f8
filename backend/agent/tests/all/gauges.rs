//! Disks and processes, on real ones.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use agent::gauge::{disk, process};
use wire::v1::Value;

/// A file system of its own, unmounted with the value.
struct Volume(tempfile::TempDir);

impl Drop for Volume {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.path()).status();
    }
}

fn done(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    let command = command.args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).stdout(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

impl Volume {
    /// 64 MiB of ext4 with a fifth reserved for root; none where this machine lets nobody mount.
    fn with_a_reserve() -> Option<Volume> {
        let dir = tempfile::tempdir().unwrap();
        let (at, image) = (dir.path().join("at"), dir.path().join("image"));
        fs::create_dir(&at).unwrap();
        fs::File::create(&image).unwrap().set_len(64 << 20).unwrap();
        let (at, image) = (at.to_str().unwrap(), image.to_str().unwrap());
        let made = done("mkfs.ext4", &["-q", "-m", "20", image]) && done("mount", &["-o", "loop", image, at]);
        made.then_some(Volume(dir))
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("at")
    }

    /// What `df` says, in bytes: used, and available to users.
    fn df(&self) -> (f64, f64) {
        let said = Command::new("df").args(["-B1", "--output=used,avail"]).arg(self.path()).output().unwrap();
        let text = String::from_utf8(said.stdout).unwrap();
        let mut words = text.lines().nth(1).unwrap().split_whitespace().map(|word| word.parse().unwrap());
        (words.next().unwrap(), words.next().unwrap())
    }
}

fn number(readings: &std::collections::BTreeMap<String, Value>, name: &str) -> f64 {
    match readings.get(name) {
        Some(Value::Number(number)) => *number,
        other => panic!("{name}: {other:?}"),
    }
}

fn look(path: &Path) -> std::collections::BTreeMap<String, Value> {
    disk::look(path.to_str().unwrap()).unwrap()
}

#[test]
fn what_is_free_is_what_users_may_have_and_not_what_root_may() {
    let Some(volume) = Volume::with_a_reserve() else {
        eprintln!("not proven here: this machine lets nobody mount a file system");
        return;
    };
    fs::write(volume.path().join("known"), vec![7; 10 << 20]).unwrap();
    done("sync", &["-f", volume.path().to_str().unwrap()]);
    let ((used, available), readings) = (volume.df(), look(&volume.path()));
    let wanted = available * 100.0 / (used + available);
    assert!((number(&readings, "free_percent") - wanted).abs() < 0.1, "{wanted} {readings:?}");
    assert!((number(&readings, "free_gb") - available / 1e9).abs() < 0.001, "{available} {readings:?}");
    assert_eq!(readings["state"], Value::Text("mounted".into()));

    // Root fills what users may have, and a piece of its own reserve: to users there is nothing left.
    fs::write(volume.path().join("rest"), vec![7; available as usize + (1 << 20)]).unwrap();
    done("sync", &["-f", volume.path().to_str().unwrap()]);
    let full = look(&volume.path());
    assert_eq!((number(&full, "free_percent"), number(&full, "free_gb")), (0.0, 0.0));
    fs::write(volume.path().join("of_root"), vec![7; 1 << 20]).unwrap();
    fs::remove_file(volume.path().join("rest")).unwrap();
    assert!(number(&look(&volume.path()), "free_percent") > 50.0);
    assert!(number(&full, "inodes_free_percent") > 50.0);
}

#[test]
fn a_folder_where_nothing_is_mounted_says_nothing_of_the_file_system_below_it() {
    let Some(volume) = Volume::with_a_reserve() else {
        eprintln!("not proven here: this machine lets nobody mount a file system");
        return;
    };
    let path = volume.path();
    assert!(disk::look(path.to_str().unwrap()).is_ok());
    assert!(done("umount", &[path.to_str().unwrap()]));
    let why = disk::look(path.to_str().unwrap()).unwrap_err();
    assert!(why.starts_with("nothing is mounted at"), "{why}");
}

#[expect(clippy::disallowed_methods, reason = "a real process is measured")]
fn clock() -> impl Fn() -> Duration {
    let start = std::time::Instant::now();
    move || start.elapsed()
}

#[test]
fn processes_are_counted_by_name_and_a_zombie_is_none_of_them() {
    let dir = tempfile::tempdir().unwrap();
    let name = format!("mwp{}", std::process::id());
    let program = dir.path().join(&name);
    fs::copy("/bin/sleep", &program).unwrap();
    let none = process::look(&name, None, Duration::ZERO).0.unwrap();
    assert_eq!((&none["state"], number(&none, "count")), (&Value::Text("none".into()), 0.0));
    let start = || Command::new(&program).arg("1000000").stdin(Stdio::null()).spawn().unwrap();
    let (mut first, mut second) = (start(), start());
    let count = || {
        let readings = process::look(&name, None, Duration::ZERO).0.unwrap();
        (number(&readings, "count"), number(&readings, "zombies"))
    };
    assert_eq!(count(), (2.0, 0.0));
    first.kill().unwrap();
    until("the dead one is a zombie", || count() == (1.0, 1.0));
    first.wait().unwrap();
    assert_eq!(count(), (1.0, 0.0));
    second.kill().unwrap();
    second.wait().unwrap();
    assert_eq!(count(), (0.0, 0.0));
}

#[test]
fn a_process_that_spins_uses_a_core() {
    let dir = tempfile::tempdir().unwrap();
    let name = format!("mws{}", std::process::id());
    let program = dir.path().join(&name);
    fs::copy(fs::canonicalize("/bin/sh").unwrap(), &program).unwrap();
    let mut child = Command::new(&program).args(["-c", "while :; do :; done"]).stdin(Stdio::null()).spawn().unwrap();
    let clock = clock();
    let (first, began) = process::look(&name, None, clock());
    assert!(!first.unwrap().contains_key("cpu_percent"), "of one look nobody can tell");
    // Other tests share the cores with it.
    until("it uses a good part of a core", || {
        let readings = process::look(&name, began, clock()).0.unwrap();
        readings.contains_key("cpu_percent") && number(&readings, "cpu_percent") > 20.0
    });
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Looks until it is so.
fn until(what: &str, so: impl Fn() -> bool) {
    let clock = clock();
    while !so() {
        assert!(clock() < Duration::from_secs(30), "{what}");
        std::thread::yield_now();
    }
}
