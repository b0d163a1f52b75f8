//! `GET /api/v1/organization/file`: everything that is the organization's, as the console's file.

use axum::extract::State;
use axum::response::Response;
use jiff::Timestamp;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::App;
use crate::api::{Asked, Caller, Nothing, Problem};
use crate::pages::settings::data::send;

/// Everything of an organization.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only says what the document says: the file is written as it is read")]
pub struct Everything {
    organization: String,
    tenant_id: Uuid,
    exported_at: Timestamp,
    /// Tables that it has not, and why.
    #[schema(value_type = Object)]
    left_out: Map<String, Value>,
    /// Columns that it has not.
    redacted: Vec<String>,
    /// The rows of each table.
    #[schema(value_type = Object)]
    tables: Map<String, Value>,
    /// How many rows it has, at its end: a file that was cut off has no such number and is no JSON.
    rows: u64,
}

/// Everything that is the organization's, in one file. That it was taken is an entry of the audit.
#[utoipa::path(get, path = "/api/v1/organization/file", tag = "Organization",
    responses((status = 200, description = "The file", body = Everything), Problem), security(("token" = ["own"])))]
pub async fn download(State(app): State<App>, caller: Caller, _: Asked<Nothing>) -> Result<Response, Problem> {
    Ok(send(app, caller.member).await?)
}
