//! `POST /api/v1/hosts/{id}/place`: where a host stands, and its tags.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;
use domain::fleet;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::App;
use crate::api::{Caller, Done, Id, Problem, Sent};
use crate::pages::host::put;

/// Where it is to stand, and its tags: both are replaced by what is said.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// A site of its client; none: it stands on no site.
    site: Option<Uuid>,
    /// Its tags, 50 at most: a key has 1 to 60 characters without "=", a value 1 to 200, and neither has a comma.
    tags: BTreeMap<String, String>,
}

/// Puts a host on a site of its client, or on none, with these tags; checks that select by tags follow.
#[utoipa::path(post, path = "/api/v1/hosts/{id}/place", tag = "Hosts", params(("id" = Uuid, Path, description = "The host"), crate::api::document::Key),
    request_body = Place, responses((status = 200, description = "It is so", body = Done), Problem), security(("token" = ["clients"])))]
pub async fn place(State(app): State<App>, caller: Caller, Id(id): Id, sent: Sent<Place>) -> Result<Response, Problem> {
    let pairs = sent.said.tags.iter().map(|(key, value)| (&**key, &**value));
    let tags = fleet::tags_of(pairs).map_err(|wrong| Problem::invalid("tags", wrong))?;
    sent.act(&app, &caller, async |tx| {
        let changed = put(tx, &caller.member, id, sent.said.site, &tags).await?;
        Ok(Done { changed })
    })
    .await
}
