//! Who is called about every incident.

pub mod edit;
pub mod list;
