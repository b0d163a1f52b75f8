//! `GET /api/v1/organization`.

use axum::Json;
use axum::extract::State;
use domain::access::Act;
use serde::Serialize;
use store::configuration;
use store::people::{members, sign_on};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::App;
use crate::api::{Asked, Caller, Nothing, Problem};

/// An organization, and what holds for all its members.
#[derive(Debug, Serialize, ToSchema)]
pub struct Organization {
    id: Uuid,
    name: String,
    time_zone: String,
    /// Whether every member must have a second factor.
    requires_second_factor: bool,
    /// Whether members but owners must sign in by the organization's own provider.
    requires_sign_on: bool,
}

/// The token's organization.
#[utoipa::path(get, path = "/api/v1/organization", tag = "Organization",
    responses((status = 200, description = "The organization", body = Organization), Problem), security(("token" = ["settings"])))]
pub async fn show(State(app): State<App>, caller: Caller, _: Asked<Nothing>) -> Result<Json<Organization>, Problem> {
    caller.member.must_for_all(Act::ManageOrganization)?;
    let mut tx = caller.member.begin(&app).await?;
    let tenant = configuration::find_tenant(&mut tx).await?.ok_or(Problem::NOT_FOUND)?;
    Ok(Json(Organization {
        id: tx.tenant_id(),
        name: tenant.name,
        time_zone: tenant.time_zone,
        requires_second_factor: members::requires_second_factor(&mut tx).await?,
        requires_sign_on: sign_on::is_required(&mut tx).await?,
    }))
}
