//! (c)'s small file system: made, filled to the last byte, cleaned and taken away.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use nix::sys::statvfs::statvfs;

/// As large as the agent's own files, a log and its rotated ones need, and no larger.
const SIZE_MIB: u64 = 64;
/// What the deleted log holds: without it there is room, however well the rest is cleaned.
const HELD_MIB: usize = 30;
const MIB: usize = 1 << 20;
/// The rotated logs, as the first rung of its ladder knows them.
const ROTATED: &str = "app.log";
/// The log that the service writes.
const LIVE: &str = "access.log";

/// Mounts a file system at `at`: ext4 without blocks reserved for root on a loop device, or a tmpfs. False: nobody may
/// mount here.
pub fn mount(at: &Path) -> Result<bool> {
    fs::create_dir_all(at)?;
    let image = at.with_extension("image");
    File::create(&image)?.set_len(SIZE_MIB << 20)?;
    let on = |program: &str, arguments: &[&str], last: &[&Path]| {
        let mut command = Command::new(program);
        let command = command.args(arguments).args(last).stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    };
    if on("mkfs.ext4", &["-q", "-m", "0"], &[&image]) && on("mount", &["-o", "loop"], &[&image, at]) {
        return Ok(true);
    }
    fs::remove_file(&image)?;
    let size = format!("size={SIZE_MIB}m,mode=0700");
    Ok(on("mount", &["-t", "tmpfs", "-o", &size, "tmpfs"], &[at]))
}

/// Unmounts whatever is mounted below `folder`.
pub fn unmount_below(folder: &Path) {
    let mounts = fs::read("/proc/self/mountinfo").unwrap_or_default();
    let below = [folder.as_os_str().as_bytes(), b"/"].concat();
    let points = mounts.split(|byte| *byte == b'\n').filter_map(|line| line.split(|byte| *byte == b' ').nth(4));
    for point in points.filter(|point| point.starts_with(&below)) {
        let at = Path::new(std::ffi::OsStr::from_bytes(point));
        let quiet = |lazily: &[&str]| {
            let mut command = Command::new("umount");
            command.args(lazily).arg(at).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
        };
        // A process that was killed a moment ago may still hold it.
        if !quiet(&[]) {
            quiet(&["-l"]);
        }
    }
}

/// Bytes that users may still have.
fn available(at: &Path) -> Result<u64> {
    let stat = statvfs(at)?;
    Ok(stat.blocks_available() * stat.fragment_size())
}

/// Whether less than half is free.
pub fn is_full(at: &Path) -> bool {
    available(at).is_ok_and(|bytes| bytes < SIZE_MIB << 19)
}

/// The log that the service on `at` opens when it starts, and keeps open.
pub fn open_log(at: &Path) -> Result<File> {
    Ok(File::options().create(true).append(true).open(at.join(LIVE))?)
}

/// Fills it: the log that `pid` holds grows and is deleted under it, and rotated logs take the rest, to the last byte.
pub fn fill(at: &Path, pid: i32) -> Result<()> {
    let mut held = File::options().append(true).open(held_by(at, pid)?).context("its log cannot be written")?;
    for _ in 0..HELD_MIB {
        held.write_all(&[b'-'; MIB])?;
    }
    drop(fs::remove_file(at.join(LIVE)));
    for (number, block) in (1..).zip([MIB, 4096, 1]) {
        let mut log = File::create(at.join(format!("{ROTATED}.{number}")))?;
        loop {
            match log.write(&vec![b'-'; block]) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::StorageFull => break,
                Err(error) => return Err(error.into()),
            }
        }
        log.sync_all().or_else(|error| if error.kind() == io::ErrorKind::StorageFull { Ok(()) } else { Err(error) })?;
    }
    let left = available(at)?;
    ensure!(left == 0, "{left} bytes are left");
    Ok(())
}

/// The descriptor of the service's log; also of one that is deleted already.
fn held_by(at: &Path, pid: i32) -> Result<PathBuf> {
    let live = at.join(LIVE);
    let is_it = |link: &Path| {
        let name = link.as_os_str().as_bytes();
        name.strip_prefix(live.as_os_str().as_bytes()).is_some_and(|rest| rest.is_empty() || rest == b" (deleted)")
    };
    let all = fs::read_dir(format!("/proc/{pid}/fd"))?.flatten().map(|entry| entry.path());
    let mut held = all.filter(|fd| fs::read_link(fd).is_ok_and(|link| is_it(&link)));
    held.next().with_context(|| format!("{pid} holds no log"))
}

/// Removes the rotated logs.
pub fn clean(at: &Path) -> Result<()> {
    for entry in fs::read_dir(at)?.flatten() {
        if entry.file_name().to_string_lossy().starts_with(ROTATED) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_is_deleted_is_still_held_and_a_full_volume_has_no_byte_left() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().join("disk");
        if !mount(&at).unwrap() {
            eprintln!("not proven here: this machine lets nobody mount a file system");
            return;
        }
        let own = std::process::id().cast_signed();
        let log = open_log(&at).unwrap();
        fill(&at, own).unwrap();
        assert!(is_full(&at) && File::create(at.join("more")).and_then(|mut f| f.write_all(b"x")).is_err());
        clean(&at).unwrap();
        assert!(is_full(&at), "what is deleted and held is not freed by cleaning");
        assert!(held_by(&at, own).is_ok());
        drop(log);
        assert!(!is_full(&at));
        unmount_below(dir.path());
        assert!(!at.join("lost+found").exists());
    }
}
