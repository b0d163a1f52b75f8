//! `/settings/second-factor`: turning it on and off, and new recovery codes.

use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use keys::totp;
use qrcode::{Color, EcLevel, QrCode};
use serde::Deserialize;
use store::logins;
use store::people::second_factor::{self, Ended};
use tower_sessions::Session;
use uuid::Uuid;
use views::Nav;
use views::settings::{CodesPage, SecondFactorPage, Tab};
use zeroize::Zeroizing;

use super::you::{self, Click};
use crate::entry;
use crate::layers::{page, refusing};
use crate::member::{Member, Newcomer};
use crate::posted::{PostedByNewcomer, inputs};
use crate::vault::rng;
use crate::{App, Failure, passkey, sessions};

/// The form: the first code of the app.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct First {
    csrf: String,
    code: String,
}

inputs!(First);

/// The secret for the app; the same one until its first code was shown, so that loading the page again harms nothing.
pub async fn show(State(app): State<App>, Newcomer(member): Newcomer) -> Result<Response, Failure> {
    member.must_own_account()?;
    member.must_be_proven(&app).await?;
    match secret_of(&app, member.login_id()).await? {
        Some((_, secret)) => Ok(page(&form(&app, &member, &secret, None).await?)),
        None => Ok(Redirect::to("/settings").into_response()),
    }
}

/// The secret that does not count yet, with its version; none if one counts already.
pub async fn secret_of(app: &App, login_id: Uuid) -> Result<Option<(i32, Zeroizing<Vec<u8>>)>, Failure> {
    if let Some(sealed) = second_factor::find(&app.store, login_id).await? {
        if sealed.since.is_some() {
            return Ok(None);
        }
        return Ok(Some((sealed.version, app.vault.open_shared_secret(login_id, sealed.version, &sealed.sealed)?)));
    }
    let (version, secret) = (second_factor::next_version(&app.store, login_id).await?, totp::new_secret(&mut rng()));
    let sealed = app.vault.seal_shared_secret(login_id, version, &secret);
    match second_factor::insert(&app.store, login_id, &sealed, version).await? {
        true => Ok(Some((version, secret))),
        false => Err(Failure::CONFLICT), // two pages at once: the next look finds the other's
    }
}

async fn form(app: &App, member: &Member, secret: &[u8], error: Option<&str>) -> Result<SecondFactorPage, Failure> {
    let account = logins::find_account(&app.store, member.login_id()).await?.ok_or(Failure::NOT_FOUND)?;
    let link = totp::link(secret, &account.email).map_err(|_| Failure::BROKEN)?;
    let (side, path) = code_path(&link)?;
    let mut tx = member.begin(app).await?;
    let shell = member.shell(&mut tx, Nav::Settings).await?;
    Ok(SecondFactorPage {
        shell,
        tab: Tab::You,
        side,
        path,
        link,
        spelled: totp::spelled(secret),
        is_asked_for: member.seat().lacks_second_factor,
        passkeys: passkey::are_possible(&app.config),
        error: error.map(str::to_owned),
    })
}

/// The QR code of a link: its modules a side, and the dark ones as a path.
pub fn code_path(link: &str) -> Result<(usize, String), Failure> {
    let code = QrCode::with_error_correction_level(link, EcLevel::M).map_err(|_| Failure::BROKEN)?;
    Ok((code.width(), path_of(&code)))
}

/// The dark modules of a QR code, each run of them in a row as one rectangle.
fn path_of(code: &QrCode) -> String {
    let colors = code.to_colors();
    let rows = colors.chunks(code.width()).enumerate();
    let runs = rows.flat_map(|(y, row)| {
        let mut x = 0;
        row.chunk_by(|a, b| a == b).filter_map(move |run| {
            let (from, length) = (x, run.len());
            x += length;
            (run[0] == Color::Dark).then(|| format!("M{from} {y}h{length}v1h-{length}z"))
        })
    });
    runs.collect()
}

/// From now on it counts, and the account's other sessions end; its recovery codes are shown once.
pub async fn turn_on(
    State(app): State<App>,
    session: Session,
    PostedByNewcomer(member, input): PostedByNewcomer<First>,
) -> Result<Response, Failure> {
    member.must_be_proven(&app).await?;
    let Some((version, secret)) = secret_of(&app, member.login_id()).await? else { return Err(Failure::CONFLICT) };
    let now = entry::now(&app.store).await?.as_second().unsigned_abs();
    let Some(step) = totp::step_of(&secret, &input.code, now).map_err(|_| Failure::BROKEN)? else {
        let error = "That was not the code of this moment. Is the phone’s clock right?";
        return Ok(refusing(&form(&app, &member, &secret, Some(error)).await?));
    };
    let codes = totp::new_codes(&mut rng());
    let hashes: Vec<[u8; 32]> = codes.iter().filter_map(|code| totp::code_hash(code)).collect();
    let this = sessions::this(&session);
    let (kept, origin) = (this.as_ref().map(|hash| &hash[..]), member.origin());
    if !second_factor::mark_proven(&app.store, member.login_id(), (version, step), &hashes, kept, origin).await? {
        return Err(Failure::CONFLICT);
    }
    show_codes(&app, &member, codes).await
}

/// Gives new recovery codes; the old ones count no more.
pub async fn new_codes(
    State(app): State<App>,
    PostedByNewcomer(member, _): PostedByNewcomer<Click>,
) -> Result<Response, Failure> {
    member.must_be_proven(&app).await?;
    must_be_on(&app, &member).await?;
    let codes = totp::new_codes(&mut rng());
    let hashes: Vec<[u8; 32]> = codes.iter().filter_map(|code| totp::code_hash(code)).collect();
    second_factor::insert_codes(&app.store, member.login_id(), &hashes, member.origin()).await?;
    show_codes(&app, &member, codes).await
}

/// Goes on only if a second factor counts.
async fn must_be_on(app: &App, member: &Member) -> Result<(), Failure> {
    let account = logins::find_account(&app.store, member.login_id()).await?.ok_or(Failure::NOT_FOUND)?;
    if account.has_second_factor() { Ok(()) } else { Err(Failure::CONFLICT) }
}

/// Recovery codes, shown this once.
pub(super) async fn show_codes(app: &App, member: &Member, codes: Vec<String>) -> Result<Response, Failure> {
    let mut tx = member.begin(app).await?;
    let shell = member.shell(&mut tx, Nav::Settings).await?;
    Ok(page(&CodesPage { shell, tab: Tab::You, codes }))
}

/// Codes of the app count no more, and the account's other sessions end.
pub async fn turn_off(
    State(app): State<App>,
    session: Session,
    PostedByNewcomer(member, _): PostedByNewcomer<Click>,
) -> Result<Response, Failure> {
    member.must_be_proven(&app).await?;
    let account = logins::find_account(&app.store, member.login_id()).await?.ok_or(Failure::NOT_FOUND)?;
    account.codes_since.ok_or(Failure::CONFLICT)?;
    let this = sessions::this(&session);
    let kept = this.as_ref().map(|hash| &hash[..]);
    if second_factor::delete(&app.store, member.login_id(), kept, member.origin()).await? == Ended::AskedFor {
        return Ok(refusing(&you::load(&app, &session, &member, None, Some(you::LAST_FACTOR)).await?));
    }
    Ok(Redirect::to("/settings?done=off").into_response())
}
