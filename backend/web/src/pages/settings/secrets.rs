//! `/settings/secrets`: keys and passwords are set, replaced and deleted; what one says is never shown.

use axum::extract::{Path, Query, State, rejection::PathRejection};
use axum::response::{IntoResponse as _, Redirect, Response};
use domain::access::Act;
use domain::secret::{Kind, is_name, parse_value, stays};
use keys::Secret;
use probe::SshKey;
use serde::Deserialize;
use serde_json::{Value, json};
use store::audit::{self, Entry};
use store::detect::checks;
use store::remediate::guardrails;
use store::sealing::Rotated;
use store::secrets::{self, New, Stored};
use store::{TenantTx, mail_relays, quotas, sealing, tenant_keys};
use uuid::Uuid;
use views::Nav;
use views::settings::{SecretRow, SecretTyped, SecretsPage, Tab};

use super::you::Click;
use crate::layers::{page, refusing};
use crate::member::{Member, clock};
use crate::posted::{Posted, inputs};
use crate::vault::rng;
use crate::{App, Failure, Refusal};

/// How many an organization may have: a limit, far above what one needs.
const MOST: usize = 200;

/// The query: what was just done.
#[derive(Deserialize)]
pub struct Asked {
    #[serde(default)]
    done: String,
}

/// The form that adds one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Added {
    csrf: String,
    name: String,
    kind: String,
    value: String,
}

/// The form that replaces what one says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replaced {
    csrf: String,
    value: String,
}

inputs!(Added, Replaced);

/// The page.
pub async fn show(State(app): State<App>, member: Member, Query(asked): Query<Asked>) -> Result<Response, Failure> {
    member.must_for_all(Act::ManageOrganization)?;
    let done = match asked.done.as_str() {
        "added" => Some("It is sealed. Nobody is shown it again."),
        "replaced" => Some("What refers to it uses the new value from now on; the old one is gone."),
        "deleted" => Some("It is gone."),
        "rotated" => Some("Everything is sealed with a new key, and the old key is destroyed."),
        _ => None,
    };
    Ok(page(&load(&app, &member, SecretTyped::default(), Ok(done)).await?))
}

/// Adds a secret; its id. Asked of somebody who has just proven who they are.
pub async fn add_secret(
    app: &App,
    tx: &mut TenantTx,
    member: &Member,
    (name, kind): (&str, Kind),
    typed: &Secret,
) -> Result<Result<Uuid, Refusal>, Failure> {
    member.must_for_all(Act::ManageOrganization)?;
    let name = name.trim();
    if !is_name(name) {
        let wrong = "A name is made of small letters, digits, - _ and . and begins with a letter or a digit.";
        return Ok(Err(Refusal::field("name", wrong)));
    }
    let value = match read(kind, typed) {
        Ok(value) => value,
        Err(why) => return Ok(Err(why)),
    };
    // Whoever adds one at the same time is counted.
    quotas::lock(tx).await?;
    if secrets::list(tx).await?.len() >= MOST {
        let full = "There are 200 secrets already: delete those that nothing refers to.";
        return Ok(Err(Refusal::Stands(full.to_owned())));
    }
    let by = member.name(tx).await?;
    let new = New { name, kind, value: &value, by: &by };
    let Some(id) = secrets::insert(tx, app.vault.master(), &mut rng(), &new).await? else {
        let taken = "There is a secret of that name already: replace what it says, or choose another name.";
        return Ok(Err(Refusal::field("name", taken)));
    };
    write_down(tx, Entry::made("secret.added", ("secret", id), told(1)), name, kind).await?;
    Ok(Ok(id))
}

