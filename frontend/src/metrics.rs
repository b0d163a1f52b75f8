//! A host's metrics: its newest figures, and their past as small charts drawn on the server.

use std::fmt::{self, Write as _};

use askama::filters::HtmlSafe;
use domain::metrics::Span;
use jiff::Timestamp;

use crate::State;

/// Everything the host's page shows of its metrics.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// When the newest figures were read.
    pub at: Timestamp,
    /// How much of the past the charts show.
    pub span: Span,
    /// The charts.
    pub figures: Vec<Figure>,
    /// The file systems, fullest first.
    pub disks: Vec<Disk>,
    /// When a fix ended well, within the span.
    pub fixes: Vec<Timestamp>,
    /// The instant of the page: where the charts end.
    pub now: Timestamp,
}

/// What a figure counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Percent of a whole: the chart goes from 0 to 100.
    Percent,
    /// Waiting and running processes.
    Load,
    /// Bytes a second.
    Rate,
}

/// One figure: its newest value and its past.
#[derive(Clone, Debug)]
pub struct Figure {
    /// Its name: "Processor".
    pub title: String,
    /// What it counts.
    pub unit: Unit,
    /// Its newest value.
    pub now: Option<f32>,
    /// What belongs to it: "of 2 cores".
    pub of: String,
    /// Its past, oldest first; a point says the beginning of its time.
    pub points: Vec<(Timestamp, Option<f32>)>,
}

/// One file system.
#[derive(Clone, Debug)]
pub struct Disk {
    /// Where it is mounted.
    pub path: String,
    /// What is in use of what users have and may have, percent.
    pub used: f32,
    /// Bytes available to users.
    pub available: u64,
    /// Bytes of all.
    pub total: u64,
    /// Inodes in use, percent; none where they are not counted.
    pub inodes: Option<f32>,
}

/// How a service stands.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its declared name.
    pub name: String,
    /// Its state in the agent's word.
    pub state: String,
    /// Whether a check looks at it.
    pub watched: bool,
}

impl Service {
    /// The state that shows it.
    pub fn shown(&self) -> State {
        match self.state.as_str() {
            "running" | "active" => State::Ok,
            "failed" => State::Crit,
            "restarting" | "starting" => State::Heal,
            _ => State::Idle,
        }
    }

    /// Its state in words.
    pub fn words(&self) -> String {
        self.state.replace('_', " ")
    }
}

impl Metrics {
    /// The charts' left end, as is said below them.
    pub fn since(&self) -> &'static str {
        match self.span {
            Span::Hour => "−1\u{a0}h",
            Span::SixHours => "−6\u{a0}h",
            Span::Day => "−24\u{a0}h",
        }
    }

    /// The same in words.
    pub fn past(&self) -> &'static str {
        match self.span {
            Span::Hour => "the last hour",
            Span::SixHours => "the last 6\u{a0}h",
            Span::Day => "the last 24\u{a0}h",
        }
    }

    /// Whether the newest figures are of now.
    pub fn is_live(&self) -> bool {
        self.now.duration_since(self.at).as_secs() < 30
    }

    /// A figure's chart.
    pub fn chart(&self, figure: &Figure) -> Chart {
        Chart::new(figure, self.span, self.now)
    }

    /// Where the fixes stand on a chart, in percent of its width.
    pub fn marks(&self) -> Vec<String> {
        let marks = self.fixes.iter().map(|at| share(*at, self.span, self.now));
        marks.filter(|x| (0.0..=100.0).contains(x)).map(short).collect()
    }
}

impl Figure {
    /// A value in words.
    pub fn words(&self, value: f32) -> String {
        match self.unit {
            Unit::Percent => format!("{:.0}\u{a0}%", value),
            Unit::Load => format!("{value:.2}"),
            Unit::Rate => format!("{}/s", bytes(f64::from(value))),
        }
    }

    /// The newest value in words.
    pub fn said(&self) -> String {
        self.now.map_or_else(|| "–".to_owned(), |now| self.words(now))
    }

    fn extremes(&self) -> Option<(f32, f32)> {
        let values = self.points.iter().filter_map(|(_, value)| *value);
        values.fold(None, |seen, value| {
            let (low, high) = seen.unwrap_or((value, value));
            Some((low.min(value), high.max(value)))
        })
    }

    /// What its chart shows, for who does not see it.
    pub fn label(&self, past: &str) -> String {
        let now = self.said();
        match self.extremes() {
            Some((low, high)) => {
                format!("{}, {past}: between {} and {}, now {now}", self.title, self.words(low), self.words(high))
            }
            None => format!("{}, {past}: nothing was read, now {now}", self.title),
        }
    }

