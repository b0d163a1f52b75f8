//! Hosts: the list, and one host.

mod hands_off;
mod list;
mod parts;
mod show;

pub use hands_off::{release, start as start_hands_off};
pub use list::list;
pub use parts::{aside, concerns, hands_off, link, tags, trust};
pub use show::show;
