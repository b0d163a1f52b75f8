//! The server's own keys, sealed.
