//! The host's metrics: read from `/proc` and `statvfs`, every report interval.

mod cpu;
mod memory;
mod mounts;
mod network;

use std::fs::File;
use std::io::{self, Read as _};
use std::time::Duration;

use runner::Clock;
use tokio::sync::{mpsc, watch};
use wire::v1::{CpuUse, InterfaceUse, MemoryUse, MountUse, Report};

use crate::agent::Event;

/// What was read, and when, on the boot-time clock.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Collected {
    /// When.
    pub at: Duration,
    /// Since the look before: what rates and shares are about.
    pub over: Duration,
    /// The processor; none at the first look.
    pub cpu: Option<CpuUse>,
    /// Load averages over 1, 5 and 15 minutes.
    pub load: Option<[f64; 3]>,
    /// Memory and swap.
    pub memory: Option<MemoryUse>,
    /// File systems on devices.
    pub mounts: Vec<MountUse>,
    /// Interfaces; none at the first look.
    pub interfaces: Vec<InterfaceUse>,
}

impl Collected {
    /// As it is sent at `now`, without the services.
    pub fn report(&self, now: Duration) -> Report {
        let millis = |d: Duration| u64::try_from(d.as_millis()).unwrap_or(u64::MAX);
        Report {
            age_ms: millis(now.saturating_sub(self.at)),
            over_ms: millis(self.over),
            cpu: self.cpu,
            load: self.load,
            memory: self.memory,
            mounts: self.mounts.clone(),
            interfaces: self.interfaces.clone(),
            services: Vec::new(),
        }
    }
}

/// Reads; remembers the counters of the look before.
#[derive(Debug)]
pub struct Collector {
    clock: Clock,
    text: String,
    before: Option<Before>,
}

#[derive(Debug)]
struct Before {
    at: Duration,
    cpu: Option<cpu::Ticks>,
    network: Vec<network::Counters>,
}

impl Collector {
    /// Has not looked yet.
    pub fn new(clock: Clock) -> Self {
        Self { clock, text: String::new(), before: None }
    }

    /// Looks. What cannot be read is absent.
    pub fn collect(&mut self) -> Collected {
        let at = self.clock.now();
        let ticks = self.read("/proc/stat").and_then(cpu::parse);
        let load = self.read("/proc/loadavg").and_then(load);
        let memory = self.read("/proc/meminfo").and_then(memory::parse);
        let counters = self.read("/proc/thread-self/net/dev").map(network::parse).unwrap_or_default();
        let mounts = self.read("/proc/thread-self/mountinfo").map(mounts::list).unwrap_or_default();
        let mut collected = Collected { at, load, memory, mounts: mounts::measure(mounts), ..Collected::default() };
        if let Some(before) = &self.before {
            collected.over = at.saturating_sub(before.at);
            collected.cpu = before.cpu.as_ref().zip(ticks.as_ref()).and_then(|(then, now)| now.since(then));
            collected.interfaces = network::rates(&before.network, &counters, collected.over);
        }
        self.before = Some(Before { at, cpu: ticks, network: counters });
        collected
    }

    /// A file of `/proc` as text, in a buffer that is used again.
    fn read(&mut self, path: &str) -> Option<&str> {
        self.text.clear();
        let whole = |text: &mut String| -> io::Result<()> {
            File::open(path)?.read_to_string(text)?;
            Ok(())
        };
        match whole(&mut self.text) {
            Ok(()) => Some(&self.text),
            Err(error) => {
                tracing::debug!(path, %error, "not read");
                None
            }
        }
    }
}

fn load(text: &str) -> Option<[f64; 3]> {
    let mut words = text.split_ascii_whitespace().map(|word| word.parse().ok());
    Some([words.next()??, words.next()??, words.next()??])
}

/// Collects at each interval until nobody listens. A look may wait for a dead disk: it blocks a thread of its own, and
/// no other is begun meanwhile.
pub async fn run(clock: Clock, mut every: watch::Receiver<Duration>, events: mpsc::Sender<Event>) {
    let mut collector = Collector::new(clock);
    loop {
        let look = tokio::task::spawn_blocking(move || {
            let collected = collector.collect();
            (collector, collected)
        });
        let Ok((back, collected)) = look.await else { return };
        collector = back;
        // The first look only says where the counters stand.
        if !collected.over.is_zero() && events.send(Event::Collected(collected)).await.is_err() {
            return;
        }
        let wait = *every.borrow_and_update();
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            changed = every.changed() => if changed.is_err() { return },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn load_averages_are_the_first_three_numbers() {
        assert_eq!(load("0.52 1.25 2.00 3/512 12345\n"), Some([0.52, 1.25, 2.0]));
        assert_eq!(load("0.52 1.25"), None);
    }

    #[test]
    fn this_machine_is_read_and_the_first_look_has_no_rates() {
        let mut collector = Collector::new(Clock::system());
        let first = collector.collect();
        assert!(first.cpu.is_none() && first.interfaces.is_empty() && first.over.is_zero());
        assert!(first.memory.is_some_and(|m| m.total > m.available) && first.load.is_some());
    }
}