/// Puts another value in the place of the one a secret has; its version. Asked of somebody who has just proven who they are.
pub async fn replace_secret(
    app: &App,
    tx: &mut TenantTx,
    member: &Member,
    id: Uuid,
    typed: &Secret,
) -> Result<Result<i32, Refusal>, Failure> {
    member.must_for_all(Act::ManageOrganization)?;
    let locked = secrets::lock(tx, id).await?.ok_or(Failure::NOT_FOUND)?;
    let value = match read(locked.kind, typed) {
        Ok(value) => value,
        Err(why) => return Ok(Err(why)),
    };
    let by = member.name(tx).await?;
    let version = secrets::replace(tx, app.vault.master(), &mut rng(), &locked, &value, &by).await?;
    let entry = Entry::changed("secret.replaced", ("secret", id), told(locked.version), told(version));
    write_down(tx, entry, &locked.name, locked.kind).await?;
    Ok(Ok(version))
}

/// Deletes a secret that nothing refers to. Asked of somebody who has just proven who they are.
pub async fn delete_secret(tx: &mut TenantTx, member: &Member, id: Uuid) -> Result<Result<(), Refusal>, Failure> {
    member.must_for_all(Act::ManageOrganization)?;
    // A file that is applied holds this lock: it refers to the secret before this look, or finds it gone.
    guardrails::lock_tenant(tx).await?;
    let locked = secrets::lock(tx, id).await?.ok_or(Failure::NOT_FOUND)?;
    let uses = uses(tx, &locked).await?;
    if !uses.is_empty() {
        return Ok(Err(Refusal::Stands(stays(&locked.name, &uses))));
    }
    secrets::delete(tx, id).await?;
    let entry = Entry::removed("secret.deleted", ("secret", id), told(locked.version));
    write_down(tx, entry, &locked.name, locked.kind).await?;
    Ok(Ok(()))
}

/// Every secret by name, and what refers to it; never what it says.
pub async fn list_secrets(tx: &mut TenantTx) -> Result<Vec<(Stored, Vec<String>)>, Failure> {
    let mut rows = Vec::new();
    for secret in secrets::list(tx).await? {
        let uses = uses(tx, &secret).await?;
        rows.push((secret, uses));
    }
    Ok(rows)
}

/// Adds a secret.
pub async fn add(State(app): State<App>, Posted(member, form): Posted<Added>) -> Result<Response, Failure> {
    must(&app, &member).await?;
    let Added { name, kind, value, .. } = form;
    let (name, value) = (name.trim().to_owned(), Secret::new(value));
    let mut tx = member.begin(&app).await?;
    let added = match Kind::parse(&kind) {
        Some(known) => add_secret(&app, &mut tx, &member, (&name, known), &value).await?,
        None => Err(Refusal::field("kind", "Choose what it is.")),
    };
    match added {
        Ok(_) => {
            tx.commit().await?;
            Ok(Redirect::to("/settings/secrets?done=added").into_response())
        }
        Err(why) => refuse(&app, &member, tx, SecretTyped { name, kind }, why).await,
    }
}

/// Puts another value in the place of the one a secret has.
pub async fn replace(
    State(app): State<App>,
    id: Result<Path<Uuid>, PathRejection>,
    Posted(member, form): Posted<Replaced>,
) -> Result<Response, Failure> {
    must(&app, &member).await?;
    let Path(id) = id.map_err(|_| Failure::NOT_FOUND)?;
    let typed = Secret::new(form.value);
    let mut tx = member.begin(&app).await?;
    if let Err(why) = replace_secret(&app, &mut tx, &member, id, &typed).await? {
        return refuse(&app, &member, tx, SecretTyped::default(), why).await;
    }
    tx.commit().await?;
    Ok(Redirect::to("/settings/secrets?done=replaced").into_response())
}

/// Deletes a secret that nothing refers to.
pub async fn delete(
    State(app): State<App>,
    id: Result<Path<Uuid>, PathRejection>,
    Posted(member, _): Posted<Click>,
) -> Result<Response, Failure> {
    must(&app, &member).await?;
    let Path(id) = id.map_err(|_| Failure::NOT_FOUND)?;
    let mut tx = member.begin(&app).await?;
    if let Err(why) = delete_secret(&mut tx, &member, id).await? {
        return refuse(&app, &member, tx, SecretTyped::default(), why).await;
    }
    tx.commit().await?;
    Ok(Redirect::to("/settings/secrets?done=deleted").into_response())
}

