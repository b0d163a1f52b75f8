//! A host's metrics as they are kept: which figure stands where in a row, and when rows are closed and rolled up.

use std::time::Duration;

use jiff::Timestamp;

/// The layout of [`Samples`]. A figure that moves or changes its meaning makes a new one.
pub const LAYOUT: i16 = 1;

/// The figures of a row, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sample {
    /// Busy time of all cores, percent.
    CpuBusy,
    /// Of it, niced processes, percent.
    CpuNice,
    /// Waiting for disks, percent.
    CpuIowait,
    /// Stolen by the hypervisor, percent.
    CpuSteal,
    /// Load average of a minute.
    Load1,
    /// Of 5 minutes.
    Load5,
    /// Of 15 minutes.
    Load15,
    /// Memory not available to new work, percent.
    MemoryUsed,
    /// Memory that programs hold, bytes.
    MemoryHeld,
    /// Swap in use, percent.
    SwapUsed,
    /// The fullest file system: bytes not available to users, percent.
    DiskUsed,
    /// The file system with the fewest free inodes: in use, percent.
    InodesUsed,
    /// Received over every interface but the loopback, bytes a second.
    NetworkIn,
    /// Sent, bytes a second.
    NetworkOut,
}

/// How many figures a row has.
pub const SAMPLES: usize = Sample::NetworkOut as usize + 1;

/// One row's figures; what was not read is none, never 0.
pub type Samples = [Option<f32>; SAMPLES];

impl Sample {
    /// All, in their order, as programs name them, with their units.
    pub const ALL: [(Sample, &'static str, &'static str); SAMPLES] = [
        (Sample::CpuBusy, "cpu_busy", "percent"),
        (Sample::CpuNice, "cpu_nice", "percent"),
        (Sample::CpuIowait, "cpu_iowait", "percent"),
        (Sample::CpuSteal, "cpu_steal", "percent"),
        (Sample::Load1, "load_1", "load"),
        (Sample::Load5, "load_5", "load"),
        (Sample::Load15, "load_15", "load"),
        (Sample::MemoryUsed, "memory_used", "percent"),
        (Sample::MemoryHeld, "memory_held", "bytes"),
        (Sample::SwapUsed, "swap_used", "percent"),
        (Sample::DiskUsed, "disk_used", "percent"),
        (Sample::InodesUsed, "inodes_used", "percent"),
        (Sample::NetworkIn, "network_in", "bytes_per_second"),
        (Sample::NetworkOut, "network_out", "bytes_per_second"),
    ];

    /// The figure in a row as stored: none when it is not there.
    pub fn of(self, row: &[Option<f32>]) -> Option<f32> {
        row.get(self as usize).copied().flatten()
    }
}

/// `used` of `total` in percent.
pub fn percent(used: f64, total: f64) -> Option<f32> {
    (total > 0.0).then(|| (used / total * 100.0).clamp(0.0, 100.0) as f32)
}

/// Rolled-up rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rollup {
    /// Five minutes, of minutes.
    FiveMinutes,
    /// An hour, of five minutes.
    Hour,
}

const MINUTE: i64 = 60;

impl Rollup {
    /// Its length in seconds.
    pub const fn secs(self) -> i64 {
        match self {
            Rollup::FiveMinutes => 300,
            Rollup::Hour => 3600,
        }
    }
}

/// The time between two rows that are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A minute.
    Minute,
    /// Rolled up.
    Of(Rollup),
}

impl Step {
    /// The step of so many seconds, if rows of it are kept.
    pub fn of(secs: u32) -> Option<Step> {
        match i64::from(secs) {
            MINUTE => Some(Step::Minute),
            secs if secs == Rollup::FiveMinutes.secs() => Some(Step::Of(Rollup::FiveMinutes)),
            secs if secs == Rollup::Hour.secs() => Some(Step::Of(Rollup::Hour)),
            _ => None,
        }
    }
}

/// The beginning of the window of `secs` seconds that holds `at`.
pub fn window(at: Timestamp, secs: i64) -> Timestamp {
    Timestamp::from_second(at.as_second().div_euclid(secs) * secs).unwrap_or(at)
}

/// The mean of the samples that were there.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Mean([(f64, u32); SAMPLES]);

impl Mean {
    fn add(&mut self, samples: &Samples) {
        for ((sum, count), sample) in self.0.iter_mut().zip(samples) {
            if let Some(sample) = sample.filter(|sample| sample.is_finite()) {
                *sum += f64::from(sample);
                *count += 1;
            }
        }
    }

