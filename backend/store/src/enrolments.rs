//! Planned hosts and the tokens that make them.
