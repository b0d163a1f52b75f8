//! Which relay, and whether its connection must be encrypted.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// How the connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protection {
    /// TLS from the first byte.
    Implicit,
    /// STARTTLS before anything else; without it nothing is sent.
    Required,
    /// None: the relay is on this machine.
    Loopback,
}

/// A relay's address and how we sign in there.
#[derive(Clone)]
pub struct Relay {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) protection: Protection,
    pub(crate) login: Option<(String, String)>,
    /// Where it is, if that was looked up and judged before: it is connected to there and nowhere else.
    pub(crate) addresses: Option<Box<[SocketAddr]>>,
}

/// How a relay's connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encrypted {
    /// By STARTTLS; on this machine it may be in the clear.
    Starttls,
    /// From the first byte.
    AtOnce,
}

/// The password is not shown.
impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Relay({}:{}, {:?})", self.host, self.port, self.protection)
    }
}

/// Why a text is no relay's URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a mail relay: {0}; write smtp://[user:password@]host[:port] (STARTTLS) or smtps://… (TLS at once)")]
pub struct RelayError(&'static str);

impl Relay {
    /// `smtp://[user:password@]host[:port]` speaks STARTTLS, `smtps://…` TLS from the first byte. A relay on a loopback
    /// address may be spoken to in the clear, and is with `smtp://`. User and password are percent-encoded.
    ///
    /// # Errors
    /// What is missing or wrong; never the text itself, which may hold a password.
    pub fn parse(url: &str) -> Result<Self, RelayError> {
        let (scheme, rest) = url.split_once("://").ok_or(RelayError("no scheme"))?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (login, place) = match rest.rsplit_once('@') {
            None => (None, rest),
            Some((login, place)) => {
                let (user, password) = login.split_once(':').ok_or(RelayError("a user without a password"))?;
                (Some((decoded(user)?, decoded(password)?)), place)
            }
        };
        let (host, port) = host_and_port(place)?;
        let on_this_machine = is_on_this_machine(&host);
        let (protection, usual_port) = match scheme {
            "smtps" => (Protection::Implicit, 465),
            "smtp" if on_this_machine => (Protection::Loopback, 25),
            "smtp" => (Protection::Required, 587),
            _ => return Err(RelayError("the scheme is neither smtp nor smtps")),
        };
        Ok(Self { host, port: port.unwrap_or(usual_port), protection, login, addresses: None })
    }

    /// A relay that somebody else than the operator names: it is at `addresses`, which were judged, and nowhere else. Its
    /// certificate is that of `host`.
    pub fn judged(
        host: String,
        port: u16,
        encrypted: Encrypted,
        login: Option<(String, String)>,
        addresses: Vec<SocketAddr>,
    ) -> Self {
        let protection = match encrypted {
            Encrypted::AtOnce => Protection::Implicit,
            Encrypted::Starttls if is_on_this_machine(&host) => Protection::Loopback,
            Encrypted::Starttls => Protection::Required,
        };
        Self { host, port, protection, login, addresses: Some(addresses.into()) }
    }
}

fn is_on_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn host_and_port(place: &str) -> Result<(String, Option<u16>), RelayError> {
    let (host, port) = if let Some(rest) = place.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or(RelayError("an IPv6 address without its end"))?;
        (host, rest.strip_prefix(':'))
    } else {
        place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port)))
    };
    if host.is_empty() || host.contains(['/', '?', '#', ' ']) {
        return Err(RelayError("no host"));
    }
    let port = port.map(|port| port.parse().map_err(|_| RelayError("the port is no number"))).transpose()?;
    Ok((host.to_owned(), port))
}

fn decoded(text: &str) -> Result<String, RelayError> {
    const BAD: RelayError = RelayError("user or password is not percent-encoded");
    let mut bytes = text.bytes();
    let mut decoded = Vec::new();
    while let Some(byte) = bytes.next() {
        let mut digit = || bytes.next().and_then(|digit| char::from(digit).to_digit(16)).ok_or(BAD);
        decoded.push(if byte == b'%' { u8::try_from(digit()? * 16 + digit()?).map_err(|_| BAD)? } else { byte });
    }
    String::from_utf8(decoded).map_err(|_| BAD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_relay_on_this_machine_is_spoken_to_in_the_clear() {
        let of = |url| Relay::parse(url).unwrap().protection;
        assert_eq!(of("smtp://127.0.0.1:2525"), Protection::Loopback);
        assert_eq!(of("smtp://[::1]:2525"), Protection::Loopback);
        assert_eq!(of("smtp://localhost"), Protection::Loopback);
        assert_eq!(of("smtp://mail.example"), Protection::Required);
        assert_eq!(of("smtp://10.0.0.1"), Protection::Required);
        assert_eq!(of("smtp://localhost.mail.example"), Protection::Required);
        assert_eq!(of("smtps://localhost"), Protection::Implicit);
    }

    #[test]
    fn user_password_and_port_are_read_and_the_password_is_not_shown() {
        let relay = Relay::parse("smtps://sam%40msp.example:p%3Aw%40@mail.example:2465/").unwrap();
        assert_eq!((relay.host.as_str(), relay.port), ("mail.example", 2465));
        assert_eq!(relay.login, Some(("sam@msp.example".to_owned(), "p:w@".to_owned())));
        assert!(!format!("{relay:?}").contains("p:w"));
    }

    #[test]
    fn what_is_no_relay_is_refused_without_repeating_it() {
        for url in ["mail.example", "http://mail.example", "smtp://", "smtp://a@b", "smtp://h:x", "smtp://a:%zz@h"] {
            let error = Relay::parse(url).unwrap_err().to_string();
            assert!(error.starts_with("not a mail relay"), "{error}");
        }
    }
}
