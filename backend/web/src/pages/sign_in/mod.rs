//! Signing in.

mod destination;
mod show;
mod submit;

pub use destination::Destination;
pub use show::show;
pub use submit::submit;
