//! `POST /api/v1/hosts/{id}/place`: where a host stands, and its tags.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use domain::fleet;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::App;
use crate::api::guardrail::limit::Waiting;
use crate::api::{Caller, Done, Id, Problem, Sent, why};
use crate::pages::host::{HostCame, put};

/// Where it is to stand, and its tags: both are replaced by what is said.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// A site of its client; none: it stands on no site.
    site: Option<Uuid>,
    /// Its tags, 50 at most: a key has 1 to 60 characters without "=", a value 1 to 200, and neither has a comma.
    tags: BTreeMap<String, String>,
    /// Why; needed where its tags take it out of a service group, for the second person.
    #[serde(default)]
    #[schema(max_length = 200)]
    why: String,
}

/// Either answer.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Answer {
    Placed(Done),
    Waits(Waiting),
}

/// Puts a host on a site of its client, or on none, with these tags; checks that select by tags follow. Tags that take it out
/// of a service group are proposed, with one of the scopes that end soon beside `clients`; where it stands holds at once.
#[utoipa::path(post, path = "/api/v1/hosts/{id}/place", tag = "Hosts", params(("id" = Uuid, Path, description = "The host"), crate::api::document::Key),
    request_body = Place, responses((status = 200, description = "It is so", body = Done),
        (status = 202, description = "Its tags wait for a second person", body = Waiting), Problem), security(("token" = ["clients"])))]
pub async fn place(State(app): State<App>, caller: Caller, Id(id): Id, sent: Sent<Place>) -> Result<Response, Problem> {
    let pairs = sent.said.tags.iter().map(|(key, value)| (&**key, &**value));
    let tags = fleet::tags_of(pairs).map_err(|wrong| Problem::invalid("tags", wrong))?;
    let why = why(&sent.said.why)?;
    sent.act_as(&app, &caller, async |tx| {
        Ok(match put(&app, tx, &caller.member, id, (sent.said.site, &tags), why).await?? {
            HostCame::Placed => (StatusCode::OK, Answer::Placed(Done { changed: true })),
            HostCame::Same => (StatusCode::OK, Answer::Placed(Done { changed: false })),
            HostCame::Proposed(change) => (StatusCode::ACCEPTED, Answer::Waits((*change).into())),
        })
    })
    .await
}
