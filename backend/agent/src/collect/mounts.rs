//! File systems that can fill: each device once, where it is mounted nearest to the root.

use std::collections::BTreeMap;

use rustix::fs::statvfs;
use wire::v1::{MAX_REPORTED, MountUse};

/// File systems on local devices. Those over a network or in a user's program are not asked: one that hangs would
/// hang whoever asks.
const ON_DEVICES: &[&str] = &[
    "bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "jfs", "ntfs3", "overlay", "reiserfs", "tmpfs", "ufs", "vfat",
    "xfs", "zfs",
];

/// In memory and of the system itself: they fill only with what is wrong elsewhere.
const OF_THE_SYSTEM: &[&str] = &["/dev", "/proc", "/run", "/sys"];

/// The mount points to measure, from `/proc/thread-self/mountinfo`.
pub fn list(text: &str) -> Vec<String> {
    let mut by_device: BTreeMap<&str, String> = BTreeMap::new();
    for line in text.lines() {
        let Some((mount, source)) = line.split_once(" - ") else { continue };
        let mut words = mount.split(' ');
        let (Some(device), Some(_root), Some(point), Some(options)) =
            (words.nth(2), words.next(), words.next(), words.next())
        else {
            continue;
        };
        let kind = source.split(' ').next().unwrap_or_default();
        let point = unescaped(point);
        let in_memory = kind == "tmpfs" && OF_THE_SYSTEM.iter().any(|dir| is_below(&point, dir));
        // What nobody can write to cannot fill; containers lay overlays of one disk over each other.
        let read_only = options.split(',').any(|option| option == "ro");
        if !ON_DEVICES.contains(&kind) || in_memory || read_only || (kind == "overlay" && point != "/") {
            continue;
        }
        match by_device.get_mut(device) {
            Some(known) if point.len() < known.len() => *known = point,
            Some(_) => {}
            None => {
                by_device.insert(device, point);
            }
        }
    }
    let mut points: Vec<String> = by_device.into_values().collect();
    points.sort();
    points.truncate(MAX_REPORTED);
    points
}

fn is_below(point: &str, dir: &str) -> bool {
    point.strip_prefix(dir).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The kernel writes space, tab, newline and backslash as a backslash and three octal digits.
fn unescaped(point: &str) -> String {
    let (mut out, mut rest) = (Vec::with_capacity(point.len()), point.as_bytes());
    while let Some((&first, after)) = rest.split_first() {
        let meant = after.get(..3).filter(|_| first == b'\\').and_then(octal);
        out.push(meant.unwrap_or(first));
        rest = if meant.is_some() { &after[3..] } else { after };
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn octal(digits: &[u8]) -> Option<u8> {
    let text = std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit()))?;
    u8::from_str_radix(text, 8).ok()
}

/// Asks each; one that cannot be asked, or has no size, is left out.
pub fn measure(points: Vec<String>) -> Vec<MountUse> {
    points
        .into_iter()
        .filter_map(|path| {
            let seen = statvfs(&path).ok().filter(|seen| seen.f_blocks > 0)?;
            let bytes = |blocks: u64| blocks.saturating_mul(seen.f_frsize);
            Some(MountUse {
                total: bytes(seen.f_blocks),
                used: bytes(seen.f_blocks.saturating_sub(seen.f_bfree)),
                available: bytes(seen.f_bavail),
                inodes: seen.f_files,
                inodes_free: seen.f_favail.min(seen.f_ffree),
                path,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
24 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
25 24 0:22 / /proc rw,nosuid - proc proc rw
26 24 0:23 / /run rw,nosuid - tmpfs tmpfs rw,size=1k
27 24 0:24 / /tmp rw - tmpfs tmpfs rw
28 24 254:0 /srv/www /mnt/bind rw - ext4 /dev/vda rw
29 24 8:1 / /mnt/with\\040space rw master:1 - xfs /dev/sda1 rw
30 24 0:30 / /mnt/nfs rw - nfs4 server:/x rw
31 24 7:1 / /snap/core/1 ro - squashfs /dev/loop1 ro
32 24 8:2 / /boot/efi ro - vfat /dev/sda2 rw
33 24 0:44 / /var/lib/docker/overlay2/x/merged rw - overlay overlay rw
34 24 0:45 / /runner rw - tmpfs tmpfs rw
";

    #[test]
    fn each_device_is_listed_once_nearest_to_the_root() {
        assert_eq!(list(TEXT), ["/", "/mnt/with space", "/runner", "/tmp"]);
    }

    #[test]
    fn escapes_are_undone_and_a_lone_backslash_is_itself() {
        for (written, meant) in [("/a\\040b", "/a b"), ("/a\\134b", "/a\\b"), ("/a\\9", "/a\\9"), ("/a\\", "/a\\")] {
            assert_eq!(unescaped(written), meant);
        }
    }
}
