//! `/settings/passkeys`: adding a passkey and removing it.

use axum::extract::{Path, State, rejection::PathRejection};
use axum::response::{IntoResponse as _, Redirect, Response};
use domain::people::check_name;
use keys::totp;
use serde::Deserialize;
use store::logins;
use store::people::passkeys::{self, Added, New, Removed};
use tower_sessions::Session;
use uuid::Uuid;

use super::second_factor::show_codes;
use super::you::{self, Click};
use crate::ceremony::Begun;
use crate::entry::Visitor;
use crate::layers::refusing;
use crate::posted::{PostedByNewcomer, inputs};
use crate::vault::rng;
use crate::{App, Failure, passkey, sessions};

/// The form: a name, and what the device made.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Made {
    csrf: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    credential: String,
}

inputs!(Made);

/// What the browser's script needs to let the device make one.
pub async fn begin(
    State(app): State<App>,
    visitor: Visitor,
    PostedByNewcomer(member, _): PostedByNewcomer<Click>,
) -> Result<Response, Failure> {
    member.must_be_proven(&app).await?;
    let account = logins::find_account(&app.store, member.login_id()).await?.ok_or(Failure::NOT_FOUND)?;
    passkey::begin_adding(&app, &visitor, member.login_id(), &account.email).await
}

/// From now on it signs in. The first second factor brings recovery codes, which are shown once, and ends the account's
/// other sessions.
pub async fn add(
    State(app): State<App>,
    session: Session,
    begun: Begun,
    PostedByNewcomer(member, form): PostedByNewcomer<Made>,
) -> Result<Response, Failure> {
    member.must_be_proven(&app).await?;
    let refused = async |error| Ok(refusing(&you::load(&app, &session, &member, None, Some(error)).await?));
    let name = match check_name(&form.name) {
        Ok(name) => name,
        Err(error) => return refused(error).await,
    };
    let login_id = member.login_id();
    let Some(made) = passkey::finish_adding(&app, &begun, login_id, &form.credential).await? else {
        return refused("No passkey was added: it took too long, or the device gave up. Try again.").await;
    };
    let credential = serde_json::to_value(&made).map_err(|_| Failure::BROKEN)?;
    let codes = totp::new_codes(&mut rng());
    let hashes: Vec<[u8; 32]> = codes.iter().filter_map(|code| totp::code_hash(code)).collect();
    let new = New { login_id, credential_id: made.cred_id(), name: &name, credential: &credential };
    let this = sessions::this(&session);
    let kept = this.as_ref().map(|hash| &hash[..]);
    let added = passkeys::insert(&app.store, &new, &hashes, kept, member.origin()).await?;
    match added {
        Added::Known => return refused("That device has a passkey of this site already.").await,
        Added::TooMany => return refused("There are twenty passkeys already: remove one first.").await,
        Added::First | Added::Another => {}
    }
    match added {
        Added::First => show_codes(&app, &member, codes).await,
        _ => Ok(Redirect::to("/settings?done=passkey").into_response()),
    }
}

/// It signs in no more, and the account's other sessions end.
pub async fn remove(
    State(app): State<App>,
    session: Session,
    id: Result<Path<Uuid>, PathRejection>,
    PostedByNewcomer(member, _): PostedByNewcomer<Click>,
) -> Result<Response, Failure> {
    let Path(id) = id.map_err(|_| Failure::NOT_FOUND)?;
    member.must_be_proven(&app).await?;
    let this = sessions::this(&session);
    let kept = this.as_ref().map(|hash| &hash[..]);
    match passkeys::delete(&app.store, member.login_id(), id, kept, member.origin()).await? {
        Removed::Unknown => Err(Failure::NOT_FOUND),
        Removed::AskedFor => Ok(refusing(&you::load(&app, &session, &member, None, Some(you::LAST_FACTOR)).await?)),
        Removed::Done => Ok(Redirect::to("/settings?done=no-passkey").into_response()),
    }
}
