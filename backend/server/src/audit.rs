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
    /// Whether a head was known from elsewhere.
    has_head: bool,
    /// Whether the signer was.
    has_key: bool,
}

impl Told<'_> {
    /// The exit status. A file that nothing from elsewhere anchors may be cut off where a batch ended, or be written and signed by
    /// anybody: whoever asks in a script must not take that for a yes.
    fn code(&self) -> u8 {
        if self.has_head || self.has_key { 0 } else { UNANCHORED }
    }
}

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Whole { tenant_id, entries, hash, public_key } = self.whole;
        let word = if self.code() == 0 { "Whole" } else { "Unanchored" };
        write!(f, "{word}: {entries} entries of organization {tenant_id}")?;
        match self.code() {
            0 => f.write_str(".")?,
            _ => f.write_str(" fit each other; nothing says that these are all of them, or who wrote them.")?,
        }
        write!(f, "\n  last entry  {entries}:{hash}\n  signed by   {public_key}")?;
        if !self.has_head {
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
                let told = Told { whole: &whole, has_head: head.is_some(), has_key: key.is_some() };
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
        let said = |has_head, has_key| {
            let told = Told { whole: &whole, has_head, has_key };
            (told.code(), told.to_string())
        };
        let (code, text) = said(false, false);
        assert_eq!(code, 4);
        assert!(
            text.starts_with("Unanchored: 5 entries of organization 00000000-0000-0000-0000-000000000007"),
            "{text}"
        );
        assert!(text.contains(&format!("last entry  5:{hash}")) && text.contains("--head") && text.contains("--key"));
        for (has_head, has_key) in [(true, false), (false, true), (true, true)] {
            let (code, text) = said(has_head, has_key);
            assert_eq!((code, text.starts_with("Whole: 5 entries")), (0, true), "{text}");
            assert_eq!((text.contains("--head"), text.contains("--key")), (!has_head, !has_key), "{text}");
        }
    }
}
