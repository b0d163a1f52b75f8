//! Changes that wait for a second person.

pub mod answer;
pub mod list;