/// The page with why nothing was done.
async fn refuse(
    app: &App,
    member: &Member,
    tx: TenantTx,
    typed: SecretTyped,
    why: Refusal,
) -> Result<Response, Failure> {
    tx.rollback().await?;
    Ok(refusing(&load(app, member, typed, Err(why.words())).await?))
}

/// Seals everything of the organization with a new key, and destroys the old one; asked of somebody who has just proven who they
/// are. It happens whole or not at all, and doing it twice does no harm.
pub async fn rotate_key(app: &App, tx: &mut TenantTx, member: &Member) -> Result<Rotated, Failure> {
    must(app, member).await?;
    let done = sealing::rotate(tx, app.vault.master(), &mut rng()).await?;
    let (subject, was, is) = (("tenant", tx.tenant_id()), told(done.version - 1), told(done.version));
    let entry = Entry::changed("organization.sealing_key_replaced", subject, was, is);
    audit::insert(tx, None, entry.with(json!({ "values": done.values }))).await?;
    Ok(done)
}

/// The button that does.
pub async fn rotate(State(app): State<App>, Posted(member, _): Posted<Click>) -> Result<Redirect, Failure> {
    let mut tx = member.begin(&app).await?;
    rotate_key(&app, &mut tx, &member).await?;
    tx.commit().await?;
    Ok(Redirect::to("/settings/secrets?done=rotated"))
}

/// What can be undone by nobody is asked of somebody who has just proven who they are.
async fn must(app: &App, member: &Member) -> Result<(), Failure> {
    member.must_for_all(Act::ManageOrganization)?;
    member.must_be_proven(app).await
}

/// A value as it is stored; a private key must be one that can sign in.
fn read(kind: Kind, typed: &Secret) -> Result<Secret, Refusal> {
    let value = Secret::new(parse_value(kind, typed.reveal()).map_err(|wrong| Refusal::field("value", wrong))?);
    if kind == Kind::SshKey {
        SshKey::parse(value.reveal()).map_err(|why| Refusal::field("value", format!("This key {why}.")))?;
    }
    Ok(value)
}

/// What the audit says of how a secret was or is: which of its values it is, and nothing of what that says.
fn told(version: i32) -> Value {
    json!({ "version": version })
}

async fn write_down(tx: &mut TenantTx, entry: Entry<'_>, name: &str, kind: Kind) -> Result<(), Failure> {
    Ok(audit::insert(tx, None, entry.with(json!({ "name": name, "kind": kind.word() }))).await?)
}

/// What refers to a secret.
async fn uses(tx: &mut TenantTx, secret: &Stored) -> Result<Vec<String>, Failure> {
    let checks = checks::list(tx).await?;
    let referring = checks.iter().filter(|(_, check)| check.secrets().any(|name| name == secret.name));
    let mut uses: Vec<String> = referring.map(|(_, check)| format!("check “{}”", check.name)).collect();
    if mail_relays::find(tx).await?.is_some_and(|set| set.relay.secret() == Some(secret.name.as_str())) {
        uses.push("the mail relay".to_owned());
    }
    Ok(uses)
}

async fn load(
    app: &App,
    member: &Member,
    typed: SecretTyped,
    said: Result<Option<&'static str>, String>,
) -> Result<SecretsPage, Failure> {
    let mut tx = member.begin(app).await?;
    let shell = member.shell(&mut tx, Nav::Settings).await?;
    let clock = clock(app, tx.now().await?);
    let mut rows = Vec::new();
    for (secret, uses) in list_secrets(&mut tx).await? {
        let Stored { secret_id, name, kind, version, set_at, set_by, used_at } = secret;
        rows.push(SecretRow { id: secret_id, name, kind, version, set_at, set_by, used_at, uses });
    }
    let sealing = tenant_keys::find_sealing_since(&mut tx).await?;
    let (done, error) = match said {
        Ok(done) => (done.map(str::to_owned), None),
        Err(error) => (None, Some(error)),
    };
    Ok(SecretsPage { shell, clock, tab: Tab::Secrets, rows, sealing, typed, done, error })
}
