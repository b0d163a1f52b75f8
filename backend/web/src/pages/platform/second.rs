//! `/platform/second-factor`: an operator has one; nothing else of the platform is open before.

use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use keys::totp;
use serde::Deserialize;
use store::people::second_factor;
use tower_sessions::Session;
use views::platform::SecondPage;

use crate::layers::{page, refusing};
use crate::operator::{Known, Sent};
use crate::pages::settings::second_factor::{code_path, secret_of};
use crate::posted::inputs;
use crate::vault::rng;
use crate::{App, Failure, entry, sessions};

/// The form: the first code of the app.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct First {
    csrf: String,
    code: String,
}
inputs!(First);

/// The secret for the app.
pub async fn show(State(app): State<App>, operator: Known) -> Result<Response, Failure> {
    operator.must_be_proven(&app).await?;
    match secret_of(&app, operator.login_id).await? {
        Some((_, secret)) => Ok(page(&form(&operator, &secret, None)?)),
        None => Ok(Redirect::to("/platform").into_response()),
    }
}

fn form(operator: &Known, secret: &[u8], error: Option<&str>) -> Result<SecondPage, Failure> {
    let link = totp::link(secret, &operator.email).map_err(|_| Failure::BROKEN)?;
    let (side, path) = code_path(&link)?;
    Ok(SecondPage {
        csrf: operator.csrf.clone(),
        side,
        path,
        link,
        spelled: totp::spelled(secret),
        codes: Vec::new(),
        error: error.map(str::to_owned),
    })
}

/// From now on it counts, and other sessions end; its recovery codes are shown once.
pub async fn turn_on(
    State(app): State<App>,
    session: Session,
    Sent(operator, input): Sent<First>,
) -> Result<Response, Failure> {
    operator.must_be_proven(&app).await?;
    let Some((version, secret)) = secret_of(&app, operator.login_id).await? else { return Err(Failure::CONFLICT) };
    let now = entry::now(&app.store).await?.as_second().unsigned_abs();
    let Some(step) = totp::step_of(&secret, &input.code, now).map_err(|_| Failure::BROKEN)? else {
        let error = "That was not the code of this moment. Is the phone’s clock right?";
        return Ok(refusing(&form(&operator, &secret, Some(error))?));
    };
    let codes = totp::new_codes(&mut rng());
    let hashes: Vec<[u8; 32]> = codes.iter().filter_map(|code| totp::code_hash(code)).collect();
    let this = sessions::this(&session);
    let (kept, origin) = (this.as_ref().map(|hash| &hash[..]), operator.origin());
    if !second_factor::mark_proven(&app.store, operator.login_id, (version, step), &hashes, kept, origin).await? {
        return Err(Failure::CONFLICT);
    }
    Ok(page(&SecondPage { codes, ..form(&operator, &secret, None)? }))
}
