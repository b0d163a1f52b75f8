//! Processes of one name: how many, how much memory, how much of a core.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use rustix::param::{clock_ticks_per_second, page_size};
use wire::v1::Value;

use super::{Look, number};
use crate::stat::{self, Stat};

/// What processes of a name had used of the processor, and when.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Used {
    ticks: u64,
    at: Duration,
}

/// Looks at the processes called `name`, as the kernel calls them (its first 15 letters) or as the program's file is
/// called. A zombie is dead: it counts for itself. `cpu_percent` is of one core since the look before, and absent at the
/// first.
pub fn look(name: &str, before: Option<Used>, now: Duration) -> (Look, Option<Used>) {
    let entries = match fs::read_dir("/proc") {
        Ok(entries) => entries,
        Err(error) => return (Err(format!("processes cannot be listed: {error}")), None),
    };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let all: Vec<Stat> = pids.filter_map(|pid| find(pid, name)).collect();
    let zombies = all.iter().filter(|process| process.is_zombie).count();
    let count = all.len() - zombies;
    let memory_mb = all.iter().map(|process| process.pages).sum::<u64>() as f64 * page_size() as f64 / 1e6;
    let used = Used { ticks: all.iter().map(|process| process.ticks).sum(), at: now };
    let state = if count > 0 { "running" } else { "none" };
    let detail = match count {
        0 => format!("no process is called {name}"),
        1 => format!("one process, {memory_mb:.0} MB"),
        _ => format!("{count} processes, {memory_mb:.0} MB"),
    };
    let mut readings = BTreeMap::from([
        ("state".to_owned(), Value::Text(state.to_owned())),
        ("detail".to_owned(), Value::Text(detail)),
        ("count".to_owned(), number(count as f64)),
        ("zombies".to_owned(), number(zombies as f64)),
        ("memory_mb".to_owned(), number(memory_mb)),
    ]);
    if let Some(share) = before.and_then(|before| share(before, used)) {
        readings.insert("cpu_percent".to_owned(), number(share));
    }
    (Ok(readings), Some(used))
}

/// Of one core, in percent; none when no time went by, or when processes ended and took their past with them.
fn share(before: Used, now: Used) -> Option<f64> {
    let secs = now.at.checked_sub(before.at)?.as_secs_f64();
    let ticks = now.ticks.checked_sub(before.ticks)?;
    (secs > 0.0).then(|| ticks as f64 * 100.0 / clock_ticks_per_second() as f64 / secs)
}

/// Process `pid`, if it is called `name`; one that ended meanwhile is none.
fn find(pid: u32, name: &str) -> Option<Stat> {
    stat::read(pid).filter(|stat| stat.name == name.as_bytes() || is_program(pid, name))
}

/// Whether the first word of its command line is a file of this name.
fn is_program(pid: u32, name: &str) -> bool {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let program = line.split(|byte| *byte == 0).next().unwrap_or_default();
    program.rsplit(|byte| *byte == b'/').next() == Some(name.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_time_is_shared_out_over_the_time_that_went_by() {
        let used = |ticks, secs| Used { ticks, at: Duration::from_secs(secs) };
        let hz = clock_ticks_per_second();
        assert_eq!(share(used(0, 10), used(hz, 12)), Some(50.0));
        assert_eq!(share(used(5, 10), used(5, 10)), None);
        assert_eq!(share(used(5, 10), used(4, 11)), None, "one of them ended");
    }
}
