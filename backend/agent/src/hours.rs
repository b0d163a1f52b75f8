//! The hours in which a host lets fixes begin, by its own clock and in its own zone.

use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Deserialize;

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Weekday {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

const WEEK: [(Weekday, &str); 7] = [
    (Weekday::Mon, "mon"),
    (Weekday::Tue, "tue"),
    (Weekday::Wed, "wed"),
    (Weekday::Thu, "thu"),
    (Weekday::Fri, "fri"),
    (Weekday::Sat, "sat"),
    (Weekday::Sun, "sun"),
];

/// A day's minutes.
const DAY: u16 = 24 * 60;

/// What the clock on the host's wall shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalTime {
    /// The day.
    pub weekday: Weekday,
    /// Minutes since midnight, 0 to 1439.
    pub minute: u16,
}

impl LocalTime {
    /// At `now`, in the host's own zone.
    pub fn of(now: SystemTime) -> Self {
        let now = Timestamp::try_from(now).unwrap_or_default().to_zoned(TimeZone::system());
        let day = usize::try_from(now.weekday().to_monday_zero_offset()).unwrap_or_default();
        let minute = u16::from(now.hour().unsigned_abs()) * 60 + u16::from(now.minute().unsigned_abs());
        Self { weekday: WEEK[day % 7].0, minute }
    }
}

/// The wall clock, in words.
impl fmt::Display for LocalTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:02}:{:02}", self.weekday.word(), self.minute / 60, self.minute % 60)
    }
}

impl Weekday {
    fn word(self) -> &'static str {
        WEEK[self as usize].1
    }

    fn parse(text: &str) -> Option<Self> {
        WEEK.iter().find(|(_, word)| *word == text).map(|(day, _)| *day)
    }

    fn yesterday(self) -> Self {
        WEEK[(self as usize + 6) % 7].0
    }
}

/// Days and the time on them, as written: `mon-fri 22:00-06:00`, `sat,sun 00:00-24:00`, `daily 01:00-05:00`. What
/// runs over midnight belongs to the day it begins on.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Hours {
    written: String,
    days: Vec<Weekday>,
    from: u16,
    to: u16,
}

impl Hours {
    /// Whether `at` is in them; their end is not.
    pub fn contain(&self, at: LocalTime) -> bool {
        let on = |day| self.days.contains(&day);
        if self.from < self.to {
            return on(at.weekday) && (self.from..self.to).contains(&at.minute);
        }
        on(at.weekday) && at.minute >= self.from || on(at.weekday.yesterday()) && at.minute < self.to
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

impl TryFrom<String> for Hours {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl FromStr for Hours {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fault = |what: &str| format!("hours \"{text}\": {what}; write for example \"mon-fri 22:00-06:00\"");
        let (on, times) = text.split_once(' ').ok_or_else(|| fault("days and a time are needed"))?;
        let mut days = Vec::new();
        for part in on.split(',') {
            match part.split_once('-') {
                None if part == "daily" => days.extend(WEEK.map(|(day, _)| day)),
                None => {
                    days.push(Weekday::parse(part).ok_or_else(|| fault("a day is mon, tue, wed, thu, fri, sat, sun"))?)
                }
                Some((first, last)) => {
                    let (first, last) = Weekday::parse(first)
                        .zip(Weekday::parse(last))
                        .ok_or_else(|| fault("a day is mon, tue, wed, thu, fri, sat, sun"))?;
                    let span = (last as usize + 7 - first as usize) % 7;
                    days.extend((0..=span).map(|n| WEEK[(first as usize + n) % 7].0));
                }
            }
        }
        let (from, to) = times
            .split_once('-')
            .and_then(|(from, to)| minute(from).zip(minute(to)))
            .ok_or_else(|| fault("a time is HH:MM-HH:MM, at most 24:00"))?;
        if from == to || from == DAY {
            return Err(fault("it is no time at all (the whole day is 00:00-24:00)"));
        }
        Ok(Self { written: text.to_owned(), days, from, to })
    }
}

fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let at = two_digits(hour, 25)? * 60 + two_digits(minute, 60)?;
    (at <= DAY).then_some(at)
}

fn two_digits(text: &str, below: u16) -> Option<u16> {
    let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| digits && *number < below)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(day: &str, hour: u16, minute: u16) -> LocalTime {
        LocalTime { weekday: Weekday::parse(day).unwrap(), minute: hour * 60 + minute }
    }

    #[test]
    fn a_night_belongs_to_the_day_it_begins_on() {
        let nights: Hours = "mon-fri 22:00-06:00".parse().unwrap();
        for (when, inside) in [
            (at("mon", 22, 0), true),
            (at("mon", 21, 59), false),
            (at("mon", 5, 59), false),
            (at("tue", 5, 59), true),
            (at("tue", 6, 0), false),
            (at("sat", 5, 0), true),
            (at("sat", 23, 0), false),
            (at("sun", 5, 0), false),
        ] {
            assert_eq!(nights.contain(when), inside, "{when}");
        }
    }

    #[test]
    fn days_are_named_listed_or_spanned_over_the_weekend() {
        let whole: Hours = "sat-mon,wed 00:00-24:00".parse().unwrap();
        let late = |weekday| LocalTime { weekday, minute: DAY - 1 };
        let days: Vec<_> = WEEK.iter().filter(|(day, _)| whole.contain(late(*day))).map(|(_, word)| *word).collect();
        assert_eq!(days, ["mon", "wed", "sat", "sun"]);
        assert!("daily 01:00-05:00".parse::<Hours>().unwrap().contain(at("thu", 1, 0)));
    }

    #[test]
    fn what_is_not_understood_is_an_error_that_says_how_to_write_it() {
        for text in [
            "",
            "mon",
            "mon 1:00-2:00",
            "mon 10:00",
            "mon 10:00-10:00",
            "mon 24:00-01:00",
            "mon 24:30-25:00",
            "mon 10:60-11:00",
            "Mon 10:00-11:00",
            "mon- 10:00-11:00",
            "mon  10:00-11:00",
            "mon 10:00-+1:00",
        ] {
            let said = text.parse::<Hours>().unwrap_err();
            assert!(said.contains("mon-fri 22:00-06:00"), "{text}: {said}");
        }
    }
}
