//! `GET /api/v1/enrolment-tokens`.

use axum::Json;
use axum::extract::State;
use domain::access::Act;
use jiff::Timestamp;
use serde::Serialize;
use store::enrolment_tokens::Token as Row;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::App;
use crate::api::{Asked, ById, Caller, Named, Page, Problem, cursor, page};

/// A token by which machines become hosts. Its text is kept nowhere.
#[derive(Debug, Serialize, ToSchema)]
pub struct EnrolmentToken {
    id: Uuid,
    /// The client whose hosts it makes.
    client: Named,
    /// The name of the site where they stand.
    site: Option<String>,
    /// The host it is for; none: for many, each of which a person accepts.
    host: Option<String>,
    /// Its first characters, where they were kept.
    begins: Option<String>,
    /// The networks it may be used from; none: all.
    networks: Vec<String>,
    /// How often it could be used at first.
    uses: i32,
    /// How often it still can.
    uses_left: i32,
    made_at: Timestamp,
    /// By whom; none: a file.
    made_by: Option<String>,
    expires_at: Timestamp,
    revoked_at: Option<Timestamp>,
}

/// Enrolment tokens by id, those that are used up, revoked or expired too.
#[utoipa::path(get, path = "/api/v1/enrolment-tokens", tag = "Enrolment", params(ById),
    responses((status = 200, description = "A page of tokens", body = Page<EnrolmentToken>), Problem), security(("token" = ["enrol"])))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Asked(asked): Asked<ById>,
) -> Result<Json<Page<EnrolmentToken>>, Problem> {
    caller.must(Act::EnrolHosts)?;
    let (limit, after) = asked.place()?;
    let mut tx = caller.member.begin(&app).await?;
    let rows = store::api::enrolment_tokens::list(&mut tx, after, limit + 1).await?;
    Ok(page(rows, limit, |row: &Row| cursor::said(&[row.token_id.simple().to_string()]), token))
}

fn token(row: Row) -> EnrolmentToken {
    EnrolmentToken {
        id: row.token_id,
        client: Named { id: row.client_id, name: row.client },
        site: row.site,
        host: row.host,
        begins: row.begins,
        networks: row.networks,
        uses: row.uses,
        uses_left: row.uses_left,
        made_at: row.created_at,
        made_by: row.created_by,
        expires_at: row.expires_at,
        revoked_at: row.revoked_at,
    }
}
