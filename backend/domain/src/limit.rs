//! The limits that people set, one by one: which there are, what each is called, and how one is written.

use crate::change::Part;
use crate::remediate::damage;
use crate::remediate::guardrails::{BucketKind, Numbers};

/// How a limit is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A count.
    Count,
    /// A count in a number of seconds.
    Window,
    /// A count in a time that is always the same.
    Fixed {
        /// That time.
        secs: u32,
    },
    /// A number of seconds in which it happens once.
    Rest,
}

/// A limit of all scopes of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The scopes.
    pub kind: BucketKind,
    /// What of their numbers.
    pub part: Part,
    /// As files write it: `client.in_flight`.
    pub word: &'static str,
    /// As people read it.
    pub label: &'static str,
    /// How it is written.
    pub shape: Shape,
}

/// The highest count: far above what anybody lets happen.
const COUNT_MAX: u32 = 10_000;
/// The longest time: a week.
const SECS_MAX: u32 = 7 * 86_400;
const WRONG_COUNT: &str = "A limit is a whole number from 1 to 10,000, or empty: the rule.";
const WRONG_SECS: &str = "A time is a whole number of seconds, up to a week, or empty: the rule.";

impl Limit {
    /// All, those of the widest scope first.
    pub const ALL: [Limit; 13] = {
        use BucketKind::{Client, Host, HostPlaybook, HostPlaybookDay, Tenant};
        use Part::{Bad, InFlight, Storm, Unproven, Wave, Window};
        const fn of(kind: BucketKind, part: Part, word: &'static str, label: &'static str, shape: Shape) -> Limit {
            Limit { kind, part, word, label, shape }
        }
        const HOUR: Shape = Shape::Fixed { secs: 3_600 };
        const DAY: Shape = Shape::Fixed { secs: 86_400 };
        [
            of(Tenant, Window, "tenant.runs_per_window", "Fixes in a window", Shape::Window),
            of(Tenant, InFlight, "tenant.in_flight", "Fixes at once", Shape::Count),
            of(Tenant, Storm, "tenant.storm", "Clients at which one check turns critical: a storm", Shape::Count),
            of(Client, Window, "client.runs_per_window", "Fixes in a window", Shape::Window),
            of(Client, InFlight, "client.in_flight", "Fixes at once", Shape::Count),
            of(Client, Unproven, "client.unproven", "Fixes not verified yet, at once", Shape::Count),
            of(Client, Bad, "client.bad_per_day", "Fixes that go badly in a day: then all stop", Shape::Count),
            of(Client, Wave, "client.wave", "Hosts that try a new version at once", Shape::Count),
            of(Client, Storm, "client.storm", "Hosts that turn critical: a storm", Shape::Count),
            of(Host, Window, "host.runs_per_hour", "Fixes in an hour", HOUR),
            of(Host, InFlight, "host.in_flight", "Fixes at once", Shape::Count),
            of(HostPlaybook, Window, "host_playbook.cooldown_secs", "Rest between two of them", Shape::Rest),
            of(HostPlaybookDay, Window, "host_playbook.per_day", "Of them in a day", DAY),
        ]
    };

    /// The limit of a word.
    pub fn parse(word: &str) -> Option<Limit> {
        Limit::ALL.into_iter().find(|limit| limit.word == word)
    }

