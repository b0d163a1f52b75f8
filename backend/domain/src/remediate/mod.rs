//! Stage remediate.
