//! An organization's own mail relay: what can be one.

use serde::{Deserialize, Serialize};
use url::Host;

use crate::{people, secret};

/// How the connection is encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tls {
    /// STARTTLS before anything else; without it nothing is sent.
    #[default]
    Starttls,
    /// From the first byte.
    Implicit,
}

impl Tls {
    /// Both, with their words.
    pub const ALL: [(Tls, &'static str); 2] = [(Tls::Starttls, "starttls"), (Tls::Implicit, "implicit")];

    /// Of a word.
    pub fn parse(word: &str) -> Option<Tls> {
        Tls::ALL.iter().find(|(_, w)| *w == word).map(|(tls, _)| *tls)
    }

    /// As people read it.
    pub fn label(self) -> &'static str {
        match self {
            Tls::Starttls => "STARTTLS (port 587)",
            Tls::Implicit => "TLS at once (port 465)",
        }
    }
}

/// Who signs in at a relay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// The user.
    pub user: String,
    /// The name of the secret, an SMTP password.
    pub secret: String,
}

/// A mail relay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Relay {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How it is spoken to.
    #[serde(default)]
    pub tls: Tls,
    /// The address that mails come from.
    pub sender: String,
    /// Who signs in; none: nobody does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<Login>,
}

/// The longest name of a host (RFC 1035).
const HOST_MAX: usize = 253;
/// The longest user.
const USER_MAX: usize = 200;

impl Relay {
    /// Checks it.
    ///
    /// # Errors
    /// The field that is wrong, and a sentence.
    pub fn check(&self) -> Result<(), (&'static str, &'static str)> {
        let wrong = |field, problem| Err((field, problem));
        if self.host.len() > HOST_MAX || self.place().is_none() {
            return wrong("host", "A relay is a name like smtp.example.com, or an address.");
        }
        if self.port == 0 {
            return wrong("port", "A port is between 1 and 65535.");
        }
        if people::check_email(&self.sender).as_deref() != Ok(&self.sender) {
            return wrong("sender", "Mails come from an address like alerts@example.com.");
        }
        if let Some(Login { user, secret }) = &self.login {
            if user.is_empty() || user.len() > USER_MAX || user.chars().any(char::is_control) {
                return wrong("login.user", "A user is one line of at most 200 characters.");
            }
            if !secret::is_name(secret) {
                return wrong("login.secret", "The password is a secret, by its name.");
            }
        }
        Ok(())
    }

    /// Where it is.
    pub fn place(&self) -> Option<Host<String>> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
        let bare = self.host.chars().all(is_plain) && !self.host.is_empty();
        match self.host.parse() {
            Ok(ip) if bare => Some(match ip {
                std::net::IpAddr::V4(ip) => Host::Ipv4(ip),
                std::net::IpAddr::V6(ip) => Host::Ipv6(ip),
            }),
            _ if bare && !self.host.contains([':', '[', ']']) => Host::parse(&self.host).ok(),
            _ => None,
        }
    }

    /// The name of the secret that it refers to.
    pub fn secret(&self) -> Option<&str> {
        self.login.as_ref().map(|login| login.secret.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relay(host: &str) -> Relay {
        let login = Some(Login { user: "alerts".to_owned(), secret: "relay-password".to_owned() });
        Relay { host: host.to_owned(), port: 587, tls: Tls::Starttls, sender: "alerts@msp.example".to_owned(), login }
    }

    #[test]
    fn a_relay_is_a_name_or_an_address_and_nothing_else() {
        for host in ["smtp.msp.example", "127.0.0.1", "::1", "localhost"] {
            assert_eq!(relay(host).check(), Ok(()), "{host}");
        }
        for host in ["", "smtp.msp.example:25", "user@smtp.msp.example", "a b", "smtp://x", "[::1]", "x/y", "a\r\nb"] {
            assert_eq!(relay(host).check().unwrap_err().0, "host", "{host}");
        }
    }

    #[test]
    fn each_field_that_is_wrong_is_named() {
        assert_eq!(Relay { port: 0, ..relay("a.example") }.check().unwrap_err().0, "port");
        assert_eq!(Relay { sender: "Nobody".into(), ..relay("a.example") }.check().unwrap_err().0, "sender");
        let of = |user: &str, secret: &str| Relay {
            login: Some(Login { user: user.to_owned(), secret: secret.to_owned() }),
            ..relay("a.example")
        };
        assert_eq!(of("a\r\nb", "s").check().unwrap_err().0, "login.user");
        assert_eq!(of("a", "My password!").check().unwrap_err().0, "login.secret");
        assert_eq!(Relay { login: None, ..relay("a.example") }.check(), Ok(()));
    }
}
