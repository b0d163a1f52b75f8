//! The settings: one's own account, and the people of the organization.

pub mod people;
pub mod second_factor;
pub mod you;
