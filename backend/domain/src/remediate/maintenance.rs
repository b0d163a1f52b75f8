//! When maintenance is planned: a stretch of time once, or the same hours each week, by the clock of a place.

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use serde::{Deserialize, Serialize};

/// The longest stretch that is planned once: what lasts longer is no window, but a stop.
const LONGEST: SignedDuration = SignedDuration::from_hours(24 * 14);

/// When, as it is written. Exactly one of the two is said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Times {
    /// `sat 22:00-04:00`, `mon-fri 01:00-02:30`, `daily 12:00-12:15`: what runs over midnight belongs to the day it begins on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub weekly: Vec<String>,
    /// From and to, a date and a time each.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub once: Option<Once>,
}

/// A stretch of time, by the clock of its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Once {
    /// `2026-12-05T22:00`.
    pub from: String,
    /// `2026-12-06T04:00`.
    pub to: String,
}

/// One stretch: from its beginning on, and no more at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// From.
    pub starts_at: Timestamp,
    /// To.
    pub ends_at: Timestamp,
}

/// Hours of some days of the week.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Hours {
    days: Vec<Weekday>,
    /// Minutes since midnight.
    from: i64,
    /// Minutes since the midnight before it began; above a day when it runs over midnight.
    to: i64,
}

impl Times {
    /// What is wrong with it, as (field, sentence).
    pub fn faults(&self) -> Vec<(String, String)> {
        let mut faults = Vec::new();
        match (self.weekly.is_empty(), &self.once) {
            (true, None) => faults.push((String::new(), "say either weekly or once".to_owned())),
            (false, Some(_)) => faults.push(("once".to_owned(), "say either weekly or once, not both".to_owned())),
            _ => {}
        }
        if self.weekly.len() > 14 {
            faults.push(("weekly".to_owned(), "at most 14 stretches a week".to_owned()));
        }
        for (i, text) in self.weekly.iter().enumerate() {
            if Hours::parse(text).is_none() {
                let wrong =
                    format!("{text:?} is no stretch of a week; write one like sat 22:00-04:00 or mon-fri 01:00-02:30");
                faults.push((format!("weekly[{i}]"), wrong));
            }
        }
        if let Some(once) = &self.once {
            let instant = |text: &str| format!("{text:?} is no date with a time; write one like 2026-12-05T22:00");
            match (moment(&once.from), moment(&once.to)) {
                (None, _) => faults.push(("once.from".to_owned(), instant(&once.from))),
                (_, None) => faults.push(("once.to".to_owned(), instant(&once.to))),
                (Some(from), Some(to)) if to <= from => {
                    faults.push(("once.to".to_owned(), "it ends before it begins".to_owned()));
                }
                (Some(from), Some(to)) if to.duration_since(from) > LONGEST => {
                    faults.push(("once.to".to_owned(), "it lasts longer than 14 days".to_owned()));
                }
                _ => {}
            }
        }
        faults
    }

    /// The stretch that holds at `now`, or else the next one; none: there is none any more.
    pub fn next(&self, now: Timestamp, zone: &TimeZone) -> Option<Span> {
        let once = self.once.iter().filter_map(|once| span(moment(&once.from)?, moment(&once.to)?, zone));
        let today = now.to_zoned(zone.clone()).date();
        let weekly = self.weekly.iter().filter_map(|text| Hours::parse(text)).flat_map(|hours| {
            // Yesterday's may run until today, and a day of the week comes again within seven.
            (-1..=8).filter_map(move |days| hours.on(today.checked_add(days.days()).ok()?)).collect::<Vec<_>>()
        });
        let weekly = weekly.filter_map(|(from, to)| span(from, to, zone));
        once.chain(weekly).filter(|span| span.ends_at > now).min()
    }

    /// As people read it: "sat 22:00-04:00", "2026-12-05 22:00 to 2026-12-06 04:00".
    pub fn words(&self) -> String {
        let once = self.once.iter().map(|once| format!("{} to {}", once.from, once.to).replace('T', " "));
        self.weekly.iter().cloned().chain(once).collect::<Vec<_>>().join("; ")
    }
}

fn moment(text: &str) -> Option<DateTime> {
    text.parse().ok().filter(|_| text.contains('T'))
}

/// What the clocks of the place show, as instants; none where they show both at the same one.
fn span(from: DateTime, to: DateTime, zone: &TimeZone) -> Option<Span> {
    let at = |shown: DateTime| zone.to_timestamp(shown).ok();
    let span = Span { starts_at: at(from)?, ends_at: at(to)? };
    (span.ends_at > span.starts_at).then_some(span)
}

impl Hours {
    fn parse(text: &str) -> Option<Hours> {
        let (days, hours) = text.trim().split_once(' ')?;
        let (from, to) = hours.trim().split_once('-')?;
        let (from, to) = (minutes(from)?, minutes(to)?);
        if from == 24 * 60 || from == to {
            return None;
        }
        let mut all = Vec::new();
        for part in days.split(',') {
            match (part, part.split_once('-')) {
                ("daily", _) => all.extend(WEEK.map(|(_, day)| day)),
                (_, Some((first, last))) => {
                    let (first, last) = (day(first)?, day(last)?);
                    let week = WEEK.iter().map(|(_, day)| *day).cycle().skip_while(|day| *day != first);
                    all.extend(week.take(usize::try_from(first.until(last)).ok()? + 1));
                }
                (one, None) => all.push(day(one)?),
            }
        }
        Some(Hours { days: all, from, to: if to < from { to + 24 * 60 } else { to } })
    }

    /// Its stretch on a date, if it has one.
    fn on(&self, date: Date) -> Option<(DateTime, DateTime)> {
        let at = |minutes: i64| date.to_datetime(Time::midnight()).checked_add(minutes.minutes()).ok();
        self.days.contains(&date.weekday()).then(|| Some((at(self.from)?, at(self.to)?)))?
    }
}

