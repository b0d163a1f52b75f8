//! The page of guardrails and what is done on it.

mod act;
mod show;

pub use act::{begin_hands_off, close, end_hands_off, end_interlock, let_act, named, stop_place};
pub use act::{close_breaker, go, go_client, hands_off, hands_on, release, stop, stop_client};
pub use show::{all_limits as limits, breaker as standing_breaker, of_client, planned, show, stop as standing_stop};
