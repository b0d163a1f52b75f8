//! A head that somebody has from elsewhere, as it is said on a command line and stands in the daily mail.

use std::str::FromStr;

use super::{Known, SignedHead, Whole};
use crate::chain::Head;
use crate::digest::lower_hex;
use crate::sign::PublicKey;

/// A head as it is said: `NUMBER:HASH`, or with its signature `NUMBER:HASH:INSTANT:ORGANIZATION:KEY:SIGNATURE`. The signature
/// shows that whoever writes mails has not made the head up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// What the chain must contain.
    pub known: Known,
    /// The same with its signature, where that was said.
    pub signed: Option<SignedHead>,
}

impl SignedHead {
    /// As it is said.
    pub fn said(&self) -> String {
        let Head { tenant_id, seq, hash, at_us } = &self.head;
        format!("{seq}:{hash}:{at_us}:{tenant_id}:{}:{}", self.public_key, self.signature)
    }
}

impl Said {
    /// Whether a whole file and this head are of the same organization and signer; a head without a signature says neither.
    ///
    /// # Errors
    /// What is wrong with the head.
    pub fn check(&self, whole: &Whole) -> Result<(), &'static str> {
        let Some(signed) = &self.signed else { return Ok(()) };
        let key = lower_hex(&signed.public_key).and_then(|bytes| PublicKey::from_bytes(&bytes).ok());
        let key = key.ok_or("the known head's key is none")?;
        if signed.head.verify(&key, &signed.signature).is_err() {
            return Err("the known head's signature is not its key's");
        }
        if key != whole.public_key {
            return Err("the known head is signed by another key than the file");
        }
        if signed.head.tenant_id != whole.tenant_id {
            return Err("the known head is another organization's");
        }
        Ok(())
    }
}

impl FromStr for Said {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Said, Self::Err> {
        let wrong = "a head is said as NUMBER:HASH, or as the line that a daily mail has";
        let parts: Vec<&str> = text.trim().split(':').collect();
        let (known, rest) = match parts.as_slice() {
            [seq, hash, rest @ ..] => (format!("{seq}:{hash}").parse::<Known>()?, rest),
            _ => return Err(wrong),
        };
        let signed = match rest {
            [] => None,
            [at_us, tenant_id, public_key, signature] => Some(SignedHead {
                head: Head {
                    tenant_id: tenant_id.parse().map_err(|_| wrong)?,
                    seq: known.seq,
                    hash: known.hash.to_string(),
                    at_us: at_us.parse().map_err(|_| wrong)?,
                },
                public_key: (*public_key).to_owned(),
                signature: (*signature).to_owned(),
            }),
            _ => return Err(wrong),
        };
        Ok(Said { known, signed })
    }
}
