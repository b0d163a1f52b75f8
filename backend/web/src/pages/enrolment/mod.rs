//! Enrolment tokens, and the hosts that wait for a person's word.

mod accept;
mod make;
mod show;

pub use accept::{Word, answer_claim, claim, newcomers, welcome};
pub use make::{Wanted, end, insert, make, revoke};
pub use show::show;