    /// What stands below the middle of its chart: what belongs to it, or how high it went.
    pub fn below(&self) -> String {
        match self.extremes() {
            Some((_, high)) if self.of.is_empty() => format!("peak {}", self.words(high)),
            _ => self.of.clone(),
        }
    }
}

/// Bytes in a person's measure: "412 kB", "8.6 GB".
pub fn bytes(bytes: f64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB", "PB"];
    let (mut value, mut unit) = (bytes.max(0.0), 0);
    while value >= 999.5 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    let digits = usize::from(unit > 0 && value < 9.95);
    format!("{value:.digits$}\u{a0}{}", units[unit])
}

/// Where an instant lies on a chart that ends at `now`, in percent.
fn share(at: Timestamp, span: Span, now: Timestamp) -> f64 {
    100.0 + at.duration_since(now).as_secs_f64() / span.length().as_secs_f64() * 100.0
}

/// A coordinate, as short as it can be read.
fn short(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// A line in a box of 100 by 100 that stretches. Where nothing was read it is broken, not drawn through.
pub struct Chart(String);

impl Chart {
    fn new(figure: &Figure, span: Span, now: Timestamp) -> Chart {
        let high = figure.extremes().map_or(0.0, |(_, high)| high);
        let top = match figure.unit {
            Unit::Percent => 100.0,
            // Never a mountain of nothing: a load of one core, 10 kB/s.
            Unit::Load => high.max(1.0) * 1.1,
            Unit::Rate => high.max(10_000.0) * 1.1,
        };
        let (mut path, mut before) = (String::new(), None::<Timestamp>);
        for (at, value) in &figure.points {
            let x = share(*at + span.step() / 2, span, now);
            let Some(value) = value.filter(|_| (0.0..=100.0).contains(&x)) else {
                before = None;
                continue;
            };
            let y = 100.0 - f64::from(value / top).clamp(0.0, 1.0) * 100.0;
            let gap = before.is_none_or(|then| at.duration_since(then).unsigned_abs() > span.step() * 3 / 2);
            let (x, y) = (short(x), short(y));
            // The short stroke makes a point without neighbours seen.
            let _ = if gap { write!(path, "M{x} {y}h.3") } else { write!(path, "L{x} {y}") };
            before = Some(*at);
        }
        Chart(path)
    }
}

impl fmt::Display for Chart {
    /// Digits and letters of a path only: nothing in here comes from outside.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl HtmlSafe for Chart {}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap()
    }

    fn figure(unit: Unit, values: &[(i64, Option<f32>)]) -> Figure {
        let points =
            values.iter().map(|(minutes, v)| (now() - jiff::SignedDuration::from_mins(*minutes), *v)).collect();
        Figure { title: "Load".into(), unit, now: Some(0.5), of: String::new(), points }
    }

    #[test]
    fn a_line_is_broken_where_nothing_was_read() {
        let line =
            |values: &[(i64, Option<f32>)]| Chart::new(&figure(Unit::Percent, values), Span::Hour, now()).to_string();
        // 60 minutes are 100 wide; a point stands in the middle of its minute.
        assert_eq!(line(&[(30, Some(0.0)), (29, Some(50.0))]), "M50.8 100h.3L52.5 50");
        assert_eq!(line(&[(30, Some(0.0)), (29, None), (28, Some(50.0))]), "M50.8 100h.3M54.2 50h.3");
        assert_eq!(line(&[(30, Some(0.0)), (27, Some(200.0))]), "M50.8 100h.3M55.8 0h.3");
        assert_eq!(line(&[(90, Some(1.0))]), "");
    }

    #[test]
    fn a_figure_says_its_value_and_its_past_in_words() {
        let load = figure(Unit::Load, &[(2, Some(0.25)), (1, Some(1.5))]);
        assert_eq!(load.label("the last hour"), "Load, the last hour: between 0.25 and 1.50, now 0.50");
        assert_eq!(load.below(), "peak 1.50");
        let words: Vec<_> = [0.0, 999.0, 1_000.0, 9_960.0, 12_345_678.0, 8_589_934_592.0].map(bytes).to_vec();
        assert_eq!(words, ["0 B", "999 B", "1.0 kB", "10 kB", "12 MB", "8.6 GB"].map(|w| w.replace(' ', "\u{a0}")));
    }
}
