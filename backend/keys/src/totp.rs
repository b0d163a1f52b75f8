//! One-time codes (RFC 6238: SHA-1, six digits, steps of 30 s, as every app for them knows), and recovery codes.

use rand::CryptoRng;
use totp_rs::{Builder, Secret, Totp};
use zeroize::Zeroizing;

use crate::digest;

/// Bytes of a shared secret (RFC 4226 recommends 160 bits).
pub const SECRET_BYTES: usize = 20;
/// Recovery codes that a login gets.
pub const CODES: usize = 10;
/// Who the app says the code is for.
const ISSUER: &str = "Mendwright";
/// Letters of a recovery code without those that are taken for others: 32 of them, so five bits each.
const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz023456789";
/// Letters of a recovery code: 80 bits, too many to be guessed and to be found from a hash.
const LETTERS_OF_CODE: usize = 16;

/// A shared secret that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the shared secret has a wrong length")]
pub struct Unusable;

/// A new shared secret.
pub fn new_secret(rng: &mut impl CryptoRng) -> Zeroizing<Vec<u8>> {
    let mut secret = Zeroizing::new(vec![0; SECRET_BYTES]);
    rng.fill_bytes(&mut secret);
    secret
}

fn totp(secret: &[u8], account: &str) -> Result<Totp, Unusable> {
    // An app shows the account; a colon would part it from its issuer.
    let account = account.replace(':', " ");
    let builder = Builder::new().with_secret(Secret::from(secret.to_vec())).with_account_name(account);
    builder.with_issuer(Some(ISSUER)).build().map_err(|_| Unusable)
}

/// The step of time whose code this is, if it is the code of now or of the step before or after, in seconds since 1970.
///
/// # Errors
/// The secret is none.
pub fn step_of(secret: &[u8], code: &str, now_secs: u64) -> Result<Option<i64>, Unusable> {
    let code: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    let found = totp(secret, "account")?.check(&code, now_secs);
    Ok(found.and_then(|step| i64::try_from(step).ok()))
}

/// The code that an app shows at an instant, in seconds since 1970.
///
/// # Errors
/// The secret is none.
pub fn code_at(secret: &[u8], at_secs: u64) -> Result<String, Unusable> {
    Ok(totp(secret, "account")?.generate(at_secs).to_string())
}

/// What an app for one-time codes reads, as a link or in a QR code.
///
/// # Errors
/// The secret is none.
pub fn link(secret: &[u8], account: &str) -> Result<String, Unusable> {
    totp(secret, account)?.to_url().map_err(|_| Unusable)
}

/// The secret as it is typed by hand: base32 in groups of four.
pub fn spelled(secret: &[u8]) -> String {
    let text = Secret::from(secret.to_vec()).to_base32();
    text.as_bytes().chunks(4).map(|four| String::from_utf8_lossy(four)).collect::<Vec<_>>().join(" ")
}

/// New recovery codes, as they are shown once: `abcd-efgh-jkmn-pqrs`.
pub fn new_codes(rng: &mut impl CryptoRng) -> Vec<String> {
    (0..CODES)
        .map(|_| {
            let mut random = [0_u8; LETTERS_OF_CODE];
            rng.fill_bytes(&mut random);
            let letters: Vec<u8> = random.iter().map(|byte| LETTERS[usize::from(byte % 32)]).collect();
            letters.chunks(4).map(|four| String::from_utf8_lossy(four)).collect::<Vec<_>>().join("-")
        })
        .collect()
}

/// What of a recovery code is stored; however it is typed. None: it is no recovery code.
pub fn code_hash(typed: &str) -> Option<[u8; 32]> {
    let code: String = typed.chars().filter(|c| !c.is_whitespace() && *c != '-').collect::<String>().to_lowercase();
    let is_code = code.len() == LETTERS_OF_CODE && code.bytes().all(|letter| LETTERS.contains(&letter));
    is_code.then(|| digest(format!("mendwright recovery code v1\n{code}").as_bytes()).0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    /// The test vectors of RFC 6238, appendix B, by their last six digits.
    #[test]
    fn the_codes_are_those_of_the_standard() {
        let secret = b"12345678901234567890";
        for (now, code) in
            [(59, "287082"), (1_111_111_109, "081804"), (1_111_111_111, "050471"), (20_000_000_000, "353130")]
        {
            assert_eq!(step_of(secret, code, now), Ok(i64::try_from(now / 30).ok()), "{now}");
        }
        assert_eq!(step_of(secret, "287 082", 59 + 30), Ok(Some(1)), "one step late is taken, as the step it is of");
        assert_eq!(step_of(secret, "287082", 59 + 90), Ok(None));
        assert_eq!(step_of(b"short", "287082", 59), Err(Unusable));
    }

    #[test]
    fn an_app_is_told_account_and_issuer() {
        let link = link(b"12345678901234567890", "sam@msp.example").unwrap();
        assert!(link.starts_with("otpauth://totp/Mendwright:sam%40msp.example?secret=GEZDGNBV"), "{link}");
        assert!(link.contains("issuer=Mendwright"), "{link}");
        assert_eq!(spelled(b"12345678901234567890"), "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ");
    }

    #[test]
    fn a_recovery_code_is_found_however_it_is_typed() {
        let codes = new_codes(&mut StdRng::seed_from_u64(1));
        assert_eq!(codes.len(), CODES);
        let hash = code_hash(&codes[0]).unwrap();
        assert_eq!(code_hash(&format!(" {} ", codes[0].to_uppercase().replace('-', " "))), Some(hash));
        assert_ne!(code_hash(&codes[1]), Some(hash));
        assert_eq!(code_hash("123456"), None, "a one-time code is none");
    }
}
