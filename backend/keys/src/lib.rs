//! Canonical bytes, digests, signatures, envelope encryption, password and token hashes.
//!
//! Randomness is always an argument (`&mut impl CryptoRng`); the one exception is [`authority`], whose
//! certificate library draws from the operating system itself. Nothing here reads a clock.
#![forbid(unsafe_code)]

pub mod authority;
pub mod canonical;
pub mod chain;
pub mod digest;
pub mod password;
pub mod seal;
pub mod secret;
pub mod sign;
pub mod succession;
pub mod token;
pub mod totp;

pub use canonical::{parse_canonical, to_canonical};
pub use digest::{Digest, digest};
pub use secret::Secret;
pub use sign::{Context, PublicKey, SigningKey};
