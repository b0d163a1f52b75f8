//! `POST /api/v1/clients/{id}/groups` and below: what begins to hold does so at once, what loosens waits.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;
use domain::fleet;
use domain::remediate::group::ServiceGroup;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::App;
use crate::api::guardrail::limit::Outcome;
use crate::api::{Caller, Id, Ids, Made, Problem, Sent, why, wrong};
use crate::pages::client::{GroupCame, change_group, declare_group};

/// A group to declare.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewGroup {
    /// Its name: no other group of the client has it.
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// Its hosts: those of the client with all these tags, which are as a host's.
    tags: BTreeMap<String, String>,
    /// The fixes it bounds, by the target of their check; none: all.
    #[serde(default)]
    #[schema(max_items = 50)]
    targets: Vec<String>,
}

/// A group as it is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupWanted {
    /// Its hosts: those of the client with all these tags, which are as a host's.
    tags: BTreeMap<String, String>,
    /// The fixes it bounds, by the target of their check; none: all.
    #[serde(default)]
    #[schema(max_items = 50)]
    targets: Vec<String>,
    /// Why; needed where it loosens, for the second person.
    #[serde(default)]
    #[schema(max_length = 200)]
    why: String,
}

/// Why a group is not to hold any more.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupEnd {
    /// Why; needed while it holds, for the second person.
    #[serde(default)]
    #[schema(max_length = 200)]
    why: String,
}

fn group(tags: &BTreeMap<String, String>, targets: &[String]) -> Result<ServiceGroup, Problem> {
    let tags = fleet::tags_of(tags.iter().map(|(key, value)| (&**key, &**value)));
    let tags = tags.map_err(|wrong| Problem::invalid("tags", wrong))?;
    ServiceGroup::of(tags, targets.iter().map(|target| target.trim())).map_err(wrong)
}

fn outcome(came: GroupCame) -> Outcome {
    Outcome::of(match came {
        GroupCame::Holds => "set",
        GroupCame::Proposed => "proposed",
        GroupCame::Same => "same",
    })
}

/// Declares a service group: from then on its members are fixed one after the other.
#[utoipa::path(post, path = "/api/v1/clients/{id}/groups", tag = "Guardrails", params(("id" = Uuid, Path, description = "The client"), crate::api::document::Key),
    request_body = NewGroup, responses((status = 200, description = "It holds", body = Made), Problem), security(("token" = ["clients"])))]
pub async fn declare(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    sent: Sent<NewGroup>,
) -> Result<Response, Problem> {
    let group = group(&sent.said.tags, &sent.said.targets)?;
    sent.act(&app, &caller, async |tx| {
        let id = declare_group(tx, &caller.member, id, &sent.said.name, &group).await?.map_err(wrong)?;
        Ok(Made { id })
    })
    .await
}

/// Changes a service group, or lets it hold again. What loosens is proposed, with one of the scopes that end soon beside `clients`.
#[utoipa::path(post, path = "/api/v1/clients/{id}/groups/{group}", tag = "Guardrails",
    params(("id" = Uuid, Path, description = "The client"), ("group" = Uuid, Path, description = "Its group"), crate::api::document::Key),
    request_body = GroupWanted, responses((status = 200, description = "What came of it", body = Outcome), Problem), security(("token" = ["clients"])))]
pub async fn change(
    State(app): State<App>,
    caller: Caller,
    Ids(ids): Ids,
    sent: Sent<GroupWanted>,
) -> Result<Response, Problem> {
    let (group, why) = (group(&sent.said.tags, &sent.said.targets)?, why(&sent.said.why)?);
    sent.act(&app, &caller, async |tx| {
        let came = change_group(&app, tx, &caller.member, ids, Some(group), why).await?.map_err(wrong)?;
        Ok(outcome(came))
    })
    .await
}

/// Takes a service group back: proposed, with one of the scopes that end soon beside `clients`.
#[utoipa::path(post, path = "/api/v1/clients/{id}/groups/{group}/remove", tag = "Guardrails",
    params(("id" = Uuid, Path, description = "The client"), ("group" = Uuid, Path, description = "Its group"), crate::api::document::Key),
    request_body = GroupEnd, responses((status = 200, description = "What came of it", body = Outcome), Problem), security(("token" = ["clients"])))]
pub async fn remove(
    State(app): State<App>,
    caller: Caller,
    Ids(ids): Ids,
    sent: Sent<GroupEnd>,
) -> Result<Response, Problem> {
    let why = why(&sent.said.why)?;
    sent.act(&app, &caller, async |tx| {
        let came = change_group(&app, tx, &caller.member, ids, None, why).await?.map_err(wrong)?;
        Ok(outcome(came))
    })
    .await
}
