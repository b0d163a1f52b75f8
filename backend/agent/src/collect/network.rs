//! `/proc/net/dev`: bytes in and out of each interface.

use std::time::Duration;

use wire::v1::{InterfaceUse, MAX_REPORTED};

/// One interface's counters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counters {
    name: String,
    rx: u64,
    tx: u64,
}

/// Reads the table below its two lines of headings.
pub fn parse(text: &str) -> Vec<Counters> {
    let one = |line: &str| {
        let (name, counters) = line.split_once(':')?;
        let mut words = counters.split_ascii_whitespace().map(|word| word.parse().ok());
        Some(Counters { name: name.trim().to_owned(), rx: words.next()??, tx: words.nth(7)?? })
    };
    text.lines().skip(2).filter_map(one).take(MAX_REPORTED).collect()
}

/// Rates of the interfaces that were there before; one that was made anew meanwhile has none yet.
pub fn rates(before: &[Counters], now: &[Counters], over: Duration) -> Vec<InterfaceUse> {
    let secs = over.as_secs_f64();
    if secs <= 0.0 {
        return Vec::new();
    }
    let one = |now: &Counters| {
        let then = before.iter().find(|then| then.name == now.name)?;
        let (rx, tx) = (now.rx.checked_sub(then.rx)?, now.tx.checked_sub(then.tx)?);
        Some(InterfaceUse { name: now.name.clone(), rx: rx as f64 / secs, tx: tx as f64 / secs })
    };
    now.iter().filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "Inter-|   Receive\n face |bytes\n";

    #[test]
    fn rates_are_bytes_a_second_and_a_counter_that_fell_has_none() {
        let before = parse(&format!(
            "{HEAD}    lo: 100 1 0 0 0 0 0 0 100 1 0 0 0 0 0 0\n  eth0:1000 1 0 0 0 0 0 0 9 1 0 0 0 0 0 0\n"
        ));
        let now = parse(&format!(
            "{HEAD}    lo: 300 1 0 0 0 0 0 0 700 1 0 0 0 0 0 0\n  eth0:10 1 0 0 0 0 0 0 99 1 0 0 0 0 0 0\n"
        ));
        assert_eq!(before[1], Counters { name: "eth0".into(), rx: 1000, tx: 9 });
        let rates = rates(&before, &now, Duration::from_secs(2));
        assert_eq!(rates, [InterfaceUse { name: "lo".into(), rx: 100.0, tx: 300.0 }]);
    }
}
