//! `GET /api/v1/sign-on`: it is read here, and set by an owner in person: whoever names a provider says who is whom.

use axum::Json;
use axum::extract::State;
use domain::access::Act;
use jiff::Timestamp;
use serde::Serialize;
use store::people::sign_on;
use utoipa::ToSchema;

use crate::App;
use crate::api::{Asked, Caller, Nothing, Problem};

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
    Ok(Json(SignOn { provider, required: sign_on::is_required(&mut tx).await?, link }))
}
