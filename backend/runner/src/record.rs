//! The record of a run: a preallocated file that agent and runner share, and the lock that says who writes.
//!
//! Nothing is created, extended or renamed once a job is accepted: on a full disk a write into allocated
//! blocks still succeeds. Parts, each on pages of its own:
//!
//! | offset | what | written by |
//! |---|---|---|
//! | 0 | the [`Order`] | agent, before `INTENT` |
//! | 24 KiB | when the permit was asked for; the freeze flag at +2 KiB | agent |
//! | 27 KiB | how much of the output is kept so far | runner |
//! | 28 KiB | [`Event`]s, 128 bytes each | whoever holds the lock |
//! | 44 KiB | the result as it is sent; its ack in the last page | agent |
//!
//! Texts are `magic ‖ length ‖ CRC-32 ‖ bytes`. An event's CRC covers the fence, so that none of an earlier
//! run is taken for one of this.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::ops::Deref;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, OFlags, flock};
use serde::{Deserialize, Serialize};

pub use crate::event::{Abort, Event, Rest, StepEnd, What};
use crate::event::{EVENT_BYTES, decode, encode};

/// The size of a record file.
pub const RECORD_BYTES: u64 = 64 * 1024;

const ORDER: (u64, u64) = (0, 24 * 1024);
const PERMIT: (u64, u64) = (24 * 1024, 26 * 1024);
const FROZEN: u64 = 26 * 1024;
const KEPT: u64 = 27 * 1024;
const EVENTS: (u64, u64) = (28 * 1024, 44 * 1024);
const RESULT: (u64, u64) = (44 * 1024, 60 * 1024);
const ACKED: (u64, u64) = (60 * 1024, 64 * 1024);
const HEAD_BYTES: usize = 12;
const MAGIC: &[u8; 4] = b"MWR1";

/// The most steps a job may have: a `BEGIN` and an `END` each, and room to spare.
pub const MAX_STEPS: usize = 48;

/// What a record cannot do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read or written.
    #[error("the run's record cannot be used")]
    Io(#[from] io::Error),
    /// The text does not fit its part of the record.
    #[error("the text is too long for the run's record")]
    TooLong,
    /// A bad event has a good one after it: no torn tail, but damage.
    #[error("the run's record is damaged")]
    Damaged,
    /// A text is whole but is not what it should be.
    #[error("the run's record cannot be understood")]
    Content(#[from] serde_json::Error),
}

/// What the runner is to do. Everything is resolved: the runner has nothing to choose.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// The job, as its owner names it.
    pub job: serde_json::Value,
    /// Its fence: the runner is told the same on its command line, and does nothing for another.
    pub fence: i64,
    /// What the owner needs to know of the job again after a restart.
    pub notes: serde_json::Value,
    /// The boot in which it may be performed.
    pub boot_id: String,
    /// The steps, in order; at most [`MAX_STEPS`].
    pub steps: Vec<OrderedStep>,
    /// Seconds the whole may take.
    pub limit_secs: u64,
    /// The steps' whole environment.
    pub env: Vec<(String, String)>,
    /// What its scripts find beside it in theirs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub script_env: Vec<(String, String)>,
    /// What the steps that are confined are held to.
    #[serde(default)]
    pub confinement: crate::confine::Confinement,
}

/// One step of an [`Order`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderedStep {
    /// Its number in the playbook, from 1.
    pub step: u16,
    /// The program and its arguments; of a script, the interpreter and its own.
    pub argv: Vec<String>,
    /// The script's text, which its interpreter reads from memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<String>,
    /// Seconds it may take.
    pub limit_secs: u64,
    /// Whether it is held to the order's confinement. A service that it starts would live in it, so a
    /// command that starts one is not confined.
    #[serde(default)]
    pub confined: bool,
}

/// A run's record. Reading needs no lock; writing events does ([`Locked`]).
#[derive(Debug)]
pub struct Record {
    file: File,
}

/// A record whose lock is held, until it is dropped.
#[derive(Debug)]
pub struct Locked(Record);

/// Where slot `slot`'s record is, below `dir`.
pub fn record_path(dir: &Path, slot: u16) -> PathBuf {
    dir.join(format!("record.{slot}"))
}

