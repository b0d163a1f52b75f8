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
        let read = |typed: &str, most: u32, wrong| match typed.trim() {
            "" => Ok(None),
            typed => match typed.parse::<u32>() {
                Ok(n) if (1..=most).contains(&n) => Ok(Some(n)),
                _ => Err(wrong),
            },
        };
        let count = read(count, COUNT_MAX, "A limit is a whole number from 1 to 10,000, or empty: the rule.")?;
        let secs = read(secs, SECS_MAX, "A time is a whole number of seconds, up to a week, or empty: the rule.")?;
        let window = |max_per_window, window_secs| Numbers { max_per_window, window_secs, ..Numbers::default() };
        let bounds = |damage| Numbers { damage, ..Numbers::default() };
        let none = damage::Numbers::default();
        Ok(match (self.part, self.shape) {
            (Part::Window, Shape::Rest) => window(secs.map(|_| 1), secs),
            (Part::Window, Shape::Fixed { secs }) => window(count, count.map(|_| secs)),
            (Part::Window, _) if count.is_some() != secs.is_some() => {
                return Err("A window has a number of fixes and a number of seconds.");
            }
            (Part::Window, _) => window(count, secs),
            (Part::InFlight, _) => Numbers { max_in_flight: count, ..Numbers::default() },
            (Part::Storm, _) => Numbers { max_storm: count, ..Numbers::default() },
            (Part::Unproven, _) => bounds(damage::Numbers { max_unproven: count, ..none }),
            (Part::Bad, _) => bounds(damage::Numbers { max_bad: count, ..none }),
            (Part::Wave, _) => bounds(damage::Numbers { max_wave: count, ..none }),
        })
    }

    /// The numbers as they would be typed: count and seconds.
    pub fn typed(&self, set: Numbers) -> (String, String) {
        let text = |n: Option<u32>| n.map_or_else(String::new, |n| n.to_string());
        match (self.part, self.shape) {
            (Part::Window, Shape::Rest) => (String::new(), text(set.window_secs)),
            (Part::Window, Shape::Fixed { .. }) => (text(set.max_per_window), String::new()),
            (Part::Window, _) => (text(set.max_per_window), text(set.window_secs)),
            (Part::InFlight, _) => (text(set.max_in_flight), String::new()),
            (Part::Storm, _) => (text(set.max_storm), String::new()),
            (Part::Unproven, _) => (text(set.damage.max_unproven), String::new()),
            (Part::Bad, _) => (text(set.damage.max_bad), String::new()),
            (Part::Wave, _) => (text(set.damage.max_wave), String::new()),
        }
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
    }
}
