//! Times and durations as people read them: relative, with the absolute time on hover, in the member's zone.

use std::{fmt, time::Duration};

use askama::filters::HtmlSafe;
use jiff::{Timestamp, Zoned, tz::TimeZone};

/// The instant of a page and the zone of whoever reads it.
#[derive(Clone, Debug)]
pub struct Clock {
    /// The page's "now".
    pub now: Timestamp,
    /// The member's zone.
    pub zone: TimeZone,
}

/// A `<time>` element: what is read, and what is shown on hover. Only made by [`Clock`].
pub struct TimeTag {
    iso: String,
    full: String,
    words: String,
}

impl fmt::Display for TimeTag {
    /// Digits, signs and fixed words only: nothing in here comes from outside.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, r#"<time datetime="{}" title="{}">{}</time>"#, self.iso, self.full, self.words)
    }
}
impl HtmlSafe for TimeTag {}

impl Clock {
    fn tag(&self, at: Timestamp, words: String) -> TimeTag {
        let zoned = self.local(at);
        TimeTag {
            iso: at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
            full: zoned.strftime("%-d %B %Y, %H:%M:%S%.3f %Z").to_string(),
            words,
        }
    }

    /// [`took`], for templates.
    pub fn took(&self, d: &Duration) -> String {
        took(*d)
    }

    fn local(&self, at: Timestamp) -> Zoned {
        at.to_zoned(self.zone.clone())
    }

    /// The instant so many hours from now.
    pub fn in_hours(&self, hours: &u8) -> Timestamp {
        self.now.saturating_add(jiff::SignedDuration::from_hours(i64::from(*hours))).unwrap_or(self.now)
    }

    /// "3 h 50 ago", "just now", "in 9 min".
    pub fn ago(&self, at: &Timestamp) -> TimeTag {
        let words = match gap(*at, self.now) {
            Gap::Past(d) if d < Duration::from_secs(1) => "just now".to_owned(),
            Gap::Past(d) => format!("{} ago", coarse(d)),
            Gap::Future(d) => format!("in {}", coarse(d)),
        };
        self.tag(*at, words)
    }

    /// How old something is: "41 min".
    pub fn age(&self, at: &Timestamp) -> TimeTag {
        let (Gap::Past(d) | Gap::Future(d)) = gap(*at, self.now);
        self.tag(*at, coarse(d))
    }

    /// The time of day, with as much of the date as is needed: "03:12", "tomorrow 03:12", "24 Nov 03:12".
    pub fn at(&self, at: &Timestamp) -> TimeTag {
        self.tag(*at, self.at_words(*at))
    }

    /// The time of day alone, where the place says that it is of the last 24 hours: "03:12".
    pub fn hour(&self, at: &Timestamp) -> TimeTag {
        self.tag(*at, self.local(*at).strftime("%H:%M").to_string())
    }

    /// [`Clock::at`] as plain words, for mails.
    pub fn at_words(&self, at: Timestamp) -> String {
        let (then, today) = (self.local(at), self.local(self.now));
        let time = then.strftime("%H:%M");
        if then.date() == today.date() {
            time.to_string()
        } else if today.date().tomorrow().is_ok_and(|d| d == then.date()) {
            format!("{time} tomorrow")
        } else if today.date().yesterday().is_ok_and(|d| d == then.date()) {
            format!("{time} yesterday")
        } else if then.year() == today.year() {
            then.strftime("%-d %b, %H:%M").to_string()
        } else {
            then.strftime("%-d %b %Y, %H:%M").to_string()
        }
    }

    /// To the second, with zone and day: for mails, which are read later and elsewhere.
    pub fn moment_words(&self, at: Timestamp) -> String {
        self.local(at).strftime("%H:%M:%S %Z, %A %-d %B").to_string()
    }

    /// Until an instant to come, as time left: "9:12 left", "20 h left"; "now due" once it is past.
    pub fn left(&self, until: &Timestamp) -> TimeTag {
        let words = match gap(*until, self.now) {
            Gap::Future(d) => left(d),
            Gap::Past(_) => "now due".to_owned(),
        };
        self.tag(*until, words)
    }

    /// The time beside an entry of a story that began at `start`: absolute for the first and after a minute,
    /// relative in between.
    pub fn beside(&self, at: &Timestamp, start: &Timestamp) -> TimeTag {
        let words = match gap(*start, *at) {
            Gap::Past(d) if d > Duration::ZERO && d < Duration::from_secs(60) => format!("+{}", took(d)),
            Gap::Past(d) if d.is_zero() => self.local(*at).strftime("%H:%M:%S").to_string(),
            _ if self.local(*at).date() == self.local(*start).date() => {
                self.local(*at).strftime("%H:%M:%S").to_string()
            }
            _ => self.local(*at).strftime("%-d %b %H:%M").to_string(),
        };
        self.tag(*at, words)
    }
}

enum Gap {
    Past(Duration),
    Future(Duration),
}

/// Where `at` lies seen from `now`.
fn gap(at: Timestamp, now: Timestamp) -> Gap {
    let span = now.duration_since(at);
    if span.is_negative() { Gap::Future(span.unsigned_abs()) } else { Gap::Past(span.unsigned_abs()) }
}

/// One measure: what somebody says when asked how long ago it was.
fn coarse(d: Duration) -> String {
    let s = d.as_secs();
    match s {
        0..60 => format!("{s}\u{a0}s"),
        60..3_600 => format!("{}\u{a0}min", s / 60),
        3_600..36_000 if s % 3_600 >= 60 => format!("{}\u{a0}h\u{a0}{:02}", s / 3_600, s % 3_600 / 60),
        3_600..172_800 => format!("{}\u{a0}h", s / 3_600),
        _ => format!("{}\u{a0}days", s / 86_400),
    }
}

/// How long a thing took, as exactly as it matters: "48 ms", "4.2 s", "62 s", "6 min", "3 h 50".
pub fn took(d: Duration) -> String {
    match d.as_millis() {
        0..1_000 => format!("{}\u{a0}ms", d.as_millis()),
        1_000..10_000 => tenths(d),
        10_000..120_000 => format!("{}\u{a0}s", d.as_secs()),
        _ => coarse(d),
    }
}

/// How long something was away: "0.4 s", "4 s", "62 s", "6 min".
pub fn back_in(d: Duration) -> String {
    if d < Duration::from_secs(10) { tenths(d.max(Duration::from_millis(100))) } else { took(d) }
}

/// Time left until an instant: "9:12 left", "20 h left".
pub fn left(d: Duration) -> String {
    let s = d.as_secs();
    if s < 3_600 { format!("{}:{:02}\u{a0}left", s / 60, s % 60) } else { format!("{}\u{a0}left", coarse(d)) }
}

fn tenths(d: Duration) -> String {
    let tenths = d.as_millis() / 100;
    if tenths.is_multiple_of(10) {
        format!("{}\u{a0}s", tenths / 10)
    } else {
        format!("{}.{}\u{a0}s", tenths / 10, tenths % 10)
    }
}
