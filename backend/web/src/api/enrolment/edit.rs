//! `POST /api/v1/enrolment-tokens` and `POST /api/v1/enrolment-tokens/{id}/revoke`.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;
use domain::fleet::{self, network};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use store::enrolment_tokens::For;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::App;
use crate::api::{Caller, Done, Id, Nothing, Problem, Sent, wrong};
use crate::pages::enrolment::{Wanted, end, insert};

/// A token as it is to be: for one `host`, or for so many as `uses` says.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Make {
    /// The client whose hosts it makes.
    client: Uuid,
    /// A site of that client where they stand.
    site: Option<Uuid>,
    /// The name of the one host it is for, which is trusted at once.
    #[schema(min_length = 1, max_length = 200)]
    host: Option<String>,
    /// For how many hosts it is; each gets nothing to do until a person accepts it.
    #[schema(minimum = 1, maximum = 500)]
    uses: Option<i32>,
    /// After how many days it ends.
    #[schema(minimum = 1, maximum = 30)]
    days: u64,
    /// The tags of its hosts, as those of a host.
    #[serde(default)]
    tags: BTreeMap<String, String>,
    /// The networks it may be used from, 20 at most; none: all.
    #[serde(default)]
    #[schema(max_items = 20)]
    networks: Vec<String>,
}

/// A token that was made.
#[derive(Debug, Serialize, ToSchema)]
pub struct NewToken {
    id: Uuid,
    /// Its text: in this answer and nowhere else. An answer that is given again to an Idempotency-Key has null here; revoke
    /// that token then, and make another.
    token: Option<String>,
    expires_at: Timestamp,
    /// What the agent is told as `--server`.
    server: String,
    /// What the agent is told as `--authority`, where the server's certificate is from the installation's own.
    authority: Option<String>,
}

impl Make {
    fn wanted(&self) -> Result<Wanted, Problem> {
        let whom = match (&self.host, self.uses) {
            (Some(host), None) => For::Host(host.trim().to_owned()),
            (None, Some(uses)) => For::Many(uses),
            (Some(_), Some(_)) => return Err(Problem::invalid("uses", "a token for one host has no uses")),
            (None, None) => return Err(Problem::invalid("host", "say the host it is for, or its uses")),
        };
        let pairs = self.tags.iter().map(|(key, value)| (&**key, &**value));
        Ok(Wanted {
            client_id: self.client,
            site_id: self.site,
            days: self.days,
            whom,
            tags: fleet::tags_of(pairs).map_err(|wrong| Problem::invalid("tags", wrong))?,
            networks: network::parse(&self.networks.join("\n")).map_err(|wrong| Problem::invalid("networks", wrong))?,
        })
    }
}

/// Makes an enrolment token.
#[utoipa::path(post, path = "/api/v1/enrolment-tokens", tag = "Enrolment", params(crate::api::document::Key), request_body = Make,
    responses((status = 201, description = "The token, this once", body = NewToken), Problem), security(("token" = ["enrol"])))]
pub async fn make(State(app): State<App>, caller: Caller, sent: Sent<Make>) -> Result<Response, Problem> {
    let wanted = sent.said.wanted()?;
    sent.mint(&app, &caller, "token", async |tx| {
        let minted = insert(tx, &caller.member, &wanted).await?.map_err(wrong)?;
        let made = NewToken {
            id: minted.token_id,
            token: None,
            expires_at: minted.expires_at,
            server: app.config.enrol_url(),
            authority: app.config.authority.map(|authority| authority.to_string()),
        };
        Ok((made, minted.token.reveal().to_owned()))
    })
    .await
}

/// Revokes an enrolment token: nobody enrols with it any more. Hosts that did stay.
#[utoipa::path(post, path = "/api/v1/enrolment-tokens/{id}/revoke", tag = "Enrolment", params(("id" = Uuid, Path, description = "The token"), crate::api::document::Key),
    request_body = Nothing, responses((status = 200, description = "It opens nothing", body = Done), Problem), security(("token" = ["enrol"])))]
pub async fn revoke(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    sent: Sent<Nothing>,
) -> Result<Response, Problem> {
    sent.act(&app, &caller, async |tx| {
        let changed = end(tx, &caller.member, id).await?;
        Ok(Done { changed })
    })
    .await
}