    fn samples(&self) -> Samples {
        self.0.map(|(sum, count)| (count > 0).then(|| (sum / f64::from(count)) as f32))
    }
}

/// What is to be stored after a report.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Due {
    /// A minute that is over: its beginning and its means.
    pub minute: Option<(Timestamp, Samples)>,
    /// Windows that are to be rolled up from what is stored, the shorter first.
    pub rollups: Vec<(Rollup, Timestamp)>,
}

/// Why a report is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dropped {
    /// The host reports more often than is kept.
    TooMany,
    /// It is of a minute that is closed, or far away.
    OutOfOrder,
}

/// Reports that a host may send at once, when it comes back: what its agent keeps while it is offline, and some.
const BURST: f64 = 90.0;
/// Seconds between two reports in the long run, at least.
const EVERY_SECS: f64 = 5.0;
/// Reports of the host's last so many seconds are kept.
const KEPT: Duration = Duration::from_secs(3600);

/// What one host reports, on its way to rows: one a minute, whatever the host sends.
#[derive(Debug, Clone, PartialEq)]
pub struct Ingest {
    open: Option<(Timestamp, Mean)>,
    left: f64,
    at: Duration,
}

impl Ingest {
    /// For a link that begins, at `received` of the node's monotonic clock.
    pub fn new(received: Duration) -> Self {
        Self { open: None, left: BURST, at: received }
    }

    /// Takes what was read at `at`, received at `now` (`received` on the node's monotonic clock).
    pub fn take(
        &mut self,
        at: Timestamp,
        now: Timestamp,
        received: Duration,
        samples: &Samples,
    ) -> Result<Due, Dropped> {
        let refill = received.saturating_sub(self.at).as_secs_f64() / EVERY_SECS;
        (self.left, self.at) = ((self.left + refill).min(BURST), received);
        if self.left < 1.0 {
            return Err(Dropped::TooMany);
        }
        self.left -= 1.0;
        let minute = window(at, MINUTE);
        let is_kept = at <= now && now.duration_since(at).unsigned_abs() <= KEPT;
        if !is_kept || self.open.as_ref().is_some_and(|(open, _)| *open > minute) {
            return Err(Dropped::OutOfOrder);
        }
        match &mut self.open {
            Some((open, mean)) if *open == minute => {
                mean.add(samples);
                Ok(Due::default())
            }
            _ => {
                let mut due = Due { minute: self.closed(), rollups: Vec::new() };
                if let Some((open, _)) = due.minute {
                    for rollup in [Rollup::FiveMinutes, Rollup::Hour] {
                        if window(open, rollup.secs()) != window(minute, rollup.secs()) {
                            due.rollups.push((rollup, window(open, rollup.secs())));
                        }
                    }
                }
                let mut mean = Mean::default();
                mean.add(samples);
                self.open = Some((minute, mean));
                Ok(due)
            }
        }
    }

    /// The link ends: the open minute is closed, and its windows are rolled up as far as they got.
    pub fn end(&mut self) -> Due {
        let minute = self.closed();
        let rolled = |rollup: Rollup| minute.map(|(open, _)| (rollup, window(open, rollup.secs())));
        Due { minute, rollups: [Rollup::FiveMinutes, Rollup::Hour].into_iter().filter_map(rolled).collect() }
    }

    fn closed(&mut self) -> Option<(Timestamp, Samples)> {
        self.open.take().map(|(open, mean)| (open, mean.samples()))
    }
}

/// How much of the past a chart shows: no more than there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// An hour, minute by minute.
    Hour,
    /// Six hours, by five minutes.
    SixHours,
    /// A day, by five minutes.
    Day,
}

impl Span {
    /// For a host whose oldest row is that old.
    pub fn of(age: Duration) -> Span {
        match age.as_secs() {
            0..3_600 => Span::Hour,
            3_600..21_600 => Span::SixHours,
            _ => Span::Day,
        }
    }

    /// Its length.
    pub const fn length(self) -> Duration {
        Duration::from_secs(match self {
            Span::Hour => 3_600,
            Span::SixHours => 21_600,
            Span::Day => 86_400,
        })
    }

