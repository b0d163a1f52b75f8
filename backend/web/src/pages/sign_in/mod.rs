//! Signing in: the password, and where one is on, the second factor. Proving anew.

mod destination;
mod prove;
mod second;
mod show;
mod submit;

pub use destination::Destination;
pub use prove::{ask as ask_proof, submit as prove};
pub use second::{show as show_second, submit as submit_second};
pub use show::show;
pub use submit::submit;
