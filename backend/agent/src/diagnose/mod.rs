//! Read-only diagnostics: how the host looks at the moment a person is called. Everything is read from `/proc`, `statvfs`
//! and files; no program is run and nothing is written. Arguments of processes are never shown: they hold passwords.

mod changes;
mod held;
mod log;
mod processes;
pub(crate) mod sockets;

use std::collections::VecDeque;
use std::path::Path;
use std::time::{Duration, SystemTime};

use runner::Clock;
use wire::v1::{Diagnose, Diagnosed, MountUse, Section, ServiceState, constants};

use crate::collect::Collector;
use crate::limits::Limits;

/// Between the two looks that shares of the processor are told from.
const SAMPLE: Duration = Duration::from_millis(300);
/// The most lines of a section.
const LINES: usize = 20;
/// The most letters of a line.
const LETTERS: usize = 300;

/// How often it was asked.
#[derive(Debug, Default)]
pub struct Asked(VecDeque<Duration>);

impl Asked {
    /// Whether one more is within [`constants::DIAGNOSTICS_PER_HOUR`]; if so it is counted.
    pub fn one_more(&mut self, now: Duration) -> bool {
        self.0.retain(|at| now.saturating_sub(*at) < Duration::from_secs(3600));
        let may = self.0.len() < constants::DIAGNOSTICS_PER_HOUR as usize;
        if may {
            self.0.push_back(now);
        }
        may
    }
}

/// What there is to be looked at beside the host itself.
#[derive(Debug, Clone)]
pub struct Subject {
    /// The question.
    pub question: Diagnose,
    /// The host's own limits: where a service's log is.
    pub limits: Limits,
    /// How the services stand.
    pub services: Vec<ServiceState>,
}

/// Collects, by the wall clock `wall`; takes about half a second, and blocks.
pub fn collect(subject: &Subject, clock: Clock, wall: SystemTime) -> Diagnosed {
    let mut collector = Collector::new(clock);
    collector.collect();
    let before = processes::list();
    std::thread::sleep(SAMPLE);
    let host = collector.collect();
    let target = subject.question.target.as_deref();
    let mut sections = Vec::new();
    let log_file = target.and_then(|name| subject.limits.services.get(name)?.log_file());
    if let (Some(name), Some(path)) = (target, log_file) {
        sections.push(section(format!("Last lines of {name}'s log"), log::tail(path, LINES)));
    }
    let mut now = Vec::new();
    if let Some([one, five, fifteen]) = host.load {
        now.push(format!("load {one:.2} over 1 min, {five:.2} over 5, {fifteen:.2} over 15"));
    }
    if let Some(memory) = host.memory {
        let (free, of) = (bytes(memory.available), bytes(memory.total));
        now.push(format!("memory: {free} of {of} available"));
        if memory.swap_total > 0 {
            now.push(format!("swap: {} of {} free", bytes(memory.swap_free), bytes(memory.swap_total)));
        }
    }
    sections.push(section("Load and memory".to_owned(), now));
    sections.push(section("Busiest processes".to_owned(), processes::busiest(&before, &processes::list(), host.over)));
    sections.push(section("File systems".to_owned(), host.mounts.iter().map(mount).collect()));
    if target.is_some_and(|target| target.starts_with('/')) {
        sections.push(section("Deleted files that a process holds open".to_owned(), held::list()));
    }
    let services = subject.services.iter().map(|service| format!("{}: {}", service.name, service.state));
    sections.push(section("Services".to_owned(), services.collect()));
    sections.push(section("Listening on".to_owned(), sockets::listening()));
    sections
        .push(section("Changed below /etc within a day".to_owned(), changes::newest_below(Path::new("/etc"), wall)));
    sections.retain(|section| !section.lines.is_empty());
    Diagnosed { request_id: subject.question.request_id, sections }
}

fn section(title: String, mut lines: Vec<String>) -> Section {
    lines.truncate(LINES);
    let short = |line: String| line.chars().filter(|c| !c.is_control()).take(LETTERS).collect();
    Section { title, lines: lines.into_iter().map(short).collect() }
}

fn mount(mount: &MountUse) -> String {
    let (free, of) = (bytes(mount.available), bytes(mount.total));
    let inodes = match mount.inodes {
        0 => String::new(),
        all => format!(", {} % of inodes free", mount.inodes_free.saturating_mul(100) / all),
    };
    format!("{}: {free} of {of} free for users{inodes}", mount.path)
}

/// In the unit that leaves at least one digit before the point, powers of 1,000.
fn bytes(count: u64) -> String {
    let units = [(1_000_000_000_000, "TB"), (1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    match units.into_iter().find(|(unit, _)| count >= *unit) {
        Some((unit, name)) => format!("{:.1} {name}", count as f64 / unit as f64),
        None => format!("{count} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn this_machine_is_described_and_its_log_comes_first() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("shop.log");
        std::fs::write(&log, "started\nno such option: \u{7}cache_sise\n").unwrap();
        let text = format!("[services.shop]\nstatus = [\"/bin/true\"]\nlog_file = \"{}\"", log.display());
        let state = ServiceState { name: "shop".into(), state: "failed".into(), watched: true };
        let subject = Subject {
            question: Diagnose { request_id: Uuid::from_u128(7), target: Some("shop".into()) },
            limits: toml::from_str(&text).unwrap(),
            services: vec![state],
        };
        let found = collect(&subject, Clock::system(), SystemTime::UNIX_EPOCH);
        assert_eq!(found.request_id, Uuid::from_u128(7));
        let first = &found.sections[0];
        assert_eq!(first.title, "Last lines of shop's log");
        assert_eq!(first.lines, ["started", "no such option: cache_sise"]);
        let titles: Vec<_> = found.sections.iter().map(|section| section.title.as_str()).collect();
        for title in ["Load and memory", "Busiest processes", "File systems", "Services"] {
            assert!(titles.contains(&title), "{titles:?}");
        }
        assert!(found.sections.iter().all(|section| section.lines.len() <= LINES));
    }

    #[test]
    fn ten_an_hour_are_answered() {
        let mut asked = Asked::default();
        let hour = Duration::from_secs(3600);
        assert!((0..10).all(|minute| asked.one_more(hour + Duration::from_secs(minute * 60))));
        assert!(!asked.one_more(hour * 2 - Duration::from_secs(1)));
        assert!(asked.one_more(hour * 2));
    }

    #[test]
    fn bytes_are_in_powers_of_a_thousand() {
        let said = [0, 999, 1_000, 52_428_800, 7_000_000_000].map(bytes);
        assert_eq!(said, ["0 B", "999 B", "1.0 kB", "52.4 MB", "7.0 GB"]);
    }
}
