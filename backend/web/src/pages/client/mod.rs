//! Clients: the list, one client's own page, and changing it.

mod list;
mod show;

pub use list::list;
pub use show::show;
