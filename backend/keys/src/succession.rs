//! How a key takes the place of another: the old one signs its successor, and whoever pinned the old one follows.

use serde::{Deserialize, Serialize};

use crate::canonical::{parse_canonical, to_canonical};
use crate::sign::{Context, PublicKey, SigningKey};

/// What a certificate says; its canonical text is what is signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Succession {
    /// The successor, hex.
    key: String,
    /// The key that it succeeds, hex.
    previous: String,
    /// The successor's number: one more than the version of the key that it succeeds.
    version: u32,
}

/// A key and its number; the first has 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pin {
    /// Counts from 1.
    pub version: u32,
    /// The public half.
    pub key: PublicKey,
}

/// One succession, as it is stored and sent: exactly the text that was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The canonical text.
    pub body: String,
    /// The old key over it ([`Context::DispatchKey`]), hex.
    pub signature: String,
}

/// Why a chain is not followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// By a stranger, by a key that was succeeded before, or by one that is not known yet.
    #[error("it is not signed by the key that is held, version {0}")]
    Signature(u32),
    /// Signed, but not understood.
    #[error("its text cannot be read")]
    Text,
    /// Signed, but for another place in the row.
    #[error("it is for version {said}, and version {next} comes next")]
    Version {
        /// What it says.
        said: u32,
        /// What it must say.
        next: u32,
    },
    /// Signed, but it names another predecessor than the key that signed it.
    #[error("it succeeds another key than the one that is held")]
    Previous,
    /// The successor is no key.
    #[error("the successor is no key")]
    Key,
}

impl Certificate {
    /// The word of `old`, which has number `version`, that `new` comes after it.
    ///
    /// # Errors
    /// The number has no successor, which does not happen.
    pub fn issue(old: &SigningKey, version: u32, new: &PublicKey) -> Result<Certificate, Broken> {
        let next = version.checked_add(1).ok_or(Broken::Version { said: version, next: version })?;
        let said = Succession { key: new.to_string(), previous: old.public().to_string(), version: next };
        let body = to_canonical(&said).map_err(|_| Broken::Text)?;
        let signature = old.sign(Context::DispatchKey, &body);
        Ok(Certificate { body, signature })
    }

    /// The key that comes after `pin` by this certificate.
    fn follow(&self, pin: Pin) -> Result<Pin, Broken> {
        pin.key
            .verify(Context::DispatchKey, &self.body, &self.signature)
            .map_err(|_| Broken::Signature(pin.version))?;
        let said: Succession = parse_canonical(&self.body).map_err(|_| Broken::Text)?;
        let next = pin.version.saturating_add(1);
        if said.version != next {
            return Err(Broken::Version { said: said.version, next });
        }
        if said.previous != pin.key.to_string() {
            return Err(Broken::Previous);
        }
        Ok(Pin { version: next, key: said.key.parse().map_err(|_| Broken::Key)? })
    }
}

/// The last key of `chain`, which begins after `pin`. All of it holds, or none of it is followed.
///
/// # Errors
/// The first certificate that does not hold.
pub fn follow(pin: Pin, chain: &[Certificate]) -> Result<Pin, Broken> {
    chain.iter().try_fold(pin, |pin, certificate| certificate.follow(pin))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_bytes(&[seed; 32])
    }

    fn pin(version: u32, seed: u8) -> Pin {
        Pin { version, key: key(seed).public() }
    }

    /// Version `version`, of key `old`, is succeeded by key `new`.
    fn link(old: u8, version: u32, new: u8) -> Certificate {
        Certificate::issue(&key(old), version, &key(new).public()).unwrap()
    }

    fn signed(old: u8, body: &str) -> Certificate {
        Certificate { body: body.to_owned(), signature: key(old).sign(Context::DispatchKey, body) }
    }

    /// Agents hold on to what these bytes say: a change here strands every host that is offline during a rotation.
    #[test]
    fn a_certificate_is_the_recorded_one() {
        let made = link(7, 1, 8);
        assert_eq!(
            made.body,
            r#"{"key":"1398f62c6d1a457c51ba6a4b5f3dbd2f69fca93216218dc8997e416bd17d93ca","previous":"ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c","version":2}"#
        );
        assert_eq!(made.signature, GOLDEN_SIGNATURE);
    }
    const GOLDEN_SIGNATURE: &str = "4b14bc74dab457bdff1afed1b4d7983d941e44f07ffe7fcb70292deec2ebbe0c5fd1eefb673c090e73371292adef21abf26a5ae44e20889d00c4ca1b3791b309";

    #[test]
    fn a_chain_is_followed_from_the_key_that_is_held() {
        let chain = [link(1, 1, 2), link(2, 2, 3), link(3, 3, 4)];
        assert_eq!(follow(pin(1, 1), &chain), Ok(pin(4, 4)));
        assert_eq!(follow(pin(3, 3), &chain[2..]), Ok(pin(4, 4)));
        assert_eq!(follow(pin(3, 3), &[]), Ok(pin(3, 3)));
    }

    #[test]
    fn what_was_succeeded_before_is_not_followed_again() {
        assert_eq!(follow(pin(2, 2), &[link(1, 1, 2)]), Err(Broken::Signature(2)));
        assert_eq!(follow(pin(3, 3), &[link(1, 1, 2), link(2, 2, 3)]), Err(Broken::Signature(3)));
    }

    #[test]
    fn a_gap_or_a_stranger_anywhere_in_the_chain_breaks_all_of_it() {
        assert_eq!(follow(pin(1, 1), &[link(2, 2, 3)]), Err(Broken::Signature(1)));
        assert_eq!(follow(pin(1, 1), &[link(1, 1, 2), link(3, 3, 4)]), Err(Broken::Signature(2)));
        assert_eq!(follow(pin(1, 1), &[link(9, 1, 9)]), Err(Broken::Signature(1)));
        let mut forged = link(1, 1, 2);
        forged.body = forged.body.replace("\"version\":2", "\"version\":3");
        assert_eq!(follow(pin(1, 1), &[forged]), Err(Broken::Signature(1)));
    }

    #[test]
    fn what_the_held_key_signed_must_still_be_the_next_in_the_row() {
        assert_eq!(follow(pin(1, 1), &[link(1, 2, 2)]), Err(Broken::Version { said: 3, next: 2 }));
        let key_of = |seed| key(seed).public();
        let other = format!(r#"{{"key":"{}","previous":"{}","version":2}}"#, key_of(2), key_of(3));
        assert_eq!(follow(pin(1, 1), &[signed(1, &other)]), Err(Broken::Previous));
        let weak = format!(r#"{{"key":"{}","previous":"{}","version":2}}"#, "00".repeat(32), key_of(1));
        assert_eq!(follow(pin(1, 1), &[signed(1, &weak)]), Err(Broken::Key));
        assert_eq!(follow(pin(1, 1), &[signed(1, "{}")]), Err(Broken::Text));
    }

    #[test]
    fn a_signature_for_another_purpose_is_no_succession() {
        let body = link(1, 1, 2).body;
        let signature = key(1).sign(Context::Envelope, &body);
        assert_eq!(follow(pin(1, 1), &[Certificate { body, signature }]), Err(Broken::Signature(1)));
    }
}
