//! Clients, sites and channels.
