//! Which node holds a host's link.