/// Where slot `slot`'s output is, below `dir`.
pub fn output_path(dir: &Path, slot: u16) -> PathBuf {
    dir.join(format!("output.{slot}"))
}

/// Makes slot `slot`'s files, filled with zeros (not only allocated), unless they are there in full.
///
/// # Errors
/// The disk has no room for them.
pub fn prepare(dir: &Path, slot: u16, output_bytes: u64) -> io::Result<()> {
    for (path, bytes) in [(record_path(dir, slot), RECORD_BYTES), (output_path(dir, slot), output_bytes)] {
        if fs::metadata(&path).is_ok_and(|m| m.len() == bytes) {
            continue;
        }
        let fresh = path.with_extension(format!("{slot}.new"));
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
        zeros(&mut file, bytes)?;
        file.sync_all()?;
        fs::rename(&fresh, &path)?;
    }
    File::open(dir)?.sync_all()
}

fn zeros(file: &mut File, bytes: u64) -> io::Result<()> {
    let block = [0; 8192];
    let mut left = bytes;
    while left > 0 {
        let n = left.min(block.len() as u64);
        file.write_all(&block[..usize::try_from(n).unwrap_or(block.len())])?;
        left -= n;
    }
    Ok(())
}

impl Record {
    /// Opens slot `slot` below `dir`; close-on-exec, never through a symbolic link.
    ///
    /// # Errors
    /// It is not there.
    pub fn open(dir: &Path, slot: u16) -> Result<Self, Error> {
        let nofollow = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or(0);
        let file = OpenOptions::new().read(true).write(true).custom_flags(nofollow).open(record_path(dir, slot))?;
        Ok(Self { file })
    }

    /// Waits for the lock. For the runner: whoever else holds it does so for a moment only.
    ///
    /// # Errors
    /// The file system has no locks.
    pub fn lock(self) -> Result<Locked, Error> {
        loop {
            match flock(&self.file, FlockOperation::LockExclusive) {
                Ok(()) => return Ok(Locked(self)),
                Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(io::Error::from(e).into()),
            }
        }
    }

