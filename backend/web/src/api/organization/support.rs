//! `/api/v1/support-grants`: when the platform's staff may look.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use domain::access::Act;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use store::people::support;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::App;
use crate::api::{Asked, Caller, Done, Made, Nothing, Page, Problem, Sent, reason};
use crate::pages::settings::support::{end_grants, insert_grant};

/// A grant: while it lasts, the platform's staff may look and do nothing.
#[derive(Debug, Serialize, ToSchema)]
pub struct SupportGrant {
    id: Uuid,
    granted_at: Timestamp,
    granted_by: String,
    reason: String,
    /// When it ends by itself.
    ends_at: Timestamp,
    /// When somebody ended it before, and who.
    ended_at: Option<Timestamp>,
    ended_by: Option<String>,
}

/// The newest grants, 20 at most.
#[utoipa::path(get, path = "/api/v1/support-grants", tag = "Organization",
    responses((status = 200, description = "The grants", body = Page<SupportGrant>), Problem), security(("token" = ["own"])))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    _: Asked<Nothing>,
) -> Result<Json<Page<SupportGrant>>, Problem> {
    caller.member.must_for_all(Act::OwnOrganization)?;
    let mut tx = caller.member.begin(&app).await?;
    let item = |grant: support::Grant| {
        let (ended_at, ended_by) = grant.ended.unzip();
        SupportGrant {
            id: grant.grant_id,
            granted_at: grant.granted_at,
            granted_by: grant.granted_by,
            reason: grant.reason,
            ends_at: grant.ends_at,
            ended_at,
            ended_by,
        }
    };
    let items = support::list(&mut tx).await?.into_iter().map(item).collect();
    Ok(Json(Page { items, next: None }))
}

/// For how long, and what for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    #[schema(minimum = 1, maximum = 72)]
    hours: u16,
    /// What for; it stands in the audit.
    #[schema(min_length = 1, max_length = 200)]
    reason: String,
}

/// Lets the platform's staff look for a while.
#[utoipa::path(post, path = "/api/v1/support-grants", tag = "Organization", params(crate::api::document::Key), request_body = Grant,
    responses((status = 200, description = "They may look", body = Made), Problem), security(("token" = ["own"])))]
pub async fn grant(State(app): State<App>, caller: Caller, sent: Sent<Grant>) -> Result<Response, Problem> {
    let why = reason(&sent.said.reason, 200)?;
    sent.act(&app, &caller, async |tx| {
        let id = insert_grant(tx, &caller.member, sent.said.hours, &why).await??;
        Ok(Made { id })
    })
    .await
}

/// Ends every grant, and each session that one let begin with its next request.
#[utoipa::path(post, path = "/api/v1/support-grants/end", tag = "Organization", params(crate::api::document::Key), request_body = Nothing,
    responses((status = 200, description = "Nobody of the staff may look", body = Done), Problem), security(("token" = ["own"])))]
pub async fn end(State(app): State<App>, caller: Caller, sent: Sent<Nothing>) -> Result<Response, Problem> {
    sent.act(&app, &caller, async |tx| Ok(Done { changed: end_grants(tx, &caller.member).await? })).await
}
