//! Canonical bytes, digests, signatures, envelope encryption, password and token hashes.
#![forbid(unsafe_code)]
