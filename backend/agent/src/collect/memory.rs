//! `/proc/meminfo`.

use wire::v1::MemoryUse;

/// Reads `/proc/meminfo`, whose `kB` are 1,024 bytes.
pub fn parse(text: &str) -> Option<MemoryUse> {
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        Some(line.split_ascii_whitespace().next()?.parse::<u64>().ok()?.saturating_mul(1024))
    };
    Some(MemoryUse {
        total: value("MemTotal")?,
        available: value("MemAvailable")?,
        held: value("AnonPages")?.saturating_add(value("Shmem").unwrap_or(0)),
        swap_total: value("SwapTotal").unwrap_or(0),
        swap_free: value("SwapFree").unwrap_or(0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kilobytes_become_bytes_and_a_kernel_without_swap_has_none() {
        let text = "MemTotal:       16384 kB\nMemFree: 1 kB\nMemAvailable:    4096 kB\nAnonPages: 512 kB\nShmem: 512 kB\nSwapTotal: 2048 kB\nSwapFree: 1024 kB\n";
        let (kib, mib) = (1024, 1024 * 1024);
        let read = MemoryUse { total: 16 * mib, available: 4 * mib, held: mib, swap_total: 2 * mib, swap_free: mib };
        assert_eq!(parse(text), Some(read));
        let bare = parse("MemTotal: 2 kB\nMemAvailable: 1 kB\nAnonPages: 1 kB\n").unwrap();
        assert_eq!((bare.total, bare.swap_total), (2 * kib, 0));
        assert_eq!(parse("MemTotal: 2 kB\n"), None);
    }
}
