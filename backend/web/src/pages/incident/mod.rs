//! Incidents: the list, and one's story.

mod approval;
mod doubt;
mod filter;
mod list;
mod owner;
mod readings;
mod show;
mod standing;
mod story;

/// What stands for the organization's own addresses before a client's own person.
pub const ON_CALL: &str = "whoever is on call";

pub use approval::{Said, answer as answer_approval, say};
pub use doubt::{answer as answer_doubt, end_doubt};
pub use list::list;
pub use owner::{Doing, answer_owner, answer_owners, have};
pub use readings::verdict;
pub use show::show;
pub use standing::row;
