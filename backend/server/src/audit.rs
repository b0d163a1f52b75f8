//! `mendwright audit`: an organization's audit as a file, and whether a file is what was written.

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
use store::audit::{self, Export};
use store::auth::OperatorTx;

use crate::cli;
use crate::configure::Opened;
use crate::seed;

/// The file is not what was written; 2 is a wrong command line.
const ALTERED: u8 = 3;

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
                let Whole { tenant_id, entries, hash, public_key } = whole;
                println!("Whole: {entries} entries of organization {tenant_id}.");
                println!("  last entry  {entries}:{hash}");
                println!("  signed by   {public_key}");
                if head.is_none() {
                    println!(
                        "Whether newer entries were left out shows a newer head alone: --head, from the daily mail or another file."
                    );
                }
                if key.is_none() {
                    println!("Whether that is this server's key is yours to compare: --key.");
                }
                Ok(ExitCode::SUCCESS)
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
    audit::insert_tenant_wide(&mut tx, "audit.exported", "tenant", tenant_id, json!({ "entries": count - 1 })).await?;
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
