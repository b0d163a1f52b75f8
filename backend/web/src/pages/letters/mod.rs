//! The pages behind the links of letters: sign-up, a forgotten password, an invitation, a new address.
//!
//! A link is followed by mail programs too, so following it only shows what the button will do.

pub mod address;
pub mod invitation;
pub mod reset;
pub mod sign_up;

use keys::token::{self, Kind};

/// The hash of a link's token, if it is one of this kind.
fn hash(text: &str, kind: Kind) -> Option<[u8; 32]> {
    token::parse(text).ok().filter(|token| token.kind() == kind).map(|token| token.hash())
}
