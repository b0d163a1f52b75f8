//! Clients.

pub mod edit;
pub mod list;
pub mod show;

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// A company that is looked after.
#[derive(Debug, Serialize, ToSchema)]
pub struct Client {
    id: Uuid,
    name: String,
    time_zone: String,
}

impl From<store::fleet::Client> for Client {
    fn from(client: store::fleet::Client) -> Client {
        Client { id: client.client_id, name: client.name, time_zone: client.time_zone }
    }
}
