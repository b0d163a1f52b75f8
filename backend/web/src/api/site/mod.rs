//! Sites: the places of a client.

pub mod edit;
pub mod list;
