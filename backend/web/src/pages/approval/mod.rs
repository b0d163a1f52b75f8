//! Fixes that ask first.

mod ask;
mod list;

pub use ask::{Asked, ask};
pub use list::list;
