//! What stops actions, and lets them go on.

pub mod act;
pub mod limit;
pub mod show;
