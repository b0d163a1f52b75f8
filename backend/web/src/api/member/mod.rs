//! Members.

pub mod edit;
pub mod list;

use domain::access::Role;
use serde::Deserialize;
use utoipa::ToSchema;

/// A role that a member can have.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RoleWord {
    Owner,
    Admin,
    Technician,
    Viewer,
    ClientViewer,
}

impl From<RoleWord> for Role {
    fn from(word: RoleWord) -> Role {
        match word {
            RoleWord::Owner => Role::Owner,
            RoleWord::Admin => Role::Admin,
            RoleWord::Technician => Role::Technician,
            RoleWord::Viewer => Role::Viewer,
            RoleWord::ClientViewer => Role::ClientViewer,
        }
    }
}
