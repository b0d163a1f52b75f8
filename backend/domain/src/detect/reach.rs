//! What the server asks over the network itself: where, what a good answer is, and what a probe's end says.
//!
//! A target that refuses, keeps silent or answers wrongly is down. A probe that could not be made (no name server, no
//! way out of our own network, an address this server may not connect to) says nothing of its target: `no_data`.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use url::{Host, Url};

use super::check::{Check, Kind};
use super::reading::{Readings, Seen, Value};

/// Where a probe goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// To a URL, `http` or `https`.
    Http(Url),
    /// To a port.
    Tcp {
        /// A name or an address.
        host: Host<String>,
        /// The port.
        port: u16,
    },
    /// To a port, to be let in by SSH.
    Ssh {
        /// A name or an address.
        host: Host<String>,
        /// The port.
        port: u16,
    },
}

/// A name or an address, and its port.
fn place(text: &str) -> Option<(Host<String>, u16)> {
    let (place, port) = text.rsplit_once(':')?;
    let port = port.parse().ok().filter(|port| *port > 0)?;
    // A web address's rules, so that all kinds mean the same by a name.
    let url = Url::parse(&format!("http://{place}/")).ok()?;
    let host = url.host().filter(|_| url.path() == "/" && url.username().is_empty() && url.port().is_none())?;
    Some((host.to_owned(), port))
}

impl Target {
    /// Reads a check's target; odd spellings of an address (`0x7f.1`) become the address.
    ///
    /// # Errors
    /// What is wrong with it, a sentence.
    pub fn parse(kind: Kind, text: &str) -> Result<Target, &'static str> {
        match kind {
            Kind::Http => {
                let wrong = "an http check's target is a URL that begins with http:// or https://";
                let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https")).ok_or(wrong)?;
                if !url.username().is_empty() || url.password().is_some() {
                    return Err("a URL here holds no user and no password: everybody who may read checks reads it");
                }
                url.host().map(|_| ()).ok_or(wrong)?;
                Ok(Target::Http(url))
            }
            Kind::Tcp => {
                let (host, port) = place(text).ok_or("a tcp check's target is name:port or address:port")?;
                Ok(Target::Tcp { host, port })
            }
            Kind::Ssh => {
                let (host, port) = place(text).ok_or("an ssh check's target is name:port or address:port")?;
                Ok(Target::Ssh { host, port })
            }
            Kind::Service | Kind::Heartbeat | Kind::Disk | Kind::Process => {
                Err("the server does not ask for this over the network")
            }
        }
    }
}

/// The HTTP statuses that are good, the first to the last. Written `200-299`, or `401` for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Spelling", into = "String")]
pub struct Statuses {
    first: u16,
    last: u16,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Spelling {
    One(u16),
    Text(String),
}

impl TryFrom<Spelling> for Statuses {
    type Error = &'static str;

    fn try_from(spelling: Spelling) -> Result<Self, &'static str> {
        let wrong = "statuses are written like 200-299 or 401, from 100 to 599";
        let (first, last) = match spelling {
            Spelling::One(one) => (one, one),
            Spelling::Text(text) => {
                let (first, last) = text.split_once('-').unwrap_or((&text, &text));
                (first.trim().parse().map_err(|_| wrong)?, last.trim().parse().map_err(|_| wrong)?)
            }
        };
        if first > last || !(100..=599).contains(&first) || !(100..=599).contains(&last) {
            return Err(wrong);
        }
        Ok(Statuses { first, last })
    }
}

impl Default for Statuses {
    fn default() -> Self {
        Statuses { first: 200, last: 299 }
    }
}

impl fmt::Display for Statuses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last { write!(f, "{}", self.first) } else { write!(f, "{}-{}", self.first, self.last) }
    }
}

impl From<Statuses> for String {
    fn from(statuses: Statuses) -> String {
        statuses.to_string()
    }
}

impl Statuses {
    /// Whether `status` is good.
    pub fn hold(self, status: u16) -> bool {
        (self.first..=self.last).contains(&status)
    }
}

