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

pub use approval::{Said, answer as answer_approval, say};
pub use doubt::{answer as answer_doubt, end_doubt};
pub use list::list;
pub use owner::{Doing, answer_owner, answer_owners, have};
pub use readings::verdict;
pub use show::show;
pub use standing::row;
