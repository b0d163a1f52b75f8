//! A run's states.
