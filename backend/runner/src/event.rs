//! What happens to a run, and how it is written: 128 bytes each, with a CRC.

use std::time::Duration;

use crate::output::Sum;

/// The size of an event.
pub(crate) const EVENT_BYTES: u64 = 128;

/// What happened, and when on the boot-time clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// When, since boot.
    pub at: Duration,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// The run must not begin, for ever.
    Aborted(Abort),
    /// The step is about to be spawned.
    Begin {
        /// From 1.
        step: u16,
    },
    /// The step ended.
    End {
        /// From 1.
        step: u16,
        /// How.
        how: StepEnd,
        /// Whether another step follows.
        rest: Rest,
        /// The whole output up to here.
        output: Sum,
    },
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepEnd {
    /// With this exit code; 128 + n for signal n.
    Exited(i32),
    /// Killed at its limit.
    TimedOut,
}

/// Whether a step is followed by another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// The run goes on.
    More,
    /// The run is over.
    Over,
}

/// Why a run was aborted before it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Abort {
    /// The agent found it started but not begun.
    ByAgent,
    /// Too long after the permit was asked for.
    PermitTooOld,
    /// The machine was booted in between.
    OtherBoot,
    /// Actions are frozen.
    Frozen,
}

impl Abort {
    const ALL: [Abort; 4] = [Abort::ByAgent, Abort::PermitTooOld, Abort::OtherBoot, Abort::Frozen];
}

/// `crc 4 ‖ index 4 ‖ kind 1 ‖ a 1 ‖ step 2 ‖ code 4 ‖ at 8 ‖ bytes 8 ‖ digest 32 ‖ zeros`; the CRC is
/// over the fence and the rest.
pub(crate) fn encode(event: Event, index: usize, fence: i64) -> [u8; EVENT_BYTES as usize] {
    let (kind, a, step, code, sum): (u8, u8, u16, i32, Option<Sum>) = match event.what {
        What::Aborted(why) => (1, why as u8, 0, 0, None),
        What::Begin { step } => (2, 0, step, 0, None),
        What::End { step, how, rest, output } => {
            let over = u8::from(rest == Rest::Over);
            match how {
                StepEnd::Exited(code) => (3, over, step, code, Some(output)),
                StepEnd::TimedOut => (4, over, step, 0, Some(output)),
            }
        }
    };
    let mut bytes = [0; EVENT_BYTES as usize];
    bytes[4..8].copy_from_slice(&u32::try_from(index + 1).unwrap_or(0).to_le_bytes());
    bytes[8] = kind;
    bytes[9] = a;
    bytes[10..12].copy_from_slice(&step.to_le_bytes());
    bytes[12..16].copy_from_slice(&code.to_le_bytes());
    bytes[16..24].copy_from_slice(&u64::try_from(event.at.as_nanos()).unwrap_or(u64::MAX).to_le_bytes());
    if let Some(sum) = sum {
        bytes[24..32].copy_from_slice(&sum.bytes.to_le_bytes());
        bytes[32..64].copy_from_slice(&sum.digest);
    }
    let crc = event_crc(&bytes, fence);
    bytes[..4].copy_from_slice(&crc.to_le_bytes());
    bytes
}

pub(crate) fn decode(bytes: &[u8], index: usize, fence: i64) -> Option<Event> {
    let u32_at = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let u64_at = |at: usize| Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
    if u32_at(4)? as usize != index + 1 || u32_at(0)? != event_crc(bytes, fence) {
        return None;
    }
    let step = u16::from_le_bytes([bytes[10], bytes[11]]);
    let rest = if bytes[9] == 1 { Rest::Over } else { Rest::More };
    let output = Sum { bytes: u64_at(24)?, digest: bytes.get(32..64)?.try_into().ok()? };
    let what = match bytes[8] {
        1 => What::Aborted(*Abort::ALL.get(usize::from(bytes[9]))?),
        2 => What::Begin { step },
        3 => What::End { step, how: StepEnd::Exited(u32_at(12)? as i32), rest, output },
        4 => What::End { step, how: StepEnd::TimedOut, rest, output },
        _ => return None,
    };
    Some(Event { at: Duration::from_nanos(u64_at(16)?), what })
}

fn event_crc(bytes: &[u8], fence: i64) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&fence.to_le_bytes());
    hasher.update(&bytes[4..]);
    hasher.finalize()
}
