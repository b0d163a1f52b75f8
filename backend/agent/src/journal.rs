//! The journal: a preallocated ring of numbered slots, each with its CRC.
//!
//! A slot is `magic 4 ‖ crc 4 ‖ number 8 ‖ max fence 8 ‖ length 2 ‖ JSON`, filled up with zeros; the CRC is
//! over everything after it. Slot `n` (from 1) stands at `(n - 1) mod SLOTS`. A bad slot is a torn tail only
//! directly after the highest number; anywhere else it is damage. Each slot repeats the highest fence ever
//! taken, so the ring may forget everything else.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use wire::v1::{JobKey, RefusedReason};

/// How many slots the ring has.
pub const SLOTS: u64 = 2048;
const SLOT_BYTES: usize = 512;
const HEAD_BYTES: usize = 26;
const MAGIC: &[u8; 4] = b"MWJ1";

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// The job was checked and is meant to run.
    Intent {
        /// The job.
        job: JobKey,
        /// Its fence.
        fence: i64,
        /// SHA-256 of its envelope, hex.
        digest: String,
        /// The slot of its record.
        slot: u16,
    },
    /// The job will not run; a later lease of it may.
    Aborted {
        /// Its fence.
        fence: i64,
    },
    /// The permit is there; a runner is about to be spawned.
    Started {
        /// Its fence.
        fence: i64,
        /// The boot.
        boot: Uuid,
        /// When, in seconds since boot.
        at_secs: u64,
    },
    /// A result is kept.
    Finished {
        /// Its fence.
        fence: i64,
    },
    /// The server has the result.
    Acked {
        /// Its fence.
        fence: i64,
    },
    /// The job was declined.
    Refused {
        /// The job.
        job: JobKey,
        /// Its fence.
        fence: i64,
        /// Why.
        reason: RefusedReason,
    },
    /// A person trusts the host again after its journal was lost: this is a new one.
    Reattested,
}

/// Why an entry cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be used.
    #[error("the journal cannot be used")]
    Io(#[from] io::Error),
    /// The entry is longer than a slot: an error of ours.
    #[error("the entry does not fit a slot of the journal")]
    TooLong,
}

/// What was found.
#[derive(Debug)]
pub enum Opened {
    /// It is whole; its entries, oldest first.
    Whole(Journal, Vec<Entry>),
    /// There is no file.
    Missing,
    /// A bad slot that is no torn tail.
    Damaged,
}

/// The journal, open for appending.
#[derive(Debug)]
pub struct Journal {
    file: File,
    last: u64,
    max_fence: i64,
}

impl Journal {
    /// Makes an empty journal at `path`, filled with zeros; one that is there is kept.
    ///
    /// # Errors
    /// The disk has no room.
    pub fn create(path: &Path) -> io::Result<()> {
        if path.exists() {
            return Ok(());
        }
        let fresh = path.with_extension("new");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
        for _ in 0..SLOTS {
            file.write_all(&[0; SLOT_BYTES])?;
        }
        file.sync_all()?;
        fs::rename(&fresh, path)?;
        path.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())
    }

    /// Reads the journal at `path`.
    ///
    /// # Errors
    /// The file is there, but cannot be read.
    pub fn open(path: &Path) -> io::Result<Opened> {
        let file = match OpenOptions::new().read(true).write(true).open(path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Opened::Missing),
            Err(e) => return Err(e),
        };
        if file.metadata()?.len() != SLOTS * SLOT_BYTES as u64 {
            return Ok(Opened::Damaged);
        }
        let mut bytes = vec![0; SLOTS as usize * SLOT_BYTES];
        file.read_exact_at(&mut bytes, 0)?;
        let slots: Vec<Slot> = bytes.chunks_exact(SLOT_BYTES).map(read).collect();
        Ok(match replay(&slots) {
            Some((last, max_fence, entries)) => Opened::Whole(Journal { file, last, max_fence }, entries),
            None => Opened::Damaged,
        })
    }

    /// The highest fence ever taken; 0 for none.
    pub fn max_fence(&self) -> i64 {
        self.max_fence
    }

    /// Writes the next entry, and returns when it is on disk.
    ///
    /// # Errors
    /// It is not.
    pub fn append(&mut self, entry: &Entry) -> Result<(), Error> {
        let max_fence = match entry {
            Entry::Intent { fence, .. } => self.max_fence.max(*fence),
            _ => self.max_fence,
        };
        let number = self.last + 1;
        let slot = write(number, max_fence, entry)?;
        self.file.write_all_at(&slot, (number - 1) % SLOTS * SLOT_BYTES as u64)?;
        self.file.sync_data()?;
        self.last = number;
        self.max_fence = max_fence;
        Ok(())
    }
}