    /// The numbers that were typed; nothing typed: the rule of the scope's size holds again.
    ///
    /// # Errors
    /// What is wrong with them, a sentence.
    pub fn numbers(&self, count: &str, secs: &str) -> Result<Numbers, &'static str> {
        let read = |typed: &str, wrong| match typed.trim() {
            "" => Ok(None),
            typed => typed.parse::<u32>().map(Some).map_err(|_| wrong),
        };
        let (count, secs) = (read(count, WRONG_COUNT)?, read(secs, WRONG_SECS)?);
        self.of(count, secs).map_err(|(_, wrong)| wrong)
    }

    /// The numbers of a count and seconds; none of either: the rule of the scope's size holds again.
    ///
    /// # Errors
    /// Which of them is wrong, `count` or `secs`, and a sentence.
    pub fn of(&self, count: Option<u32>, secs: Option<u32>) -> Result<Numbers, (&'static str, &'static str)> {
        if count.is_some_and(|n| !(1..=COUNT_MAX).contains(&n)) {
            return Err(("count", WRONG_COUNT));
        }
        if secs.is_some_and(|n| !(1..=SECS_MAX).contains(&n)) {
            return Err(("secs", WRONG_SECS));
        }
        if count.is_some() && !self.has_count() {
            return Err(("count", "This limit has a time and no count."));
        }
        if secs.is_some() && !self.has_secs() {
            return Err(("secs", "This limit has a count and no time of its own."));
        }
        let window = |max_per_window, window_secs| Numbers { max_per_window, window_secs, ..Numbers::default() };
        let bounds = |damage| Numbers { damage, ..Numbers::default() };
        let none = damage::Numbers::default();
        Ok(match (self.part, self.shape) {
            (Part::Window, Shape::Rest) => window(secs.map(|_| 1), secs),
            (Part::Window, Shape::Fixed { secs }) => window(count, count.map(|_| secs)),
            (Part::Window, _) if count.is_some() != secs.is_some() => {
                let missing = if count.is_none() { "count" } else { "secs" };
                return Err((missing, "A window has a number of fixes and a number of seconds."));
            }
            (Part::Window, _) => window(count, secs),
            (Part::InFlight, _) => Numbers { max_in_flight: count, ..Numbers::default() },
            (Part::Storm, _) => Numbers { max_storm: count, ..Numbers::default() },
            (Part::Unproven, _) => bounds(damage::Numbers { max_unproven: count, ..none }),
            (Part::Bad, _) => bounds(damage::Numbers { max_bad: count, ..none }),
            (Part::Wave, _) => bounds(damage::Numbers { max_wave: count, ..none }),
        })
    }

    /// The numbers as [`Limit::of`] takes them: count and seconds.
    pub fn said(&self, set: Numbers) -> (Option<u32>, Option<u32>) {
        match (self.part, self.shape) {
            (Part::Window, Shape::Rest) => (None, set.window_secs),
            (Part::Window, Shape::Fixed { .. }) => (set.max_per_window, None),
            (Part::Window, _) => (set.max_per_window, set.window_secs),
            (Part::InFlight, _) => (set.max_in_flight, None),
            (Part::Storm, _) => (set.max_storm, None),
            (Part::Unproven, _) => (set.damage.max_unproven, None),
            (Part::Bad, _) => (set.damage.max_bad, None),
            (Part::Wave, _) => (set.damage.max_wave, None),
        }
    }

    /// The numbers as they would be typed: count and seconds.
    pub fn typed(&self, set: Numbers) -> (String, String) {
        let text = |n: Option<u32>| n.map_or_else(String::new, |n| n.to_string());
        let (count, secs) = self.said(set);
        (text(count), text(secs))
    }

    /// Whether a count is typed.
    pub fn has_count(&self) -> bool {
        self.shape != Shape::Rest
    }

    /// Whether a time is typed.
    pub fn has_secs(&self) -> bool {
        matches!(self.shape, Shape::Window | Shape::Rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_what_is_shown_again() {
        for limit in Limit::ALL {
            assert_eq!(Limit::parse(limit.word), Some(limit));
            let count = if limit.has_count() { "7" } else { "" };
            let secs = if limit.has_secs() { "90" } else { "" };
            let set = limit.numbers(count, secs).unwrap();
            assert_ne!(set, Numbers::default(), "{}", limit.word);
            assert_eq!(limit.part.moved(Numbers::default(), set), set, "{}: its own part alone", limit.word);
            assert_eq!(limit.typed(set), (count.to_owned(), secs.to_owned()), "{}", limit.word);
            assert_eq!(limit.numbers("", " ").unwrap(), Numbers::default(), "{}: the rule", limit.word);
            for wrong in ["0", "-1", "1.5", "10001", "x"] {
                if limit.has_count() {
                    assert!(limit.numbers(wrong, secs).is_err(), "{} {wrong}", limit.word);
                }
            }
        }
    }

    #[test]
    fn a_window_is_both_numbers() {
        let limit = Limit::parse("client.runs_per_window").unwrap();
        assert!(limit.numbers("3", "").is_err() && limit.numbers("", "600").is_err());
        assert!(limit.numbers("3", "700000").is_err(), "more than a week");
        assert_eq!(limit.of(Some(3), None).unwrap_err().0, "secs");
        assert_eq!(limit.of(None, Some(600)).unwrap_err().0, "count");
    }

    #[test]
    fn what_a_limit_does_not_have_is_refused_with_the_field_named() {
        for limit in Limit::ALL {
            let has = [("count", limit.has_count()), ("secs", limit.has_secs())];
            for (field, has) in has {
                let (count, secs) = if field == "count" { (Some(1), None) } else { (None, Some(1)) };
                let wrong = limit.of(count, secs).err().map(|(field, _)| field);
                assert!(has || wrong == Some(field), "{} {field}", limit.word);
                let far = limit.of(count.map(|_| u32::MAX), secs.map(|_| u32::MAX)).unwrap_err();
                assert_eq!(far.0, field, "{}", limit.word);
            }
        }
    }
}