    /// The time between two of its points.
    pub const fn step(self) -> Duration {
        Duration::from_secs(match self {
            Span::Hour => 60,
            Span::SixHours | Span::Day => 300,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + secs).unwrap() // a full hour
    }

    fn busy(percent: f32) -> Samples {
        let mut samples = [None; SAMPLES];
        samples[Sample::CpuBusy as usize] = Some(percent);
        samples
    }

    fn take(ingest: &mut Ingest, secs: i64, percent: f32) -> Result<Due, Dropped> {
        ingest.take(at(secs), at(secs), Duration::from_secs(secs.unsigned_abs()), &busy(percent))
    }

    #[test]
    fn each_figure_has_a_name_in_the_order_of_the_row_and_each_step_its_rows() {
        for (at, (sample, name, _)) in Sample::ALL.iter().enumerate() {
            assert_eq!(*sample as usize, at, "{name}");
        }
        let steps = [60, 300, 3_600].map(Step::of);
        assert_eq!(steps, [Some(Step::Minute), Some(Step::Of(Rollup::FiveMinutes)), Some(Step::Of(Rollup::Hour))]);
        assert_eq!([0, 59, 86_400].map(Step::of), [None; 3]);
    }

    #[test]
    fn a_minute_is_stored_as_its_mean_when_the_next_begins_and_what_was_not_read_stays_absent() {
        let mut ingest = Ingest::new(Duration::ZERO);
        assert_eq!(take(&mut ingest, 0, 10.0), Ok(Due::default()));
        assert_eq!(take(&mut ingest, 30, f32::NAN), Ok(Due::default()));
        assert_eq!(take(&mut ingest, 50, 20.0), Ok(Due::default()));
        assert_eq!(take(&mut ingest, 65, 90.0), Ok(Due { minute: Some((at(0), busy(15.0))), rollups: vec![] }));
        let ended = ingest.end();
        assert_eq!(ended.minute, Some((at(60), busy(90.0))));
        assert_eq!(ended.rollups, [(Rollup::FiveMinutes, at(0)), (Rollup::Hour, at(0))]);
        assert_eq!(ingest.end(), Due::default());
    }

    #[test]
    fn windows_are_rolled_up_when_a_report_of_the_next_one_comes() {
        let mut ingest = Ingest::new(Duration::ZERO);
        take(&mut ingest, 250, 1.0).unwrap();
        assert_eq!(take(&mut ingest, 310, 1.0).unwrap().rollups, [(Rollup::FiveMinutes, at(0))]);
        assert_eq!(
            take(&mut ingest, 3_700, 1.0).unwrap().rollups,
            [(Rollup::FiveMinutes, at(300)), (Rollup::Hour, at(0))]
        );
    }

    #[test]
    fn a_host_that_floods_or_makes_up_times_is_dropped_and_the_others_rows_stay() {
        let mut ingest = Ingest::new(Duration::ZERO);
        assert!((0..90).all(|_| take(&mut ingest, 0, 1.0).is_ok()));
        assert_eq!(take(&mut ingest, 0, 1.0), Err(Dropped::TooMany));
        assert_eq!(take(&mut ingest, 4, 1.0), Err(Dropped::TooMany));
        assert!(take(&mut ingest, 9, 1.0).is_ok());
        let mut ingest = Ingest::new(Duration::ZERO);
        take(&mut ingest, 120, 1.0).unwrap();
        assert_eq!(take(&mut ingest, 30, 1.0), Err(Dropped::OutOfOrder));
        let far = ingest.take(at(-4_000), at(200), Duration::ZERO, &busy(1.0));
        assert_eq!(far, Err(Dropped::OutOfOrder));
        let ahead = ingest.take(at(300), at(200), Duration::ZERO, &busy(1.0));
        assert_eq!(ahead, Err(Dropped::OutOfOrder));
    }

    #[test]
    fn what_was_kept_while_offline_becomes_the_minutes_it_is_of() {
        let mut ingest = Ingest::new(Duration::ZERO);
        let rows: Vec<_> = (0..60)
            .filter_map(|n| ingest.take(at(n * 10), at(600), Duration::ZERO, &busy(5.0)).unwrap().minute)
            .collect();
        assert_eq!(rows.len(), 9);
        assert_eq!(rows[8], (at(480), busy(5.0)));
    }

    #[test]
    fn a_chart_shows_no_more_past_than_there_is() {
        let span = |minutes: u64| Span::of(Duration::from_secs(minutes * 60));
        assert_eq!([span(3), span(59), span(60), span(360)], [Span::Hour, Span::Hour, Span::SixHours, Span::Day]);
    }
}
