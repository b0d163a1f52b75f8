//! Hosts: the list, and one host.

mod list;
mod parts;
mod show;

pub use list::list;
pub use parts::{aside, concerns, hands_off, link, tags, trust};
pub use show::show;
