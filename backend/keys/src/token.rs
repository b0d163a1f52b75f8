//! Bearer tokens: `mw_<kind>_<43 base62 digits of 256 random bits><6 base62 digits of checksum>`.
//!
//! The prefix lets secret scanners find a leaked token, the checksum lets them (and us) tell a typing error
//! from a wrong token without a look-up. Only the SHA-256 of the whole text is stored.

use std::fmt;

use rand::CryptoRng;
use zeroize::{Zeroize as _, Zeroizing};

use crate::digest::digest;

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// 62^43 > 2^256.
const SECRET_DIGITS: usize = 43;
/// 62^6 > 2^32.
const CHECK_DIGITS: usize = 6;

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Enrols a host.
    Enroll,
    /// Calls the public API.
    Api,
    /// Posts alerts of an outside system.
    Inbound,
    /// Invites a member.
    Invite,
    /// Sets a new password.
    Reset,
    /// Proves an address.
    Confirm,
    /// Opens the first account of a new installation.
    Setup,
    /// Acts on a mail's link.
    Mail,
    /// Begins a session of the platform's staff.
    Support,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 9] = [
        Kind::Enroll,
        Kind::Api,
        Kind::Inbound,
        Kind::Invite,
        Kind::Reset,
        Kind::Confirm,
        Kind::Setup,
        Kind::Mail,
        Kind::Support,
    ];

    /// The word inside the token.
    pub const fn word(self) -> &'static str {
        match self {
            Kind::Enroll => "enroll",
            Kind::Api => "api",
            Kind::Inbound => "inbound",
            Kind::Invite => "invite",
            Kind::Reset => "reset",
            Kind::Confirm => "confirm",
            Kind::Setup => "setup",
            Kind::Mail => "mail",
            Kind::Support => "support",
        }
    }
}

/// A text that is no token of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a token: it is cut off, mistyped, or of another kind")]
pub struct ParseError;

/// A token. Wiped when dropped; shown by [`Token::reveal`] only.
#[derive(Clone)]
pub struct Token {
    kind: Kind,
    text: Zeroizing<String>,
}

impl Token {
    /// What it is for.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The whole text: show it once to the person it was made for.
    pub fn reveal(&self) -> &str {
        &self.text
    }

    /// What is stored and looked up.
    pub fn hash(&self) -> [u8; 32] {
        hash(&self.text)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token(mw_{}_…)", self.kind.word())
    }
}

/// A new token.
pub fn mint(kind: Kind, rng: &mut impl CryptoRng) -> Token {
    let mut secret = Zeroizing::new([0; 32]);
    rng.fill_bytes(secret.as_mut());
    let body = base62::<SECRET_DIGITS>(secret.as_ref());
    let check = checksum(kind, &body);
    Token { kind, text: Zeroizing::new(format!("mw_{}_{}{check}", kind.word(), body.as_str())) }
}

/// Reads a token of the kind its text says. Says nothing of whether it is known.
///
/// # Errors
/// The text is no token.
pub fn parse(text: &str) -> Result<Token, ParseError> {
    let (word, rest) = text.strip_prefix("mw_").and_then(|t| t.split_once('_')).ok_or(ParseError)?;
    let kind = Kind::ALL.into_iter().find(|k| k.word() == word).ok_or(ParseError)?;
    if rest.len() != SECRET_DIGITS + CHECK_DIGITS || !rest.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Err(ParseError);
    }
    let (body, check) = rest.split_at(SECRET_DIGITS);
    if checksum(kind, body) != check {
        return Err(ParseError);
    }
    Ok(Token { kind, text: Zeroizing::new(text.to_owned()) })
}

/// The SHA-256 of a token's text. 256 random bits need no slow hash.
pub fn hash(token: &str) -> [u8; 32] {
    digest(token.as_bytes()).0
}

fn checksum(kind: Kind, body: &str) -> String {
    let text = Zeroizing::new(format!("mendwright token v1\n{}_{body}", kind.word()));
    let sum = digest(text.as_bytes()).0;
    base62::<CHECK_DIGITS>(&sum[..4]).as_str().to_owned()
}

/// `bytes`, most significant first, as exactly `N` base62 digits.
fn base62<const N: usize>(bytes: &[u8]) -> Zeroizing<String> {
    let mut number = Zeroizing::new(bytes.to_vec());
    let mut digits = [0u8; N];
    for digit in digits.iter_mut().rev() {
        let mut rest = 0u32;
        for byte in number.iter_mut() {
            let value = rest << 8 | u32::from(*byte);
            *byte = (value / 62) as u8;
            rest = value % 62;
        }
        *digit = DIGITS[rest as usize];
    }
    let text = digits.iter().map(|d| char::from(*d)).collect();
    digits.zeroize();
    Zeroizing::new(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    #[test]
    fn every_kind_is_minted_parsed_and_hashed() {
        let mut rng = StdRng::seed_from_u64(1);
        for kind in Kind::ALL {
            let token = mint(kind, &mut rng);
            assert_eq!(token.reveal().len(), 3 + kind.word().len() + 1 + 49);
            let again = parse(token.reveal()).unwrap();
            assert_eq!((again.kind(), again.hash()), (kind, token.hash()));
        }
    }

    #[test]
    fn numbers_are_spelled_in_base62_with_leading_zeros() {
        assert_eq!(base62::<3>(&[0]).as_str(), "000");
        assert_eq!(base62::<3>(&[61]).as_str(), "00z");
        assert_eq!(base62::<3>(&[62]).as_str(), "010");
        assert_eq!(base62::<43>(&[255; 32]).as_str(), GOLDEN_MAX);
    }
    const GOLDEN_MAX: &str = "yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp1";

    #[test]
    fn debug_does_not_show_the_secret() {
        let token = mint(Kind::Api, &mut StdRng::seed_from_u64(2));
        assert_eq!(format!("{token:?}"), "Token(mw_api_…)");
    }

    proptest! {
        #[test]
        fn one_wrong_character_is_found(seed in any::<u64>(), at in any::<prop::sample::Index>(), digit in 0usize..62) {
            let token = mint(Kind::Enroll, &mut StdRng::seed_from_u64(seed));
            let mut text = token.reveal().as_bytes().to_vec();
            let at = at.index(text.len());
            prop_assume!(text[at] != DIGITS[digit]);
            text[at] = DIGITS[digit];
            prop_assert!(parse(std::str::from_utf8(&text).unwrap()).is_err());
        }
    }
}
