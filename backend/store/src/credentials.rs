//! Secrets that name a tenant: found by hash.
