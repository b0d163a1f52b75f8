//! Deleted files that a process holds open: space that no cleaning of files gives back.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;

use crate::stat;

/// The most file descriptors that are looked at.
const MOST_LOOKED_AT: usize = 50_000;
/// Smaller ones are not worth a line, in bytes.
const LEAST: u64 = 1_000_000;

/// One line a file, biggest first. Only what this process may see: as root, all.
pub fn list() -> Vec<String> {
    let fds = stat::pids().flat_map(|pid| {
        let fds = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        fds.map(move |fd| (pid, fd.path()))
    });
    let mut found = BTreeSet::new();
    for (pid, fd) in fds.take(MOST_LOOKED_AT) {
        let Ok(path) = fs::read_link(&fd) else { continue };
        if !path.as_os_str().as_encoded_bytes().ends_with(b" (deleted)") {
            continue;
        }
        let Ok(about) = fs::metadata(&fd) else { continue };
        let held = about.blocks().saturating_mul(512);
        if about.is_file() && about.nlink() == 0 && held >= LEAST {
            found.insert((std::cmp::Reverse(held), pid, path.display().to_string()));
        }
    }
    let name = |pid: u32| fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    found
        .into_iter()
        .map(|(held, pid, path)| format!("{} ({pid}) holds {} of {path}", name(pid).trim_end(), super::bytes(held.0)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn a_deleted_file_that_is_open_is_found_with_its_size() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("old.log");
        let mut file = fs::File::create(&path).unwrap();
        file.write_all(&vec![1; 3_000_000]).unwrap();
        file.sync_all().unwrap();
        let ours = |lines: Vec<String>| lines.into_iter().find(|line| line.contains(&*path.to_string_lossy()));
        assert_eq!(ours(list()), None, "it is not deleted yet");
        fs::remove_file(&path).unwrap();
        let said = ours(list()).expect("it is held by this process");
        assert!(said.contains("holds 3.0 MB of "), "{said}");
    }
}
