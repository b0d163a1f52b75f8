//! The records of runs, allocated beforehand, and what they and the journal hold at the agent's start.
//!
//! A record is also where its result is kept until acked: eight of them are the ring of 8 MiB.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use runner::record::{self, Order, Record, prepare};
use uuid::Uuid;
use wire::v1::{JobKey, JournalState, MAX_OUTPUT_BYTES};

use super::Notes;
use crate::journal::{Entry, Journal, Opened, starts};
use crate::state::StateDir;

/// How many runs have a record: one under way, the others keep results that are not acked.
const RECORDS: u16 = 8;

/// A job that a record holds at the agent's start.
#[derive(Debug)]
pub(super) enum Recovered {
    /// A result that is not acked.
    Finished { job: JobKey, fence: i64 },
    /// `INTENT`.
    Intended { job: JobKey, order: Order, notes: Notes },
    /// `STARTED`, or no journal that would say otherwise.
    Started { job: JobKey, order: Order, notes: Notes },
}

/// What there is at the agent's start.
pub(super) struct Found {
    pub pool: Pool,
    pub journal: Option<Journal>,
    pub state: JournalState,
    /// When runs were started in this boot.
    pub starts: Vec<Duration>,
    pub recovered: Vec<(u16, Recovered)>,
}

/// The records.
pub(super) struct Pool {
    /// Where they are.
    pub dir: PathBuf,
    /// What the file system cannot promise.
    pub notes: Vec<String>,
    free: Vec<bool>,
}

impl Pool {
    /// Makes what is missing of the records (never of the journal) and reads both.
    pub fn open(state: &StateDir, boot: Uuid) -> Result<Found, record::Error> {
        let dir = state.runs_path();
        DirBuilder::new().recursive(true).mode(0o700).create(&dir)?;
        for slot in 0..RECORDS {
            prepare(&dir, slot, MAX_OUTPUT_BYTES as u64)?;
        }
        let (journal, journal_state, entries) = match Journal::open(&state.journal_path())? {
            Opened::Whole(journal, entries) if entries.is_empty() => (Some(journal), JournalState::New, entries),
            Opened::Whole(journal, entries) => (Some(journal), JournalState::Sound, entries),
            Opened::Missing => (None, JournalState::Missing, Vec::new()),
            Opened::Damaged => (None, JournalState::Damaged, Vec::new()),
        };
        let reached = reached(&entries);
        let mut pool = Self { notes: copy_on_write(&dir).into_iter().collect(), dir, free: Vec::new() };
        let mut recovered = Vec::new();
        for slot in 0..RECORDS {
            let found = look(&pool.dir, slot, journal.is_some().then_some(&reached))?;
            pool.free.push(found.is_none());
            recovered.extend(found.map(|found| (slot, found)));
        }
        let starts = starts(&entries, boot).collect();
        Ok(Found { pool, journal, state: journal_state, starts, recovered })
    }

    /// A slot that no one needs.
    pub fn free(&self) -> Option<u16> {
        (0..).zip(&self.free).find(|(_, free)| **free).map(|(slot, _)| slot)
    }

    /// Writes `order` into a free slot and takes it.
    pub fn write_order(&mut self, order: &Order) -> Result<u16, record::Error> {
        let full = || record::Error::Io(io::Error::from(io::ErrorKind::StorageFull));
        let slot = self.free().ok_or_else(full)?;
        let locked = Record::open(&self.dir, slot)?.try_lock()?;
        locked.ok_or_else(|| record::Error::Io(io::ErrorKind::ResourceBusy.into()))?.write_order(order)?;
        self.set(slot, false);
        Ok(slot)
    }

    /// The slot's job was abandoned before it started.
    pub fn forget(&mut self, slot: u16) {
        self.set(slot, true);
    }

    /// The slot's result is acked.
    pub fn release(&mut self, slot: u16) -> Result<(), record::Error> {
        Record::open(&self.dir, slot)?.set_acked()?;
        self.set(slot, true);
        Ok(())
    }

    fn set(&mut self, slot: u16, free: bool) {
        if let Some(entry) = self.free.get_mut(usize::from(slot)) {
            *entry = free;
        }
    }

    /// Begins a new journal after re-attestation; the old file is kept beside it.
    pub fn renew_journal(&self, state: &StateDir) -> Result<Journal, record::Error> {
        let path = state.journal_path();
        match fs::rename(&path, path.with_extension("damaged")) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e.into()),
            _ => {}
        }
        Journal::create(&path)?;
        let Opened::Whole(mut journal, _) = Journal::open(&path)? else { return Err(record::Error::Damaged) };
        journal.append(&Entry::Reattested).map_err(|e| record::Error::Io(io::Error::other(e)))?;
        Ok(journal)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    Intent,
    Aborted,
    Started,
    Finished,
}

/// How far each fence got, as the journal says.
fn reached(entries: &[Entry]) -> BTreeMap<i64, Last> {
    let mut reached = BTreeMap::new();
    for entry in entries {
        let (fence, last) = match entry {
            Entry::Intent { fence, .. } => (fence, Last::Intent),
            Entry::Aborted { fence } => (fence, Last::Aborted),
            Entry::Started { fence, .. } => (fence, Last::Started),
            Entry::Finished { fence } => (fence, Last::Finished),
            Entry::Acked { .. } | Entry::Refused { .. } | Entry::Reattested => continue,
        };
        reached.insert(*fence, last);
    }
    reached
}

/// What `slot` holds. Without a journal, whatever stands in a record counts as started: its record then says
/// whether it was begun.
fn look(dir: &Path, slot: u16, reached: Option<&BTreeMap<i64, Last>>) -> Result<Option<Recovered>, record::Error> {
    let record = Record::open(dir, slot)?;
    let Some(order) = record.order()? else { return Ok(None) };
    if record.acked()? {
        return Ok(None);
    }
    let job: JobKey = serde_json::from_value(order.job.clone())?;
    if record.result()?.is_some() {
        return Ok(Some(Recovered::Finished { job, fence: order.fence }));
    }
    let notes: Notes = serde_json::from_value(order.notes.clone())?;
    Ok(match reached.map(|reached| reached.get(&order.fence)) {
        // The order was written, its `INTENT` was not; or the job was leased anew before it started.
        Some(None | Some(Last::Aborted)) => None,
        Some(Some(Last::Intent)) => Some(Recovered::Intended { job, order, notes }),
        Some(Some(Last::Started | Last::Finished)) | None => Some(Recovered::Started { job, order, notes }),
    })
}

/// A sentence if the file system writes elsewhere than in place.
fn copy_on_write(dir: &Path) -> Option<String> {
    let kind = rustix::fs::statfs(dir).ok()?.f_type as u64 & 0xffff_ffff;
    let name = match kind {
        0x9123_683e => "btrfs",
        0x2fc1_2fc1 => "zfs",
        0xca45_1a4e => "bcachefs",
        _ => return None,
    };
    Some(format!("the agent's state is on {name}, which writes copies: on a full disk a fix cannot be written down"))
}
