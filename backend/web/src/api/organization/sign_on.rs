//! `/api/v1/sign-on`: how members sign on. Whoever names a provider says who is whom, so what a token asks for waits for another
//! owner, who has just proven who they are.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use domain::access::Act;
use jiff::Timestamp;
use keys::Secret;
use serde::{Deserialize, Serialize};
use store::changes::{self, Subject};
use store::people::sign_on;
use utoipa::ToSchema;

use crate::App;
use crate::api::guardrail::limit::Waiting;
use crate::api::secret::edit::sealed;
use crate::api::{Asked, Caller, Nothing, Problem, Sent, why};
use crate::pages::settings::sign_on::{ask, propose, sound};

/// The organization's own provider of sign-on.
#[derive(Debug, Serialize, ToSchema)]
pub struct Provider {
    issuer: String,
    /// The application that it has for us. Its secret is told to nobody.
    client_id: String,
    /// The domains of members' addresses that it may speak for.
    domains: Vec<String>,
    changed_at: Timestamp,
    changed_by: String,
}

/// How members sign on.
#[derive(Debug, Serialize, ToSchema)]
pub struct SignOn {
    /// Null: there is none.
    provider: Option<Provider>,
    /// Whether members but owners must come by it.
    required: bool,
    /// Where members begin.
    link: String,
    /// What waits for another owner, or confirmed for its time.
    waits: Option<Waiting>,
}

/// The organization's provider of sign-on.
#[utoipa::path(get, path = "/api/v1/sign-on", tag = "Organization",
    responses((status = 200, description = "How members sign on", body = SignOn), Problem), security(("token" = ["own"])))]
pub async fn show(State(app): State<App>, caller: Caller, _: Asked<Nothing>) -> Result<Json<SignOn>, Problem> {
    caller.member.must_for_all(Act::OwnOrganization)?;
    let mut tx = caller.member.begin(&app).await?;
    let provider = sign_on::find(&mut tx).await?.map(|set| Provider {
        issuer: set.issuer,
        client_id: set.application_id,
        domains: set.domains,
        changed_at: set.changed_at,
        changed_by: set.changed_by,
    });
    let base = app.config.public_url.trim_end_matches('/');
    let link = format!("{base}/sso/{}", tx.tenant_id());
    let waits = changes::find_open(&mut tx, Subject::SignOn).await?.map(Waiting::from);
    Ok(Json(SignOn { provider, required: sign_on::is_required(&mut tx).await?, link, waits }))
}

/// A provider as it is to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProviderWanted {
    /// Its issuer, like https://login.example.com; it must answer now.
    #[schema(max_length = 300)]
    issuer: String,
    /// The application that it has for us.
    #[schema(min_length = 1, max_length = 500)]
    client_id: String,
    /// What it gave for that application. Nobody is told it again.
    #[serde(deserialize_with = "sealed")]
    #[schema(value_type = String, min_length = 1, max_length = 500, format = Password)]
    secret: Secret,
    /// The domains of members' addresses that it may speak for.
    #[schema(min_items = 1, max_items = 20)]
    domains: Vec<String>,
    /// Whether members but owners must come by it.
    required: bool,
    /// Why, for the other owner.
    #[schema(min_length = 1, max_length = 200)]
    why: String,
}

/// Why there is to be no provider.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProviderEnd {
    /// Why, for the other owner.
    #[schema(min_length = 1, max_length = 200)]
    why: String,
}

/// Why, which the other owner is told.
fn reason(said: &str) -> Result<String, Problem> {
    why(said)?.ok_or_else(|| Problem::invalid("why", "say why, for the other owner"))
}

/// Proposes a provider, if it answers. Another owner confirms it in the console, where they prove who they are; no token does.
#[utoipa::path(post, path = "/api/v1/sign-on", tag = "Organization", params(crate::api::document::Key), request_body = ProviderWanted,
    responses((status = 202, description = "It waits for another owner", body = Waiting), Problem), security(("token" = ["own"])))]
pub async fn set(State(app): State<App>, caller: Caller, sent: Sent<ProviderWanted>) -> Result<Response, Problem> {
    caller.member.must_for_all(Act::OwnOrganization)?;
    let ProviderWanted { issuer, client_id, secret, domains, required, why } = &sent.said;
    let wanted = sound(issuer, client_id, secret.reveal(), &domains.join("\n"))?;
    if secret.reveal().is_empty() {
        return Err(Problem::invalid("secret", "The client secret is missing."));
    }
    let why = reason(why)?;
    if let Some(answer) = sent.answered(&app, &caller).await? {
        return Ok(answer);
    }
    // Somebody else's server is waited for, so no transaction is open meanwhile.
    ask(&app, caller.member.seat().scope.tenant_id(), &wanted, secret.reveal()).await??;
    sent.act_as(&app, &caller, async |tx| {
        let change = propose(&app, tx, &caller.member, Some((&wanted, secret, *required)), &why).await??;
        Ok((StatusCode::ACCEPTED, Waiting::from(change)))
    })
    .await
}

/// Proposes that there is to be no provider. Another owner confirms it in the console.
#[utoipa::path(post, path = "/api/v1/sign-on/remove", tag = "Organization", params(crate::api::document::Key), request_body = ProviderEnd,
    responses((status = 202, description = "It waits for another owner", body = Waiting), Problem), security(("token" = ["own"])))]
pub async fn remove(State(app): State<App>, caller: Caller, sent: Sent<ProviderEnd>) -> Result<Response, Problem> {
    caller.member.must_for_all(Act::OwnOrganization)?;
    let why = reason(&sent.said.why)?;
    sent.act_as(&app, &caller, async |tx| {
        let change = propose(&app, tx, &caller.member, None, &why).await??;
        Ok((StatusCode::ACCEPTED, Waiting::from(change)))
    })
    .await
}
