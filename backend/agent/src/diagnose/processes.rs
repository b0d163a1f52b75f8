//! Who uses the processor and the memory.

use std::collections::BTreeMap;
use std::time::Duration;

use rustix::param::{clock_ticks_per_second, page_size};

use crate::stat::{self, Stat};

/// How many of each are told.
const MOST: usize = 8;

/// All processes by number.
pub fn list() -> BTreeMap<u32, Stat> {
    stat::pids().filter_map(|pid| Some((pid, stat::read(pid)?))).collect()
}

/// Those that used most of the processor between two looks `over` apart, then those that hold most memory.
pub fn busiest(before: &BTreeMap<u32, Stat>, after: &BTreeMap<u32, Stat>, over: Duration) -> Vec<String> {
    let used = |(pid, now): (&u32, &Stat)| {
        // A number that another process has by now tells nothing.
        let then = before.get(pid).filter(|then| then.began == now.began)?;
        let ticks = now.ticks.checked_sub(then.ticks).filter(|ticks| *ticks > 0)?;
        Some((
            ticks as f64 * 100.0 / clock_ticks_per_second() as f64 / over.as_secs_f64(),
            *pid,
            String::from_utf8_lossy(&now.name).into_owned(),
        ))
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
            format!("{} ({pid}): {} of memory", String::from_utf8_lossy(&process.name), super::bytes(held))
        }))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(name: &str, ticks: u64, began: u64, pages: u64) -> Stat {
        Stat { name: name.into(), is_zombie: false, ticks, began, pages }
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
