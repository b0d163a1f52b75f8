//! Incidents: the list, and one's story.

mod list;
mod readings;
mod show;
mod standing;
mod story;

/// Whether the route exists that the forms of a run in doubt post to.
pub const DOUBT_CAN_BE_ANSWERED: bool = false;

pub use list::list;
pub use readings::verdict;
pub use show::show;
pub use standing::row;
