//! The settings: one's own account, and the people of the organization.

pub mod audit;
pub mod calls;
pub mod checks;
pub mod data;
pub mod limits;
pub mod mail;
pub mod organization;
pub mod passkeys;
pub mod people;
pub mod second_factor;
pub mod secrets;
pub mod sign_on;
pub mod support;
pub mod tokens;
pub mod usage;
pub mod you;
