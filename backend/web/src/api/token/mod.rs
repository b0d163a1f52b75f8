//! Tokens of the API.

pub mod edit;
pub mod list;
