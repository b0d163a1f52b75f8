//! `mendwright audit`: an organization's audit as a file, and whether a file is what was written.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use keys::PublicKey;
use keys::chain::file::{Fault, LINE, Said, Verifier, Whole};
use serde_json::json;
use store::Store;
use store::audit::{self, Entry, Export};
use store::auth::OperatorTx;

use crate::cli;
use crate::configure::Opened;
use crate::seed;

/// The file is not what was written; 2 is a wrong command line.
const ALTERED: u8 = 3;
/// The file's lines fit each other, and nothing from elsewhere says that they are the ones.
const UNANCHORED: u8 = 4;

/// What is said of a file whose lines fit each other.
struct Told<'a> {
    whole: &'a Whole,
    /// The number of the entry whose head was known from elsewhere.
    head: Option<i64>,
    /// Whether the signer was.
    has_key: bool,
}

impl Told<'_> {
    /// The exit status. A file may be cut off where a batch ended, which a head alone shows; and what is newer than the head may be
    /// written and signed by anybody, which the key alone shows: whoever asks in a script must not take that for a yes.
    fn code(&self) -> u8 {
        let is_whole = self.head.is_some_and(|seq| self.has_key || seq == self.whole.entries);
        if is_whole { 0 } else { UNANCHORED }
    }
}

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Whole { tenant_id, entries, hash, public_key } = self.whole;
        let word = if self.code() == 0 { "Whole" } else { "Unanchored" };
        write!(f, "{word}: {entries} entries of organization {tenant_id}")?;
        match (self.code(), self.head) {
            (0, _) => f.write_str(".")?,
            (_, Some(seq)) => {
                write!(f, " fit each other up to the head, entry {seq}; nothing says who wrote the newer ones.")?;
            }
            (_, None) if self.has_key => {
                f.write_str(" fit each other and that key signed them; nothing says that these are all of them.")?;
            }
            (_, None) => {
                f.write_str(" fit each other; nothing says that these are all of them, or who wrote them.")?;
            }
        }
        write!(f, "\n  last entry  {entries}:{hash}\n  signed by   {public_key}")?;
        if self.head.is_none() {
            f.write_str(
                "\nWhether newer entries were left out shows a newer head alone: --head, from the daily mail or another file.",
            )?;
        }
        if !self.has_key {
            f.write_str("\nWhether that is this server's key is yours to compare: --key.")?;
        }
        Ok(())
    }
}

/// Under `audit`.
pub async fn run(command: cli::Audit) -> Result<ExitCode> {
    match command {
        cli::Audit::Export { file, tenant, rows } => {
            let opened = Opened::open(rows).await?;
            let done = export(&opened.store, &opened.owner_url, tenant.as_deref(), &file).await;
            opened.close().await?;
            println!("{} entries are in {}.", done?, file.display());
            Ok(ExitCode::SUCCESS)
        }
        cli::Audit::Verify { file, head, key } => match judge(&file, head.as_ref(), key)? {
            Ok(whole) => {
                let head = head.as_ref().map(|head| head.known.seq);
                let told = Told { whole: &whole, head, has_key: key.is_some() };
                println!("{told}");
                Ok(ExitCode::from(told.code()))
            }
            Err(fault) => {
                eprintln!("Not what was written: {fault}.");
                Ok(ExitCode::from(ALTERED))
            }
        },
    }
}

/// Writes the chain of an organization to a file that is not there yet; answers how many entries.
pub async fn export(store: &Store, owner_url: &str, tenant: Option<&str>, file: &Path) -> Result<u64> {
    let tenant_id = seed::choose_tenant(store, owner_url, tenant).await?;
    let mut tx = OperatorTx::begin(store, owner_url).await?.into_tenant(tenant_id).await?;
    let Some(mut lines) = Export::begin(&mut tx).await? else {
        bail!("nothing is linked yet: a server links entries a second or two after they are written");
    };
    let new = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
    let mut out = new.with_context(|| format!("{} cannot be made", file.display()))?;
    let mut count = 0;
    while let Some(part) = lines.next(&mut tx).await? {
        count += part.bytes().filter(|byte| *byte == b'\n').count() as u64;
        out.write_all(part.as_bytes())?;
    }
    out.sync_all()?;
    // Reading all of it is an action too; it stands in the next file.
    let entry = Entry::done("audit.exported", ("tenant", tenant_id));
    audit::insert(&mut tx, None, entry.with(json!({ "entries": count - 1 }))).await?;
    tx.commit().await?;
    Ok(count - 1)
}

/// What a file is, under what is known from elsewhere; the outer error is of reading it, the inner one what is wrong with it.
pub fn judge(file: &Path, head: Option<&Said>, key: Option<PublicKey>) -> Result<Result<Whole, String>> {
    let whole = match verify(file, Verifier::new(head.map(|said| said.known), key))? {
        Ok(whole) => whole,
        Err(fault) => return Ok(Err(fault.to_string())),
    };
    if let Some(Err(wrong)) = head.map(|said| said.check(&whole)) {
        return Ok(Err(wrong.to_owned()));
    }
    Ok(Ok(whole))
}

/// Reads a file through a verifier; the outer error is of reading it.
pub fn verify(file: &Path, mut verifier: Verifier) -> Result<Result<Whole, Fault>> {
    let opened = std::fs::File::open(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let (mut reader, mut line) = (BufReader::new(opened), Vec::new());
    loop {
        line.clear();
        if reader.by_ref().take(LINE as u64).read_until(b'\n', &mut line)? == 0 {
            return Ok(verifier.end());
        }
        if let Err(fault) = verifier.line(&line) {
            return Ok(Err(fault));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_nothing_anchors_is_not_called_whole() {
        let public_key = keys::SigningKey::from_bytes(&[9; 32]).public();
        let hash = keys::digest(b"last");
        let whole = Whole { tenant_id: uuid::Uuid::from_u128(7), entries: 5, hash, public_key };
        let said = |head, has_key| {
            let told = Told { whole: &whole, head, has_key };
            (told.code(), told.to_string())
        };
        let (code, text) = said(None, false);
        assert_eq!(code, 4);
        assert!(
            text.starts_with("Unanchored: 5 entries of organization 00000000-0000-0000-0000-000000000007"),
            "{text}"
        );
        assert!(text.contains(&format!("last entry  5:{hash}")) && text.contains("--head") && text.contains("--key"));
        for (head, has_key) in [(Some(5), false), (Some(3), true), (Some(5), true)] {
            let (code, text) = said(head, has_key);
            assert_eq!((code, text.starts_with("Whole: 5 entries")), (0, true), "{text}");
            assert_eq!((text.contains("--head"), text.contains("--key")), (false, !has_key), "{text}");
        }
        // The key alone shows no truncation, and a head alone nothing of what is newer.
        for (head, has_key, says) in [(None, true, "that these are all"), (Some(3), false, "who wrote the newer ones")]
        {
            let (code, text) = said(head, has_key);
            assert!(code == 4 && text.starts_with("Unanchored: 5 entries") && text.contains(says), "{text}");
        }
    }
}
