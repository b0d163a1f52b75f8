//! Stage classify: alerts, incidents and mappings.
pub mod alerts;
pub mod incidents;
pub mod mappings;
