//! Ed25519 signatures, each over a text that begins with what the signature is for.

use std::fmt;
use std::str::FromStr;

use ed25519_dalek::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _};
use ed25519_dalek::{Signature, Signer as _};
use rand::CryptoRng;
use zeroize::Zeroizing;

use crate::digest::{Digest, digest, lower_hex};

/// What a signature is for. A signature for one purpose never verifies for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Context {
    /// A dispatch key over an envelope.
    Envelope,
    /// A playbook key over a playbook version.
    Playbook,
    /// A host key over a result.
    Result,
    /// A host key over `wire::v1::Prove::signed_text`, which already begins with the prefix.
    Link,
    /// A host key over `wire::v1::Enroll::signed_text`, which already begins with the prefix.
    Enroll,
    /// A dispatch key over what is said of its successor ([`crate::succession`]).
    DispatchKey,
    /// The server's audit key over the head of a tenant's chain.
    AuditHead,
}

impl Context {
    /// What the signed bytes begin with.
    pub const fn prefix(self) -> &'static str {
        match self {
            Context::Envelope => "mendwright envelope v1\n",
            Context::Playbook => "mendwright playbook v1\n",
            Context::Result => "mendwright result v1\n",
            Context::Link => "mendwright link v1\n",
            Context::Enroll => "mendwright enroll v1\n",
            Context::DispatchKey => "mendwright dispatch key v1\n",
            Context::AuditHead => "mendwright audit head v1\n",
        }
    }

    /// The signed bytes; none if a text that carries its own prefix does not.
    fn message(self, text: &str) -> Option<Vec<u8>> {
        match self {
            Context::Link | Context::Enroll => text.starts_with(self.prefix()).then(|| text.as_bytes().to_vec()),
            _ => Some([self.prefix().as_bytes(), text.as_bytes()].concat()),
        }
    }
}

/// Why a key or signature is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not a key: wrong length, wrong digits, or no point on the curve.
    #[error("not an Ed25519 key")]
    Key,
    /// Not 128 lower-case hex digits, or it does not verify.
    #[error("the signature does not verify")]
    Signature,
}

/// A private key. Wiped from memory when dropped; `Debug` shows the public half only.
#[derive(Clone)]
pub struct SigningKey(ed25519_dalek::SigningKey);

impl SigningKey {
    /// A new key.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut secret = Zeroizing::new([0; 32]);
        rng.fill_bytes(secret.as_mut());
        Self(ed25519_dalek::SigningKey::from_bytes(&secret))
    }

    /// From the 32 secret bytes.
    pub fn from_bytes(secret: &[u8; 32]) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(secret))
    }

    /// The 32 secret bytes.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// From a PKCS#8 PEM text.
    ///
    /// # Errors
    /// [`Error::Key`] if it is none.
    pub fn from_pem(text: &str) -> Result<Self, Error> {
        ed25519_dalek::SigningKey::from_pkcs8_pem(text).map(Self).map_err(|_| Error::Key)
    }

    /// As a PKCS#8 PEM text.
    ///
    /// # Errors
    /// [`Error::Key`] if the key cannot be coded, which does not happen.
    pub fn to_pem(&self) -> Result<Zeroizing<String>, Error> {
        self.0.to_pkcs8_pem(Default::default()).map_err(|_| Error::Key)
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// Signs `text` for `context`: 64 bytes as hex.
    ///
    /// # Panics
    /// If a text for [`Context::Link`] or [`Context::Enroll`] lacks its prefix: an error of the caller.
    pub fn sign(&self, context: Context, text: &str) -> String {
        let message = context.message(text).expect("the text carries the prefix of its context");
        hex::encode(self.0.sign(&message).to_bytes())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey(public {})", self.public())
    }
}

/// A public key, written as 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(ed25519_dalek::VerifyingKey);

impl PublicKey {
    /// From its 32 bytes.
    ///
    /// # Errors
    /// [`Error::Key`] if they are no point on the curve, or a weak one.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, Error> {
        let key = ed25519_dalek::VerifyingKey::from_bytes(bytes).map_err(|_| Error::Key)?;
        if key.is_weak() {
            return Err(Error::Key);
        }
        Ok(Self(key))
    }

    /// Its 32 bytes.
    pub fn to_bytes(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// The SHA-256 of its bytes: the key id in an agent's link path.
    pub fn id(&self) -> Digest {
        digest(&self.to_bytes())
    }

    /// Whether `signature_hex` is by this key over `text` for `context`, by the strict rules (no
    /// malleable or small-order forms).
    ///
    /// # Errors
    /// [`Error::Signature`] if not, for whatever reason.
    pub fn verify(&self, context: Context, text: &str, signature_hex: &str) -> Result<(), Error> {
        let message = context.message(text).ok_or(Error::Signature)?;
        let signature: [u8; 64] = lower_hex(signature_hex).ok_or(Error::Signature)?;
        self.0.verify_strict(&message, &Signature::from_bytes(&signature)).map_err(|_| Error::Signature)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.to_bytes()))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl FromStr for PublicKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::from_bytes(&lower_hex(text).ok_or(Error::Key)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key() -> SigningKey {
        SigningKey::from_bytes(&[7; 32])
    }

    /// Ed25519 is deterministic: this text changes only if the signed bytes do.
    #[test]
    fn a_playbook_signature_is_the_recorded_one() {
        assert_eq!(key().public().to_string(), "ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c");
        let signature = key().sign(Context::Playbook, r#"{"name":"restart"}"#);
        let plain =
            ed25519_dalek::SigningKey::from_bytes(&[7; 32]).sign(b"mendwright playbook v1\n{\"name\":\"restart\"}");
        assert_eq!(signature, hex::encode(plain.to_bytes()));
        assert_eq!(signature, GOLDEN_PLAYBOOK_SIGNATURE);
    }
    const GOLDEN_PLAYBOOK_SIGNATURE: &str = "bfdeb272880507c7ec45de06ecc9b3a2587bc06146e02f10683276b404c3e48778b59c583c6b5d6ef2a1427cf73a95451aa138679ce7abf3cc5076030fcdac00";

    #[test]
    fn a_signature_for_one_purpose_is_refused_for_every_other() {
        let all = [Context::Envelope, Context::Playbook, Context::Result, Context::DispatchKey, Context::AuditHead];
        for made in all {
            let signature = key().sign(made, "text");
            for used in all {
                let verified = key().public().verify(used, "text", &signature).is_ok();
                assert_eq!(verified, made == used, "{made:?} {used:?}");
            }
        }
    }

    #[test]
    fn a_link_text_without_its_prefix_is_refused() {
        let signature = key().sign(Context::Envelope, "x");
        assert!(key().public().verify(Context::Link, "mendwright envelope v1\nx", &signature).is_err());
    }

    #[test]
    fn a_key_survives_its_pem_text() {
        let again = SigningKey::from_pem(&key().to_pem().unwrap()).unwrap();
        assert_eq!(again.public(), key().public());
        assert!(SigningKey::from_pem("-----BEGIN PRIVATE KEY-----").is_err());
    }

    proptest! {
        #[test]
        fn a_signature_holds_for_its_text_alone(text in ".*", other in ".*", bit in 0usize..512) {
            let public = key().public();
            let signature = key().sign(Context::Result, &text);
            prop_assert!(public.verify(Context::Result, &text, &signature).is_ok());
            if other != text {
                prop_assert!(public.verify(Context::Result, &other, &signature).is_err());
            }
            let mut bytes = hex::decode(&signature).unwrap();
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(public.verify(Context::Result, &text, &hex::encode(bytes)).is_err());
        }
    }
}
