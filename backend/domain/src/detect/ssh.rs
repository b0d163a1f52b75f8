//! What an `ssh` check says beside its target: the key that the host is known by, and who signs in. A key to sign in with
//! is a secret, by its name: a check's definition holds no value.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::{Deserialize, Serialize};

use super::check::{Check, Kind};
use crate::secret;

/// A host's public key, by its fingerprint: the SHA-256 of it, written as `ssh-keygen -l` does (`SHA256:` and base64).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostKey([u8; 32]);

impl HostKey {
    /// What it is written with.
    const SCHEME: &'static str = "SHA256:";

    /// The digest.
    pub fn sha256(&self) -> [u8; 32] {
        self.0
    }
}

impl TryFrom<String> for HostKey {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        let digest = text.strip_prefix(HostKey::SCHEME).and_then(|digest| STANDARD_NO_PAD.decode(digest).ok());
        let digest = digest.and_then(|digest| digest.try_into().ok());
        digest
            .map(HostKey)
            .ok_or("a host's key is written as `ssh-keygen -l` says it: SHA256: and 43 letters and signs")
    }
}

impl fmt::Display for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", HostKey::SCHEME, STANDARD_NO_PAD.encode(self.0))
    }
}

impl From<HostKey> for String {
    fn from(key: HostKey) -> String {
        key.to_string()
    }
}

/// What signs in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "the name of a secret, as { secret: NAME }")]
pub struct Key {
    /// The name of the secret, an SSH key.
    pub secret: String,
}

/// Checks what belongs to `ssh` alone.
///
/// # Errors
/// The field, and what is wrong with it, a sentence.
pub(super) fn check(check: &Check) -> Result<(), (&'static str, &'static str)> {
    let Check { host_key, user, key, .. } = check;
    if check.kind != Kind::Ssh {
        let said = [("host_key", host_key.is_some()), ("user", user.is_some()), ("key", key.is_some())];
        let first = said.into_iter().find(|(_, said)| *said);
        return first.map_or(Ok(()), |(field, _)| Err((field, "only an ssh check has it")));
    }
    if host_key.is_none() {
        return Err(("host_key", "an ssh check names the key that the host is known by, as SHA256:…"));
    }
    match (user, key) {
        (None, None) => Ok(()),
        (Some(_), None) => Err(("key", "who signs in needs a key: { secret: NAME }")),
        (None, Some(_)) => Err(("user", "a key signs somebody in: say who")),
        (Some(user), Some(_)) if !is_user(user) => {
            Err(("user", "a user has 1 to 100 characters, no control characters and no space around them"))
        }
        (Some(_), Some(key)) if !secret::is_name(&key.secret) => {
            Err(("key", "a key says the name of a secret: small letters, digits, - _ and ."))
        }
        (Some(_), Some(_)) => Ok(()),
    }
}

fn is_user(user: &str) -> bool {
    (1..=100).contains(&user.len()) && user.trim() == user && !user.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The SHA-256 of nothing.
    const PINNED: &str = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU";

    fn says(more: &str) -> Result<Check, String> {
        let text = format!(
            r#"{{"name":"way in","kind":"ssh","target":"web-1.example:22","selector":{{"host":"web-1"}}{more}}}"#
        );
        serde_json::from_str::<Check>(&text).map_err(|e| e.to_string())?.complete().map_err(|e| e.to_string())
    }

    #[test]
    fn a_way_in_names_the_hosts_key_and_says_who_signs_in_with_what_or_neither() {
        let pinned = format!(r#","host_key":"{PINNED}""#);
        let check = says(&pinned).unwrap();
        assert_eq!((check.host_key.unwrap().to_string().as_str(), check.secrets().count()), (PINNED, 0));
        let check = says(&format!(r#"{pinned},"user":"monitor","key":{{"secret":"way-in"}}"#)).unwrap();
        assert_eq!(check.secrets().collect::<Vec<_>>(), ["way-in"]);
        let said = serde_json::to_value(&check).unwrap();
        assert_eq!((&said["host_key"], &said["key"]["secret"]), (&PINNED.into(), &"way-in".into()));
        for (more, problem) in [
            ("", "host_key: an ssh check names"),
            (&format!(r#"{pinned},"user":"monitor""#), "key: who signs in"),
            (&format!(r#"{pinned},"key":{{"secret":"way-in"}}"#), "user: a key signs"),
            (&format!(r#"{pinned},"user":" a","key":{{"secret":"way-in"}}"#), "user: a user has"),
            (&format!(r#"{pinned},"user":"a","key":{{"secret":"-----BEGIN"}}"#), "key: a key says the name"),
            (&format!(r#"{pinned},"user":"a","key":"way-in""#), "expected the name of a secret"),
            (&format!(r#"{pinned},"headers":{{"X":{{"secret":"a"}}}}"#), "headers: only an http check"),
        ] {
            let found = says(more).unwrap_err();
            assert!(found.contains(problem), "{more}: {found}");
        }
        for kind in ["http", "tcp", "service"] {
            let target = if kind == "http" { "https://a.example/" } else { "a.example:1" };
            let text = format!(
                r#"{{"name":"x","kind":"{kind}","target":"{target}","selector":{{"host":"h"}},"host_key":"{PINNED}"}}"#
            );
            let found = serde_json::from_str::<Check>(&text).unwrap().complete().unwrap_err().to_string();
            assert_eq!(found, "host_key: only an ssh check has it");
        }
    }

    #[test]
    fn a_fingerprint_is_one_digest_written_one_way() {
        let reads = |text: &str| HostKey::try_from(text.to_owned()).map(String::from);
        assert_eq!(reads(PINNED).as_deref(), Ok(PINNED));
        for text in [
            "",
            "SHA256:",
            &PINNED[7..],
            &format!("{PINNED}="),
            &PINNED[..PINNED.len() - 1],
            &PINNED.replace("SHA256", "MD5"),
            &PINNED.replace("uFU", "uFV"),
            &format!(" {PINNED}"),
        ] {
            assert!(reads(text).unwrap_err().contains("ssh-keygen"), "{text}");
        }
    }
}