/// When, of this `boot`, runs were started, as the entries tell.
pub fn starts(entries: &[Entry], this_boot: Uuid) -> impl Iterator<Item = Duration> {
    entries.iter().filter_map(move |entry| match entry {
        Entry::Started { boot, at_secs, .. } if *boot == this_boot => Some(Duration::from_secs(*at_secs)),
        _ => None,
    })
}

enum Slot {
    Empty,
    Bad,
    Good { number: u64, max_fence: i64, entry: Entry },
}

/// Checks the ring as a whole: the last number, the highest fence, and the entries in order.
fn replay(slots: &[Slot]) -> Option<(u64, i64, Vec<Entry>)> {
    let last = slots.iter().filter_map(|s| if let Slot::Good { number, .. } = s { Some(*number) } else { None }).max();
    let last = last.unwrap_or(0);
    let tail = (last % SLOTS) as usize;
    let first = last.saturating_sub(SLOTS) + 1;
    let mut max_fence = 0;
    let mut entries = Vec::new();
    for number in first..=last {
        let at = ((number - 1) % SLOTS) as usize;
        match &slots[at] {
            Slot::Good { number: found, max_fence: fence, entry } if *found == number => {
                max_fence = *fence;
                entries.push(entry.clone());
            }
            // The oldest slot of a full ring is the one being overwritten when a write is torn.
            _ if at == tail => {}
            _ => return None,
        }
    }
    let unused = slots.iter().enumerate().skip(usize::try_from(last.min(SLOTS)).ok()?);
    for (at, slot) in unused {
        match slot {
            Slot::Empty => {}
            Slot::Bad if at == tail => {}
            _ => return None,
        }
    }
    Some((last, max_fence, entries))
}

fn read(bytes: &[u8]) -> Slot {
    if bytes.iter().all(|b| *b == 0) {
        return Slot::Empty;
    }
    good(bytes).unwrap_or(Slot::Bad)
}

fn good(bytes: &[u8]) -> Option<Slot> {
    let word = |at: usize| bytes.get(at..at + 8)?.try_into().ok();
    let crc = u32::from_le_bytes(bytes.get(4..8)?.try_into().ok()?);
    if bytes.get(..4)? != MAGIC || crc32fast::hash(bytes.get(8..)?) != crc {
        return None;
    }
    let length = usize::from(u16::from_le_bytes([bytes[24], bytes[25]]));
    let entry = serde_json::from_slice(bytes.get(HEAD_BYTES..HEAD_BYTES + length)?).ok()?;
    Some(Slot::Good { number: u64::from_le_bytes(word(8)?), max_fence: i64::from_le_bytes(word(16)?), entry })
}

fn write(number: u64, max_fence: i64, entry: &Entry) -> Result<[u8; SLOT_BYTES], Error> {
    let text = serde_json::to_vec(entry).map_err(|_| Error::TooLong)?;
    let mut bytes = [0; SLOT_BYTES];
    bytes[..4].copy_from_slice(MAGIC);
    bytes[8..16].copy_from_slice(&number.to_le_bytes());
    bytes[16..24].copy_from_slice(&max_fence.to_le_bytes());
    bytes[24..26].copy_from_slice(&u16::try_from(text.len()).map_err(|_| Error::TooLong)?.to_le_bytes());
    bytes.get_mut(HEAD_BYTES..HEAD_BYTES + text.len()).ok_or(Error::TooLong)?.copy_from_slice(&text);
    let crc = crc32fast::hash(&bytes[8..]);
    bytes[4..8].copy_from_slice(&crc.to_le_bytes());
    Ok(bytes)
}

#[cfg(test)]
#[path = "journal_tests.rs"]
mod tests;
