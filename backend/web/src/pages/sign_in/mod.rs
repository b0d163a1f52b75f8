//! Signing in: the password, and where one is on, the second factor; or a passkey alone. Proving anew.

mod destination;
pub mod passkey;
mod prove;
mod second;
mod show;
mod submit;

pub use destination::Destination;
pub use prove::{ask as ask_proof, begin_passkey as begin_proof, submit as prove, submit_passkey as prove_by_passkey};
pub use second::{
    begin_passkey as begin_second, show as show_second, submit as submit_second, submit_passkey as second_by_passkey,
};
pub use show::show;
pub use submit::submit;