    /// Takes the lock if no one holds it; none means that a runner lives.
    ///
    /// # Errors
    /// The file system has no locks.
    pub fn try_lock(self) -> Result<Option<Locked>, Error> {
        match flock(&self.file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Locked(self))),
            Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => Ok(None),
            Err(e) => Err(io::Error::from(e).into()),
        }
    }

    /// The order; none if the slot is empty or its writing was cut short.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn order(&self) -> Result<Option<Order>, Error> {
        self.text(ORDER)?.map(|text| serde_json::from_slice(&text)).transpose().map_err(Into::into)
    }

    /// When the permit was asked for, since boot.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn permit_asked(&self) -> Result<Option<Duration>, Error> {
        let Some(text) = self.text(PERMIT)? else { return Ok(None) };
        Ok(<[u8; 8]>::try_from(text.as_slice()).ok().map(|b| Duration::from_nanos(u64::from_le_bytes(b))))
    }

    /// Notes when the permit was asked for; synced.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn set_permit_asked(&self, at: Duration) -> Result<(), Error> {
        let nanos = u64::try_from(at.as_nanos()).unwrap_or(u64::MAX);
        self.set_text(PERMIT, &nanos.to_le_bytes())
    }

    /// Whether no further step may begin.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn frozen(&self) -> Result<bool, Error> {
        let mut byte = [0];
        self.file.read_exact_at(&mut byte, FROZEN)?;
        Ok(byte[0] != 0)
    }

    /// Freezes or frees the run. Not synced: it is for a living runner.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn set_frozen(&self, frozen: bool) -> Result<(), Error> {
        Ok(self.file.write_all_at(&[u8::from(frozen)], FROZEN)?)
    }

    /// Says how many bytes of output are kept so far. It is not put on disk: only whoever looks meanwhile wants to know.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn set_kept(&self, fence: i64, bytes: u64) -> Result<(), Error> {
        let mut both = [0; 16];
        both[..8].copy_from_slice(&fence.to_le_bytes());
        both[8..].copy_from_slice(&bytes.to_le_bytes());
        Ok(self.file.write_all_at(&both, KEPT)?)
    }

    /// How many bytes of output of the run with this fence are kept so far.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn kept(&self, fence: i64) -> Result<u64, Error> {
        let mut both = [0; 16];
        self.file.read_exact_at(&mut both, KEPT)?;
        let number =
            |at: usize| both.get(at..at + 8).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes);
        Ok(if number(0) == fence.cast_unsigned() { number(8) } else { 0 })
    }

    /// All events of the run with this fence, in order. A torn last one is left out.
    ///
    /// # Errors
    /// A bad event is not the last one, or the file cannot be read.
    pub fn events(&self, fence: i64) -> Result<Vec<Event>, Error> {
        let mut area = vec![0; usize::try_from(EVENTS.1 - EVENTS.0).unwrap_or(0)];
        self.file.read_exact_at(&mut area, EVENTS.0)?;
        let mut events = Vec::new();
        let mut gap = false;
        for (index, bytes) in area.chunks_exact(EVENT_BYTES as usize).enumerate() {
            match decode(bytes, index, fence) {
                Some(_) if gap => return Err(Error::Damaged),
                Some(event) => events.push(event),
                None => gap = true,
            }
        }
        Ok(events)
    }

    /// The result as it is sent, once there is one.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn result(&self) -> Result<Option<String>, Error> {
        Ok(self.text(RESULT)?.and_then(|bytes| String::from_utf8(bytes).ok()))
    }

    /// Keeps the result; synced.
    ///
    /// # Errors
    /// It is too long, or the file cannot be written.
    pub fn set_result(&self, text: &str) -> Result<(), Error> {
        self.set_text(RESULT, text.as_bytes())
    }

    /// Whether the result is acked, so that the slot is free.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn acked(&self) -> Result<bool, Error> {
        Ok(self.text(ACKED)?.is_some())
    }

    /// Notes that the result is acked; synced.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn set_acked(&self) -> Result<(), Error> {
        self.set_text(ACKED, b"acked")
    }

    fn text(&self, (from, to): (u64, u64)) -> Result<Option<Vec<u8>>, Error> {
        let mut area = vec![0; usize::try_from(to - from).unwrap_or(0)];
        self.file.read_exact_at(&mut area, from)?;
        let (head, rest) = area.split_at(HEAD_BYTES);
        let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        let sum = u32::from_le_bytes([head[8], head[9], head[10], head[11]]);
        let Some(text) = rest.get(..length) else { return Ok(None) };
        Ok((head[..4] == *MAGIC && crc32fast::hash(text) == sum).then(|| text.to_vec()))
    }

    fn set_text(&self, (from, to): (u64, u64), text: &[u8]) -> Result<(), Error> {
        let mut bytes = Vec::with_capacity(HEAD_BYTES + text.len());
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&u32::try_from(text.len()).map_err(|_| Error::TooLong)?.to_le_bytes());
        bytes.extend_from_slice(&crc32fast::hash(text).to_le_bytes());
        bytes.extend_from_slice(text);
        if bytes.len() as u64 > to - from {
            return Err(Error::TooLong);
        }
        self.file.write_all_at(&bytes, from)?;
        Ok(self.file.sync_data()?)
    }
}

impl Deref for Locked {
    type Target = Record;

    fn deref(&self) -> &Record {
        &self.0
    }
}

impl Locked {
    /// Empties the slot and writes `order`; synced.
    ///
    /// # Errors
    /// The order is too long, or the file cannot be written.
    pub fn write_order(&self, order: &Order) -> Result<(), Error> {
        if order.steps.len() > MAX_STEPS {
            return Err(Error::TooLong);
        }
        let text = serde_json::to_vec(order)?;
        let zeros = vec![0; usize::try_from(RECORD_BYTES).unwrap_or(0)];
        self.file.write_all_at(&zeros, 0)?;
        self.file.sync_data()?;
        self.set_text(ORDER, &text)
    }

    /// Writes the next event; synced.
    ///
    /// # Errors
    /// The record is full, damaged, or cannot be written.
    pub fn append(&self, fence: i64, event: Event) -> Result<(), Error> {
        let index = self.events(fence)?.len();
        let offset = EVENTS.0 + index as u64 * EVENT_BYTES;
        if offset + EVENT_BYTES > EVENTS.1 {
            return Err(Error::TooLong);
        }
        self.file.write_all_at(&encode(event, index, fence), offset)?;
        Ok(self.file.sync_data()?)
    }
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
