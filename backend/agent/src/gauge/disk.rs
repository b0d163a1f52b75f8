//! How full a file system is, for those who are not root.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::{StatVfs, StatVfsMountFlags, statvfs};
use wire::v1::Value;

use super::{Look, number};

const GB: f64 = 1e9;

/// Looks at what is mounted at `target`. `free_gb` and `free_percent` are what is *available to users*: blocks reserved
/// for root are full, as `df` counts them. A path where nothing is mounted is no data: its numbers would be another
/// file system's.
pub fn look(target: &str) -> Look {
    let path = Path::new(target);
    if !path.is_absolute() {
        return Err("a disk check's target is an absolute path".to_owned());
    }
    let mounts = fs::read("/proc/self/mountinfo").map_err(|error| format!("mounts cannot be read: {error}"))?;
    if !is_mounted(&mounts, path) {
        return Err(format!("nothing is mounted at {target}"));
    }
    let stat = statvfs(path).map_err(|error| format!("{target} cannot be looked at: {error}"))?;
    Ok(readings(&stat))
}

/// Whether the fifth word of a line of mountinfo is `path`; blanks in it are written as `\\040`.
fn is_mounted(mountinfo: &[u8], path: &Path) -> bool {
    let wanted = path.as_os_str().as_bytes();
    let wanted = if wanted.len() > 1 { wanted.strip_suffix(b"/").unwrap_or(wanted) } else { wanted };
    mountinfo
        .split(|byte| *byte == b'\n')
        .any(|line| line.split(|byte| *byte == b' ').nth(4).is_some_and(|word| unescaped(word) == wanted))
}

fn unescaped(word: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(word.len());
    let mut rest = word;
    while let Some((first, after)) = rest.split_first() {
        let octal = (*first == b'\\').then(|| after.get(..3)).flatten();
        let byte = octal.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        match byte {
            Some(byte) => {
                plain.push(byte);
                rest = &after[3..];
            }
            None => {
                plain.push(*first);
                rest = after;
            }
        }
    }
    plain
}

fn readings(stat: &StatVfs) -> BTreeMap<String, Value> {
    let bytes = |blocks: u64| blocks as f64 * stat.f_frsize as f64;
    let share =
        |free: u64, used: u64| if free + used == 0 { 100.0 } else { free as f64 * 100.0 / (free + used) as f64 };
    let used = stat.f_blocks.saturating_sub(stat.f_bfree);
    let free_percent = share(stat.f_bavail, used);
    let state = if stat.f_flag.contains(StatVfsMountFlags::RDONLY) { "read_only" } else { "mounted" };
    let detail = format!(
        "{:.1} of {:.1} GB are free for users, {free_percent:.1} %",
        bytes(stat.f_bavail) / GB,
        bytes(stat.f_bavail + used) / GB
    );
    let mut readings = BTreeMap::from([
        ("state".to_owned(), Value::Text(state.to_owned())),
        ("detail".to_owned(), Value::Text(detail)),
        ("free_gb".to_owned(), number(bytes(stat.f_bavail) / GB)),
        ("free_percent".to_owned(), number(free_percent)),
    ]);
    // Some file systems make inodes as they need them, and count none.
    if stat.f_files > 0 {
        let used = stat.f_files.saturating_sub(stat.f_ffree);
        readings.insert("inodes_free_percent".to_owned(), number(share(stat.f_favail, used)));
    }
    readings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_is_found_by_its_own_path_only() {
        let mounts = b"36 35 98:0 / / rw - ext4 /dev/root rw\n\
            37 36 98:1 /sub /mnt/my\\040disk rw,noatime master:1 - ext3 /dev/sdb rw\n";
        assert!(is_mounted(mounts, Path::new("/")));
        assert!(is_mounted(mounts, Path::new("/mnt/my disk")));
        assert!(is_mounted(mounts, Path::new("/mnt/my disk/")));
        assert!(!is_mounted(mounts, Path::new("/mnt")));
        assert!(!is_mounted(mounts, Path::new("/sub")));
    }

    #[test]
    fn where_nothing_is_mounted_there_is_no_data() {
        let dir = tempfile::tempdir().unwrap();
        assert!(look(dir.path().to_str().unwrap()).unwrap_err().starts_with("nothing is mounted"));
        assert!(look("relative").is_err());
        assert!(look("/").unwrap().contains_key("free_percent"));
    }
}
