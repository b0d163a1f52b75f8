//! Sign-in sessions.
