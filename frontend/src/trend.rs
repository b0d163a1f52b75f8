//! How days and nights went: what needed nobody, whom we woke, where we were blind for a while.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;

use crate::clients::Healed;
use crate::{HostRef, took};

/// One day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day {
    /// Which.
    pub date: Date,
    /// Healed without a person.
    pub healed: u32,
    /// Needed a person.
    pub called: u32,
    /// Of the night before this morning: what a person was mailed about.
    pub pages_sent: u32,
    /// Of that night: what was healed without a person.
    pub pages_avoided: u32,
}

/// A stretch of silence that is over.
#[derive(Clone, Debug)]
pub struct ClosedGap {
    /// The host.
    pub host: HostRef,
    /// From.
    pub from: Timestamp,
    /// Until.
    pub to: Timestamp,
}

impl ClosedGap {
    /// How long it lasted.
    pub fn lasted(&self) -> String {
        took(Duration::try_from(self.to.duration_since(self.from)).unwrap_or_default())
    }
}

/// The days of the chart, each with what happened, the newest last.
#[derive(Clone, Debug, Default)]
pub struct Trend {
    /// One entry a day, without gaps.
    pub days: Vec<Day>,
}

/// One bar of the chart, in its own units.
pub struct Bar {
    /// From the left.
    pub x: u32,
    /// Its width.
    pub width: u32,
    /// The part that needed nobody: top and height.
    pub healed: (u32, u32),
    /// The part that needed a person, above it: top and height.
    pub called: (u32, u32),
    /// "3 November: 4 without a person, 1 with".
    pub words: String,
}

/// The chart's height, and a day's width with the gap after it.
const HEIGHT: u32 = 48;
const STEP: u32 = 10;

impl Trend {
    /// Every day of `count` up to `today`, also those on which nothing happened.
    pub fn of(days: &[Day], today: Date, count: i64) -> Trend {
        let nothing = |date| Day { date, healed: 0, called: 0, pages_sent: 0, pages_avoided: 0 };
        let all = (0..count).rev().filter_map(|back| today.checked_sub(jiff::Span::new().days(back)).ok());
        Trend {
            days: all.map(|date| days.iter().find(|day| day.date == date).copied().unwrap_or(nothing(date))).collect(),
        }
    }

    /// The whole stretch.
    pub fn healed(&self) -> Healed {
        let healed = self.days.iter().map(|day| day.healed).sum();
        Healed { healed, counted: healed + self.days.iter().map(|day| day.called).sum::<u32>() }
    }

    /// The last nights, the newest first.
    pub fn nights(&self) -> impl Iterator<Item = &Day> {
        self.days.iter().rev().take(7)
    }

    /// Whether there is anything to draw.
    pub fn is_empty(&self) -> bool {
        self.days.iter().all(|day| day.healed + day.called + day.pages_sent == 0)
    }

    /// The chart's size.
    pub fn size(&self) -> (u32, u32) {
        (u32::try_from(self.days.len()).unwrap_or(0) * STEP, HEIGHT)
    }

    /// Its bars: the highest day fills the height, and what is there is never drawn as nothing.
    pub fn bars(&self) -> Vec<Bar> {
        let most = self.days.iter().map(|day| day.healed + day.called).max().unwrap_or(0).max(1);
        let high = |n: u32| if n == 0 { 0 } else { (n * (HEIGHT - 2) / most).max(2) };
        let bar = |(day, x): (&Day, u32)| {
            let (healed, called) = (high(day.healed), high(day.called));
            Bar {
                x: x * STEP,
                width: STEP - 2,
                healed: (HEIGHT.saturating_sub(healed), healed),
                called: (HEIGHT.saturating_sub(healed + called), called),
                words: format!("{}: {} without a person, {} with", day.date.strftime("%-d %B"), day.healed, day.called),
            }
        };
        self.days.iter().zip(0..).map(bar).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn day(n: i8, healed: u32, called: u32) -> Day {
        Day { date: date(2026, 11, n), healed, called, pages_sent: called, pages_avoided: healed }
    }

    #[test]
    fn a_day_on_which_nothing_happened_has_its_place() {
        let trend = Trend::of(&[day(2, 3, 1), day(5, 0, 2)], date(2026, 11, 5), 5);
        let seen: Vec<(i8, u32, u32)> = trend.days.iter().map(|d| (d.date.day(), d.healed, d.called)).collect();
        assert_eq!(seen, [(1, 0, 0), (2, 3, 1), (3, 0, 0), (4, 0, 0), (5, 0, 2)]);
        assert_eq!((trend.healed().healed, trend.healed().counted), (3, 6));
        assert!(!trend.is_empty() && Trend::of(&[], date(2026, 11, 5), 5).is_empty());
    }

    #[test]
    fn no_bar_leaves_the_chart_and_none_that_stands_for_something_is_nothing() {
        let days: Vec<Day> =
            (1..=28).map(|n| day(n, u32::try_from(n).unwrap() * 37 % 97, u32::from(n % 3 == 0))).collect();
        for bar in Trend::of(&days, date(2026, 11, 28), 30).bars() {
            assert!(
                bar.called.0 <= HEIGHT && bar.called.0 + bar.called.1 + bar.healed.1 <= HEIGHT + 2,
                "{}",
                bar.words
            );
            assert!(bar.words.contains(" 0 without") || bar.healed.1 >= 2);
        }
    }
}
