//! Hosts: the list, and one host.

mod edit;
mod hands_off;
mod inventory;
mod limits;
mod list;
mod metrics;
mod parts;
mod retire;
mod same_machine;
mod show;
mod watch;

pub use edit::{HostCame, edit, place, put};
pub use hands_off::{begin as begin_hands_off, end as end_hands_off, release, start as start_hands_off};
pub use limits::limits;
pub use list::list;
pub use metrics::services;
pub use parts::{agent, aside, concerns, hands_off, link, tags, trust};
pub use retire::{retire_host, submit as retire};
pub use same_machine::{attest, submit as same_machine};
pub use show::show;
pub use watch::{submit as watch, watch_service};
