//! Who uses the processor and the memory.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use rustix::param::{clock_ticks_per_second, page_size};

/// How many of each are told.
const MOST: usize = 8;

/// One process.
#[derive(Debug, Clone, PartialEq)]
pub struct Process {
    name: String,
    ticks: u64,
    began: u64,
    pages: u64,
}

/// All processes by number.
pub fn list() -> BTreeMap<u32, Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter_map(|pid| Some((pid, parse(&fs::read(format!("/proc/{pid}/stat")).ok()?)?))).collect()
}

/// From `/proc/PID/stat`: `pid (name) state …`, and the name may hold anything, brackets too.
fn parse(stat: &[u8]) -> Option<Process> {
    let (open, close) = (stat.iter().position(|b| *b == b'(')?, stat.iter().rposition(|b| *b == b')')?);
    let name = String::from_utf8_lossy(stat.get(open + 1..close)?).into_owned();
    let rest = std::str::from_utf8(stat.get(close + 2..)?).ok()?;
    let words: Vec<&str> = rest.split_ascii_whitespace().collect();
    // Counted from the state, which is the third word of the whole line.
    let word = |number: usize| words.get(number - 3)?.parse::<u64>().ok();
    Some(Process { name, ticks: word(14)? + word(15)?, began: word(22)?, pages: word(24)? })
}

/// Those that used most of the processor between two looks `over` apart, then those that hold most memory.
pub fn busiest(before: &BTreeMap<u32, Process>, after: &BTreeMap<u32, Process>, over: Duration) -> Vec<String> {
    let used = |(pid, now): (&u32, &Process)| {
        // A number that another process has by now tells nothing.
        let then = before.get(pid).filter(|then| then.began == now.began)?;
        let ticks = now.ticks.checked_sub(then.ticks).filter(|ticks| *ticks > 0)?;
        Some((ticks as f64 * 100.0 / clock_ticks_per_second() as f64 / over.as_secs_f64(), *pid, now.name.clone()))
    };
    let mut by_processor: Vec<_> = after.iter().filter_map(used).collect();
    by_processor.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut by_memory: Vec<_> = after.iter().filter(|(_, process)| process.pages > 0).collect();
    by_memory.sort_by_key(|(_, process)| std::cmp::Reverse(process.pages));
    let processor = by_processor.into_iter().take(MOST);
    let memory = by_memory.into_iter().take(MOST);
    processor
        .map(|(share, pid, name)| format!("{name} ({pid}): {share:.0} % of a core"))
        .chain(memory.map(|(pid, process)| {
            let held = process.pages.saturating_mul(page_size() as u64);
            format!("{} ({pid}): {} of memory", process.name, super::bytes(held))
        }))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(name: &str, ticks: u64, began: u64, pages: u64) -> Process {
        Process { name: name.into(), ticks, began, pages }
    }

    #[test]
    fn a_name_may_hold_brackets_and_spaces() {
        let line = b"12 (a (b) c) S 1 1 1 0 -1 4194560 1 2 3 4 70 5 0 0 20 0 1 0 900 1000 25 18446744073709551615";
        assert_eq!(parse(line), Some(process("a (b) c", 75, 900, 25)));
        assert_eq!(parse(b"12 (x) S 1"), None);
    }

    #[test]
    fn the_busiest_come_first_and_a_number_that_is_used_again_tells_nothing() {
        let hz = clock_ticks_per_second();
        let before = [(1, process("old", 0, 1, 1)), (2, process("spin", 0, 1, 9)), (3, process("gone", 0, 1, 1))];
        let after = [(1, process("old", 0, 1, 1)), (2, process("spin", hz, 1, 9)), (3, process("new", hz, 2, 0))];
        let said = busiest(&before.into(), &after.into(), Duration::from_secs(2));
        assert_eq!(said[0], "spin (2): 50 % of a core");
        assert!(said[1].starts_with("spin (2): ") && said[1].ends_with(" of memory"), "{said:?}");
        assert_eq!(said.len(), 3, "{said:?}");
    }
}
