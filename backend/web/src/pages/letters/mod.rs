//! The pages behind the links of letters: sign-up, a forgotten password, an invitation, a new address.
//!
//! A link is followed by mail programs too, so following it only shows what the button will do.

pub mod address;
pub mod invitation;
pub mod reset;
pub mod sign_up;

use keys::token::{self, Kind};
use store::people::letters::{self, Followed};

use crate::{App, Failure};

/// The hash of a link's token, if it is one of this kind.
fn hash(text: &str, kind: Kind) -> Option<[u8; 32]> {
    token::parse(text).ok().filter(|token| token.kind() == kind).map(|token| token.hash())
}

/// The letter behind a link, while it can be followed: its token and itself are of these kinds.
async fn followed(app: &App, text: &str, kind: Kind, of: letters::Kind) -> Result<Option<Followed>, Failure> {
    let Some(hash) = hash(text, kind) else { return Ok(None) };
    Ok(letters::follow(&app.store, &hash).await?.filter(|letter| letter.kind == of))
}
