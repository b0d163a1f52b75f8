//! Password hashes: argon2id with 19 MiB, two passes, one lane (the OWASP recommendation), as PHC strings.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{CustomizedPasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use rand::CryptoRng;

/// KiB of memory, passes, lanes.
const COST: (u32, u32, u32) = (19 * 1024, 2, 1);

/// The longest password that is hashed, in bytes; forms refuse longer ones.
pub const MAX_BYTES: usize = 1024;

/// A hash of a password nobody has. Verify against it when an account is unknown, so that the answer takes
/// as long as for a known one.
pub const DUMMY_HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bWVuZHdyaWdodCBkdW1teQ$VFcyZMIxpAVxQNPZPEyqGNKaZTpZqqOFbVBAs6jv2mE";

/// A password that cannot be hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Longer than [`MAX_BYTES`].
    #[error("the password is too long")]
    TooLong,
    /// The hash function failed, or the stored text is no PHC string.
    #[error("the password hash cannot be computed")]
    Hash,
}

/// Hashes `password` with a fresh salt. Takes tens of milliseconds: call it off the async threads.
///
/// # Errors
/// The password is too long.
pub fn hash(password: &str, rng: &mut impl CryptoRng) -> Result<String, Error> {
    if password.len() > MAX_BYTES {
        return Err(Error::TooLong);
    }
    let mut salt = [0; 16];
    rng.fill_bytes(&mut salt);
    hash_with_salt(password, &salt)
}

/// Whether `password` is the one `stored` was made of.
///
/// # Errors
/// `stored` is no hash of ours: damaged data, not a wrong password.
pub fn verify(password: &str, stored: &str) -> Result<bool, Error> {
    let parsed = PasswordHash::new(stored).map_err(|_| Error::Hash)?;
    if password.len() > MAX_BYTES {
        return Ok(false);
    }
    Ok(argon2()?.verify_password(password.as_bytes(), &parsed).is_ok())
}

fn hash_with_salt(password: &str, salt: &[u8]) -> Result<String, Error> {
    let (memory, passes, lanes) = COST;
    let params = Params::new(memory, passes, lanes, None).map_err(|_| Error::Hash)?;
    argon2()?
        .hash_password_customized(password.as_bytes(), salt, Some("argon2id"), None, params)
        .map(|hash: PasswordHash| hash.to_string())
        .map_err(|_| Error::Hash)
}

fn argon2() -> Result<Argon2<'static>, Error> {
    let (memory, passes, lanes) = COST;
    let params = Params::new(memory, passes, lanes, None).map_err(|_| Error::Hash)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    #[test]
    fn a_password_verifies_against_its_own_hash_only() {
        let mut rng = StdRng::seed_from_u64(1);
        let stored = hash("correct horse", &mut rng).unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert_eq!(verify("correct horse", &stored), Ok(true));
        assert_eq!(verify("correct hors", &stored), Ok(false));
        assert_ne!(hash("correct horse", &mut rng).unwrap(), stored);
        assert_eq!(verify("x", "not a hash"), Err(Error::Hash));
        assert_eq!(hash(&"x".repeat(MAX_BYTES + 1), &mut rng), Err(Error::TooLong));
    }

    #[test]
    fn the_dummy_hash_costs_as_much_as_a_real_one() {
        assert_eq!(hash_with_salt("no one has this password", b"mendwright dummy").unwrap(), DUMMY_HASH);
    }
}
