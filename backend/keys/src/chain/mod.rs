//! The chain of an organization's audit: each entry's hash covers its whole text and the hash before it.

pub mod file;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::canonical::{self, to_canonical};
use crate::digest::{Digest, digest};
use crate::sign::{self, Context, PublicKey, SigningKey};

/// What an entry's hashed bytes begin with.
const PREFIX: &str = "mendwright audit entry v1\n";
/// What a chain's first hash follows.
pub const GENESIS: Digest = Digest([0; 32]);

/// One entry as it is linked; its canonical text is what is hashed and exported.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The organization.
    pub tenant_id: Uuid,
    /// Its place in the chain, from 1.
    pub seq: i64,
    /// The hash before it, as hex.
    pub prev: String,
    /// Its id.
    pub audit_id: Uuid,
    /// The client it tells of, if it tells of one.
    pub client_id: Option<Uuid>,
    /// When, in microseconds since 1970.
    pub at_us: i64,
    /// Who.
    pub actor: String,
    /// From where: a network address.
    pub source: Option<String>,
    /// In which request.
    pub request_id: Option<Uuid>,
    /// What was done.
    pub action: String,
    /// To what kind of thing.
    pub subject_kind: String,
    /// To which.
    pub subject_id: Uuid,
    /// More about it.
    pub detail: Value,
    /// How it was before.
    pub before: Option<Value>,
    /// How it is after.
    pub after: Option<Value>,
}

impl Entry {
    /// The text that is hashed.
    ///
    /// # Errors
    /// It has no canonical text, which no JSON value lacks.
    pub fn text(&self) -> Result<String, canonical::Error> {
        to_canonical(self)
    }
}

/// The hash of an entry's text, which names the hash before it.
pub fn hash(text: &str) -> Digest {
    digest([PREFIX, text].concat().as_bytes())
}

/// The end of a chain at some time, as it is signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// The organization.
    pub tenant_id: Uuid,
    /// How many entries the chain has.
    pub seq: i64,
    /// The last one's hash, as hex.
    pub hash: String,
    /// When it was signed, in microseconds since 1970.
    pub at_us: i64,
}

impl Head {
    fn text(&self) -> Result<String, canonical::Error> {
        to_canonical(self)
    }

    /// Signs it.
    ///
    /// # Errors
    /// It has no canonical text, which no head lacks.
    pub fn sign(&self, key: &SigningKey) -> Result<String, canonical::Error> {
        Ok(key.sign(Context::AuditHead, &self.text()?))
    }

    /// Whether `signature` is by `key` over exactly this head.
    ///
    /// # Errors
    /// It is not.
    pub fn verify(&self, key: &PublicKey, signature: &str) -> Result<(), sign::Error> {
        key.verify(Context::AuditHead, &self.text().map_err(|_| sign::Error::Signature)?, signature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn entry() -> Entry {
        Entry {
            tenant_id: Uuid::from_u128(1),
            seq: 1,
            prev: GENESIS.to_string(),
            audit_id: Uuid::from_u128(2),
            client_id: None,
            at_us: 1_764_000_000_000_001,
            actor: "member 3".to_owned(),
            source: Some("192.0.2.7".to_owned()),
            request_id: Some(Uuid::from_u128(4)),
            action: "hands_off.set".to_owned(),
            subject_kind: "host".to_owned(),
            subject_id: Uuid::from_u128(5),
            detail: json!({ "b": 1.5, "a": "ü" }),
            before: None,
            after: Some(json!([1, null])),
        }
    }

    /// This text and this hash change only if every chain that was ever exported becomes worthless.
    #[test]
    fn an_entrys_text_and_hash_are_the_recorded_ones() {
        let text = entry().text().unwrap();
        assert_eq!(text, GOLDEN_TEXT);
        assert_eq!(hash(&text), digest(format!("mendwright audit entry v1\n{GOLDEN_TEXT}").as_bytes()));
        assert_eq!(hash(&text).to_string(), GOLDEN_HASH);
    }
    const GOLDEN_TEXT: &str = r#"{"action":"hands_off.set","actor":"member 3","after":[1,null],"at_us":1764000000000001,"audit_id":"00000000-0000-0000-0000-000000000002","before":null,"client_id":null,"detail":{"a":"ü","b":1.5},"prev":"0000000000000000000000000000000000000000000000000000000000000000","request_id":"00000000-0000-0000-0000-000000000004","seq":1,"source":"192.0.2.7","subject_id":"00000000-0000-0000-0000-000000000005","subject_kind":"host","tenant_id":"00000000-0000-0000-0000-000000000001"}"#;
    const GOLDEN_HASH: &str = "43dfb5bb59f1d9ef7a7657ad96283387b6f17eed36f9cb8908fce33079c4a49b";

    #[test]
    fn a_head_is_signed_as_it_stands() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let head = Head { tenant_id: Uuid::from_u128(1), seq: 9, hash: GENESIS.to_string(), at_us: 5 };
        let signature = head.sign(&key).unwrap();
        assert!(head.verify(&key.public(), &signature).is_ok());
        assert!(Head { seq: 8, ..head.clone() }.verify(&key.public(), &signature).is_err());
        assert!(Head { at_us: 6, ..head }.verify(&key.public(), &signature).is_err());
    }
}
