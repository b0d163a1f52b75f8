//! `/proc/PID/stat`: what the kernel says of a process in one line.

use std::fs;

/// What is read of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    /// As the kernel calls it: the first 15 bytes of the program's name.
    pub name: Vec<u8>,
    /// It ended, and its parent has not taken notice.
    pub is_zombie: bool,
    /// What it used of the processor, in clock ticks.
    pub ticks: u64,
    /// When it began, in clock ticks since boot: with its number it names the process.
    pub began: u64,
    /// The pages of memory that it holds.
    pub pages: u64,
}

/// Of process `pid`; one that ended meanwhile is none.
pub fn read(pid: u32) -> Option<Stat> {
    parse(&fs::read(format!("/proc/{pid}/stat")).ok()?)
}

/// The numbers of all processes; none when they cannot be listed.
pub fn pids() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// `pid (name) state …`, and the name may hold anything, brackets too.
fn parse(stat: &[u8]) -> Option<Stat> {
    let (open, close) = (stat.iter().position(|b| *b == b'(')?, stat.iter().rposition(|b| *b == b')')?);
    let name = stat.get(open + 1..close)?.to_vec();
    let words: Vec<&str> = std::str::from_utf8(stat.get(close + 2..)?).ok()?.split_ascii_whitespace().collect();
    // Counted from the state, which is the third word of the whole line.
    let word = |number: usize| words.get(number - 3)?.parse::<u64>().ok();
    Some(Stat {
        name,
        is_zombie: matches!(*words.first()?, "Z" | "X" | "x"),
        ticks: word(14)? + word(15)?,
        began: word(22)?,
        pages: word(24)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_brackets_and_spaces() {
        let line = b"12 (a (b) c) S 1 1 1 0 -1 4194560 1 2 3 4 70 5 0 0 20 0 1 0 900 1000 25 18446744073709551615";
        let read = Stat { name: b"a (b) c".to_vec(), is_zombie: false, ticks: 75, began: 900, pages: 25 };
        assert_eq!(parse(line), Some(read));
        assert_eq!(parse(b"12 (x) S 1"), None);
    }
}
