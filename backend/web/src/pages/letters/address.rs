//! `/confirm-address/{token}`: proving a new address.

use axum::extract::{Path, State};
use axum::response::Response;
use keys::token::Kind;
use store::logins::{self, Moved};
use store::people::letters;
use views::signin::{ConfirmPage, NotePage};

use super::{followed, hash};
use crate::layers::{page, refusing};
use crate::peer::Came;
use crate::{App, Failure};

/// Says what the button does.
pub async fn show(State(app): State<App>, Path(text): Path<String>) -> Result<Response, Failure> {
    Ok(match followed(&app, &text, Kind::Confirm, letters::Kind::ConfirmAddress).await? {
        Some(letter) => page(&ConfirmPage {
            title: "Confirm your new address".to_owned(),
            lead: format!("From then on you sign in with {}.", letter.address),
            action: format!("/confirm-address/{text}"),
            button: "Confirm it",
        }),
        None => refusing(&NotePage::dead_link()),
    })
}

/// Gives the login its new address; the old one is told.
pub async fn submit(State(app): State<App>, Came(origin): Came, Path(text): Path<String>) -> Result<Response, Failure> {
    let Some(hash) = hash(&text, Kind::Confirm) else { return Ok(refusing(&NotePage::dead_link())) };
    Ok(match logins::change_email(&app.store, &hash, origin).await? {
        Moved::Done => page(&NotePage {
            title: "Your address is changed".to_owned(),
            lead: "You sign in with it from now on.".to_owned(),
            leads_to: "/settings".to_owned(),
            button: "Go on".to_owned(),
        }),
        Moved::NoLink | Moved::Taken => refusing(&NotePage::dead_link()),
    })
}
