//! A chain as a file: a JSON line for each entry with its hash, then one with the signed head. Hashes cover a line's bytes as
//! they stand in the file, so nothing is parsed before it is known to be what was written.

mod said;

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Entry, GENESIS, Head, hash};
use crate::canonical::{self, to_canonical};
use crate::digest::Digest;
use crate::sign::PublicKey;
use crate::{digest::lower_hex, parse_canonical};

pub use said::Said;

/// The longest line that is read: an entry's detail is a few kilobytes at most.
pub const LINE: usize = 1 << 20;

/// An entry's line; an entry that is gone from the rows is said to be `null`, which no check passes.
///
/// # Errors
/// It has no canonical text, which no entry lacks.
pub fn entry_line(entry: Option<&Entry>, hash: &Digest) -> Result<String, canonical::Error> {
    let text = entry.map_or_else(|| Ok("null".to_owned()), Entry::text)?;
    Ok(format!("{{\"entry\":{text},\"hash\":\"{hash}\"}}\n"))
}

/// The last line of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedHead {
    /// The end of the chain.
    pub head: Head,
    /// By whom it is signed, as hex.
    pub public_key: String,
    /// The signature over the head, as hex.
    pub signature: String,
}

impl SignedHead {
    /// Its line.
    ///
    /// # Errors
    /// It has no canonical text, which no head lacks.
    pub fn line(&self) -> Result<String, canonical::Error> {
        Ok(to_canonical(self)? + "\n")
    }
}

/// What is wrong with a file, and in which line (from 1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The line.
    pub line: u64,
    /// What is wrong with it.
    pub what: &'static str,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl std::error::Error for Fault {}

/// A head that is known from elsewhere: from the mail of a day, say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// How many entries the chain had then, at least.
    pub seq: i64,
    /// The hash of that entry.
    pub hash: Digest,
}

impl std::str::FromStr for Known {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Known, Self::Err> {
        let wrong = "a head is said as NUMBER:HASH";
        let (seq, hash) = text.split_once(':').ok_or(wrong)?;
        let seq = seq.parse().ok().filter(|seq| *seq > 0).ok_or(wrong)?;
        Ok(Known { seq, hash: hash.parse().map_err(|_| wrong)? })
    }
}

/// What a whole file says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whole {
    /// The organization.
    pub tenant_id: Uuid,
    /// How many entries.
    pub entries: i64,
    /// The last one's hash.
    pub hash: Digest,
    /// Who signed it.
    pub public_key: PublicKey,
}

/// Reads a file line by line.
#[derive(Debug)]
pub struct Verifier {
    known: Option<Known>,
    signer: Option<PublicKey>,
    line: u64,
    seq: i64,
    prev: Digest,
    tenant_id: Option<Uuid>,
    end: Option<Whole>,
}

impl Verifier {
    /// Begins. A file alone cannot show that it is the newest one, nor whose signature it must carry: `known` and `signer` do.
    pub fn new(known: Option<Known>, signer: Option<PublicKey>) -> Verifier {
        Verifier { known, signer, line: 0, seq: 0, prev: GENESIS, tenant_id: None, end: None }
    }

    fn fault<T>(&self, what: &'static str) -> Result<T, Fault> {
        Err(Fault { line: self.line, what })
    }

    /// The next line, with the line feed that ends it.
    ///
    /// # Errors
    /// It is not what was written there.
    pub fn line(&mut self, line: &[u8]) -> Result<(), Fault> {
        self.line += 1;
        if self.end.is_some() {
            return self.fault("it stands behind the signed head, which is the last");
        }
        let Some(line) = line.strip_suffix(b"\n").and_then(|line| std::str::from_utf8(line).ok()) else {
            return self.fault("it is cut off, or no text");
        };
        if line.starts_with("{\"head\":") { self.head(line) } else { self.entry(line) }
    }

    fn entry(&mut self, line: &str) -> Result<(), Fault> {
        // {"entry":TEXT,"hash":"64 digits"}
        let rest = line.strip_prefix("{\"entry\":").and_then(|rest| rest.strip_suffix("\"}"));
        let split = rest.and_then(|rest| rest.split_at_checked(rest.len().checked_sub(64)?));
        let Some((text, said)) = split.and_then(|(text, said)| Some((text.strip_suffix(",\"hash\":\"")?, said))) else {
            return self.fault("it is not an entry with its hash");
        };
        if text == "null" {
            return self.fault("the entry was gone from the database when the file was written");
        }
        if said.parse() != Ok(hash(text)) {
            return self.fault("the entry was altered: it does not give its hash");
        }
        let Ok(entry) = parse_canonical::<Entry>(text) else {
            return self.fault("the entry is not written as entries are");
        };
        if entry.seq != self.seq + 1 {
            return self.fault("an entry is missing, added or out of its place");
        }
        if entry.prev != self.prev.to_string() {
            return self.fault("the entry does not follow the one before it");
        }
        if *self.tenant_id.get_or_insert(entry.tenant_id) != entry.tenant_id {
            return self.fault("the entry is another organization's");
        }
        (self.seq, self.prev) = (entry.seq, hash(text));
        if self.known.is_some_and(|known| known.seq == self.seq && known.hash != self.prev) {
            return self.fault("the entry is not the one that was there when the known head was made");
        }
        Ok(())
    }

    fn head(&mut self, line: &str) -> Result<(), Fault> {
        let Ok(signed) = parse_canonical::<SignedHead>(line) else {
            return self.fault("the head is not written as heads are");
        };
        let key = lower_hex(&signed.public_key).and_then(|bytes| PublicKey::from_bytes(&bytes).ok());
        let Some(public_key) = key else {
            return self.fault("the head's key is none");
        };
        if signed.head.verify(&public_key, &signed.signature).is_err() {
            return self.fault("the head's signature is not its key's");
        }
        if self.signer.is_some_and(|signer| signer != public_key) {
            return self.fault("the head is signed by another key than the one that was asked for");
        }
        if (signed.head.seq, signed.head.hash) != (self.seq, self.prev.to_string()) {
            return self.fault("the head does not belong to the last entry: entries before it are missing or added");
        }
        let Some(tenant_id) = self.tenant_id.filter(|tenant_id| *tenant_id == signed.head.tenant_id) else {
            return self.fault("the head is another organization's");
        };
        self.end = Some(Whole { tenant_id, entries: self.seq, hash: self.prev, public_key });
        Ok(())
    }

    /// There is no further line.
    ///
    /// # Errors
    /// Something is missing.
    pub fn end(mut self) -> Result<Whole, Fault> {
        self.line += 1;
        if self.known.is_some_and(|known| known.seq > self.seq) {
            return self.fault("the file ends before the known head: entries at its end are missing");
        }
        match &self.end {
            Some(whole) => Ok(whole.clone()),
            None => self.fault("there is no signed head: the file is cut off"),
        }
    }
}

#[cfg(test)]
mod tests;
