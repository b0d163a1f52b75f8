//! Incidents: the list, and one's story.

mod list;
mod readings;
mod show;
mod standing;
mod story;

pub use list::list;
pub use readings::{verdict, words};
pub use show::show;
pub use standing::row;
