//! Fixes that ask first.

pub mod answer;
pub mod list;