/// How a probe ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probed {
    /// The port took the connection; or SSH did all that is asked of it.
    Connected {
        /// How long that took.
        took: Duration,
    },
    /// An HTTP answer came.
    Answered {
        /// Its status.
        status: u16,
        /// How long the whole answer took.
        took: Duration,
        /// Whether it holds the text that the check asks for; none: it asks for none.
        holds: Option<bool>,
    },
    /// The target is at fault: a sentence.
    Down(String),
    /// The probe could not be made: a sentence.
    NotMade(String),
}

/// What a probe says: `state` (`up` or `down`) and `detail`, and where there was an answer `status` and `took_ms`.
pub fn seen(check: &Check, probed: &Probed) -> Seen {
    let mut readings = Readings::new();
    let mut say = |name: &str, value| readings.insert(name.to_owned(), value);
    let ms = |took: &Duration| took.as_millis().min(u128::from(u32::MAX)) as f64;
    let fault = match probed {
        Probed::NotMade(why) => return Seen::NoData { why: why.clone() },
        Probed::Down(why) => Some(why.clone()),
        Probed::Connected { took } => {
            say("took_ms", Value::Number(ms(took)));
            None
        }
        Probed::Answered { status, took, holds } => {
            say("took_ms", Value::Number(ms(took)));
            say("status", Value::Number(f64::from(*status)));
            if !check.statuses().hold(*status) {
                Some(format!("it answers {status}, {} is expected", check.statuses()))
            } else if *holds == Some(false) {
                Some("its answer does not hold the text that is expected".to_owned())
            } else {
                None
            }
        }
    };
    say("state", Value::Text(if fault.is_some() { "down" } else { "up" }.into()));
    say("detail", Value::Text(fault.unwrap_or_else(|| "it answers as expected".to_owned())));
    Seen::Data(readings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::{Event, State, Verdict, evaluate};
    use jiff::Timestamp;

    fn verdict(more: &str, probed: Probed) -> Verdict {
        let text =
            format!(r#"{{"name":"w","kind":"http","target":"http://w.example/","selector":{{"host":"h"}}{more}}}"#);
        let check = serde_json::from_str::<Check>(&text).unwrap().complete().unwrap();
        let at = Timestamp::from_second(1_000_000).unwrap();
        let seen = seen(&check, &probed);
        evaluate(&check, &State::unseen(at), Event::Observed(&seen), at, None).state.verdict
    }

    fn answer(status: u16, holds: Option<bool>) -> Probed {
        Probed::Answered { status, took: Duration::from_millis(7), holds }
    }

    #[test]
    fn a_targets_own_fault_is_bad_and_ours_is_no_data() {
        assert_eq!(verdict("", answer(204, None)), Verdict::Ok);
        assert_eq!(verdict("", answer(500, None)), Verdict::Critical);
        assert_eq!(verdict("", answer(302, None)), Verdict::Critical);
        assert_eq!(verdict(r#","expect_status":"200-399""#, answer(302, None)), Verdict::Ok);
        assert_eq!(verdict(r#","expect_status":401"#, answer(401, None)), Verdict::Ok);
        assert_eq!(verdict(r#","contains":"x""#, answer(200, Some(false))), Verdict::Critical);
        assert_eq!(verdict(r#","severity":"warning""#, Probed::Down("refused".into())), Verdict::Warning);
        assert_eq!(verdict("", Probed::NotMade("no name server answers".into())), Verdict::NoData);
    }

    #[test]
    fn a_slow_answer_can_be_a_warning_by_its_own_reading() {
        let more = r#","warning_when":["took_ms > 5"],"critical_when":["state = down"]"#;
        assert_eq!(verdict(more, answer(200, None)), Verdict::Warning);
    }

    #[test]
    fn odd_spellings_of_an_address_are_that_address() {
        for text in ["0x7f.1:80", "2130706433:80", "127.1:80", "0177.0.0.1:80"] {
            let Ok(Target::Tcp { host: Host::Ipv4(ip), port: 80 }) = Target::parse(Kind::Tcp, text) else {
                panic!("{text} is an address");
            };
            assert!(ip.is_loopback(), "{text}");
        }
        assert!(matches!(Target::parse(Kind::Tcp, "[::1]:80"), Ok(Target::Tcp { host: Host::Ipv6(_), .. })));
        for text in ["a@b.example:80", "a.example/x:80", ":80", "a.example:70000", "a b:1"] {
            assert!(Target::parse(Kind::Tcp, text).is_err(), "{text}");
        }
    }
}
