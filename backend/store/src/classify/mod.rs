//! Stage classify: alerts, incidents and mappings.
pub mod alerts;
pub mod due_signals;
pub mod facts;
pub mod incidents;
pub mod mappings;
