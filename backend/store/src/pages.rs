//! What the pages read.

pub mod hosts;
pub mod incident;
pub mod incidents;
pub mod limits;