const WEEK: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

fn day(word: &str) -> Option<Weekday> {
    WEEK.iter().find(|(name, _)| *name == word).map(|(_, day)| *day)
}

/// `22:00` as minutes since midnight; the end of a day is `24:00`.
fn minutes(text: &str) -> Option<i64> {
    let (hour, minute) = text.trim().split_once(':').filter(|(h, m)| h.len() == 2 && m.len() == 2)?;
    let (hour, minute): (i64, i64) = (hour.parse().ok()?, minute.parse().ok()?);
    let sound = (0..60).contains(&minute) && ((0..24).contains(&hour) || (hour, minute) == (24, 0));
    sound.then_some(hour * 60 + minute)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weekly(text: &str) -> Times {
        Times { weekly: vec![text.to_owned()], once: None }
    }

    fn once(from: &str, to: &str) -> Times {
        Times { weekly: Vec::new(), once: Some(Once { from: from.to_owned(), to: to.to_owned() }) }
    }

    fn berlin() -> TimeZone {
        TimeZone::get("Europe/Berlin").unwrap()
    }

    /// The next stretch, in UTC.
    fn next(times: &Times, now: &str, zone: &TimeZone) -> Option<(String, String)> {
        let span = times.next(now.parse().unwrap(), zone)?;
        Some((span.starts_at.to_string(), span.ends_at.to_string()))
    }

    fn is(found: Option<(String, String)>, from: &str, to: &str) {
        assert_eq!(found, Some((from.to_owned(), to.to_owned())));
    }

    #[test]
    fn a_week_comes_again_and_a_night_belongs_to_the_evening_it_begins_on() {
        let times = weekly("sat 22:00-04:00");
        let (from, to) = ("2026-12-05T21:00:00Z", "2026-12-06T03:00:00Z");
        is(next(&times, "2026-11-30T12:00:00Z", &berlin()), from, to);
        is(next(&times, from, &berlin()), from, to);
        is(next(&times, "2026-12-06T02:59:59Z", &berlin()), from, to);
        is(next(&times, to, &berlin()), "2026-12-12T21:00:00Z", "2026-12-13T03:00:00Z");
        is(
            next(&weekly("fri-mon 23:00-24:00"), "2026-12-01T00:00:00Z", &TimeZone::UTC),
            "2026-12-04T23:00:00Z",
            "2026-12-05T00:00:00Z",
        );
        is(
            next(&weekly("daily 12:00-12:15"), "2026-12-01T12:15:00Z", &TimeZone::UTC),
            "2026-12-02T12:00:00Z",
            "2026-12-02T12:15:00Z",
        );
    }

    #[test]
    fn the_clock_of_the_place_counts_on_both_sides_of_summer() {
        let times = weekly("sun 01:00-05:00");
        // Clocks go forward at 2: the night is three hours long; and back at 3: it is five.
        is(next(&times, "2026-03-28T12:00:00Z", &berlin()), "2026-03-29T00:00:00Z", "2026-03-29T03:00:00Z");
        is(next(&times, "2026-10-24T12:00:00Z", &berlin()), "2026-10-24T23:00:00Z", "2026-10-25T04:00:00Z");
        // What lies in the hour that is skipped is no stretch of that day, and is one a week later.
        let skipped = weekly("sun 02:00-03:00");
        is(next(&skipped, "2026-03-28T12:00:00Z", &berlin()), "2026-04-05T00:00:00Z", "2026-04-05T01:00:00Z");
    }

    #[test]
    fn what_is_planned_once_is_over_after_it() {
        let times = once("2026-12-05T22:00", "2026-12-06T04:00");
        is(next(&times, "2026-01-01T00:00:00Z", &berlin()), "2026-12-05T21:00:00Z", "2026-12-06T03:00:00Z");
        assert_eq!(next(&times, "2026-12-06T03:00:00Z", &berlin()), None);
        assert_eq!(times.words(), "2026-12-05 22:00 to 2026-12-06 04:00");
    }

    #[test]
    fn what_cannot_be_understood_is_told_with_its_field() {
        for text in [
            "sat",
            "sat 22-04",
            "sat 22:00",
            "sun 25:00-26:00",
            "som 01:00-02:00",
            "sat 1:00-2:00",
            "sat 24:00-01:00",
            "sat 03:00-03:00",
            "",
            "sat,, 01:00-02:00",
        ] {
            assert_eq!(weekly(text).faults()[0].0, "weekly[0]", "{text:?}");
        }
        for text in [
            "sat 22:00-04:00",
            "mon-fri 01:00-02:30",
            "sat,sun 00:00-24:00",
            "fri-mon 23:00-24:00",
            "daily 01:00-02:00",
        ] {
            assert_eq!(weekly(text).faults(), [], "{text:?}");
        }
        let field = |times: Times| times.faults().first().map(|(field, _)| field.clone());
        assert_eq!(field(once("2026-12-05", "2026-12-06T04:00")).as_deref(), Some("once.from"));
        assert_eq!(field(once("2026-12-05T22:00", "soon")).as_deref(), Some("once.to"));
        assert_eq!(field(once("2026-12-05T22:00", "2026-12-05T22:00")).as_deref(), Some("once.to"));
        assert_eq!(field(once("2026-12-05T22:00", "2026-12-20T22:00")).as_deref(), Some("once.to"));
        assert_eq!(field(Times::default()).as_deref(), Some(""));
        let both = Times { weekly: vec!["daily 01:00-02:00".into()], ..once("2026-12-05T22:00", "2026-12-05T23:00") };
        assert_eq!(field(both).as_deref(), Some("once"));
    }
}
