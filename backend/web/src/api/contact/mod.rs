//! Contacts: whom to ask at a client, and who of them is told of its incidents.

pub mod edit;
pub mod list;
