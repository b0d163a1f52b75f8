//! A tenant's chain as the lines of a file, a part at a time: neither the reader nor the database holds the whole of it.

use keys::Digest;
use keys::chain::GENESIS;
use keys::chain::file::{SignedHead, entry_line};
use uuid::Uuid;

use super::chain::{self, End, Signed};
use crate::{Result, StoreError, TenantTx};

/// Entries of one part.
const PART: i64 = 200;

/// How far a file is written. Its end is decided at its beginning.
#[derive(Debug)]
pub struct Export {
    end: End,
    seq: i64,
    prev: Digest,
    is_over: bool,
}

impl Export {
    /// Begins a file; none: nothing is linked yet.
    pub async fn begin(tx: &mut TenantTx) -> Result<Option<Export>> {
        Ok(chain::find_end(tx).await?.map(|end| Export { end, seq: 0, prev: GENESIS, is_over: false }))
    }

    /// How many entries it has.
    pub fn entries(&self) -> i64 {
        self.end.seq
    }

    /// The next lines: entries, at last the signed head, then nothing.
    pub async fn next(&mut self, tx: &mut TenantTx) -> Result<Option<String>> {
        if self.is_over {
            return Ok(None);
        }
        let tenant_id = tx.tenant_id();
        let corrupt = |column| StoreError::Corrupt { table: "audit_chain", column, id: tenant_id };
        let links = chain::list(tx, self.seq, self.end.seq, self.prev, PART).await?;
        let mut lines = String::new();
        for link in &links {
            (self.seq, self.prev) = (link.seq, link.hash);
            lines += &entry_line(link.entry.as_ref(), &link.hash).map_err(|_| corrupt("hash"))?;
        }
        if links.is_empty() || self.seq == self.end.seq {
            self.is_over = true;
            let signed = self.end.signed.as_ref().ok_or_else(|| corrupt("signature"))?;
            lines += &head_line(&self.end, signed, tenant_id).ok_or_else(|| corrupt("signature"))?;
        }
        Ok(Some(lines))
    }
}

fn head_line(end: &End, signed: &Signed, tenant_id: Uuid) -> Option<String> {
    let key = keys::PublicKey::from_bytes(signed.public_key.as_slice().try_into().ok()?).ok()?;
    let signature = signed.signature.clone();
    SignedHead { head: end.head(tenant_id), public_key: key.to_string(), signature }.line().ok()
}
