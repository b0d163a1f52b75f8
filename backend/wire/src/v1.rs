//! Version 1 of the protocol.

mod checks;
mod diagnose;
mod inventory;
mod jobs;
mod opening;
mod playbook;
mod report;

use serde::{Deserialize, Serialize};

pub use checks::*;
pub use diagnose::*;
pub use inventory::*;
pub use jobs::*;
pub use opening::*;
pub use playbook::*;
pub use report::*;

/// The number both sides state: the agent in [`Enroll`] and [`Prove`].
pub const PROTOCOL: u16 = 1;

/// Where an agent enrols: `GET /agent/v1/enroll`, upgraded to a WebSocket.
pub const ENROLL_PATH: &str = "/agent/v1/enroll";

/// Where an agent links: `GET /agent/v1/link/<key id>`, the key id being the hex SHA-256 of its host key.
pub const LINK_PATH: &str = "/agent/v1/link";

/// The largest message either side accepts, in bytes. A result carries up to 1 MiB of output, base64 coded.
pub const MAX_MESSAGE_BYTES: usize = 2 * 1024 * 1024;

/// The most output of a job that is stored, in bytes; digest and length of the whole are always kept.
pub const MAX_OUTPUT_BYTES: usize = 1024 * 1024;

/// Numbers both sides agree on (seconds).
pub mod constants {
    /// An agent reports its readings this often.
    pub const REPORT_SECS: u64 = 10;
    /// A host whose link is closed, or whose node is unseen, for this long is silent.
    pub const OFFLINE_SECS: u64 = 45;
    /// A lease on a job that has no permit yet.
    pub const LEASE_SECS: u64 = 30;
    /// A permit is used within this much boot-time clock of being asked for.
    pub const PERMIT_USE_SECS: u64 = 15;
    /// A permit that took longer than this to arrive is asked for again.
    pub const PERMIT_ANSWER_SECS: u64 = 10;
    /// A host says how it looks at most so often in an hour.
    pub const DIAGNOSTICS_PER_HOUR: u32 = 10;
    /// The longest time limit of a check.
    pub const CHECK_LIMIT_SECS: u64 = 10;
}

/// WebSocket close codes. The close reason is a sentence for the person who reads the agent's log.
pub mod close {
    /// The enrolment token is unknown, used up, expired or revoked.
    pub const TOKEN: u16 = 4401;
    /// The host key is unknown or revoked, or the proof does not verify.
    pub const HOST_KEY: u16 = 4403;
    /// The peer speaks another version of the protocol.
    pub const PROTOCOL: u16 = 4406;
    /// A newer link of the same host took over.
    pub const REPLACED: u16 = 4409;
    /// A message could not be read, or came out of order.
    pub const MALFORMED: u16 = 4422;
    /// The server cannot serve now; come back after a while.
    pub const UNAVAILABLE: u16 = 4503;
}

/// What an agent sends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Up {
    /// Answers [`Challenge`] on the enrolment path.
    Enroll(Enroll),
    /// Answers [`Challenge`] on the link path, before `Hello`.
    Prove(Prove),
    /// The first message of a proven link: everything as levels.
    Hello(Box<Hello>),
    /// Metrics; not acked, may be dropped, oldest first.
    Report(Report),
    /// A reading that may change a verdict; kept by the agent until acked.
    Observed(Observed),
    /// Inventory.
    Found(Box<Found>),
    /// Asks for the host's open job.
    Lease {},
    /// Asks for the permit of a leased job.
    Start(Start),
    /// Declines a job; nothing was executed.
    Refused(Refused),
    /// Output while a job runs; may be dropped, the result carries the whole.
    Progress(Progress),
    /// How a job ended; sent until acked.
    Result(JobResult),
    /// Answers [`Down::Diagnose`].
    Diagnosed(Diagnosed),
    /// Answers [`Down::DispatchKeys`]: which key the host holds now, kept on its disk.
    Pinned {
        /// Its version: the newest of the chain, or the one before if the chain was refused.
        dispatch_version: u32,
    },
    /// The agent ends on purpose.
    Goodbye {
        /// Why, as a word: `shutdown`, `reboot`, `update`.
        reason: String,
    },
}

/// What a server sends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Down {
    /// The first message on both paths.
    Challenge(Challenge),
    /// The host exists; the agent stores this and links anew.
    Enrolled(Enrolled),
    /// The link stands.
    Welcome(Welcome),
    /// The dispatch key was succeeded; answered with [`Up::Pinned`]. Sent only to an agent whose [`Hello`] says a version,
    /// and until it answers it is handed no job.
    DispatchKeys {
        /// One certificate a succession, from the key that the host holds to the newest.
        chain: Vec<DispatchCertificate>,
    },
    /// All checks of the host; replaces what was sent before.
    Config(Config),
    /// Run this check now and answer with the request id.
    CheckNow(CheckNow),
    /// Say how the host looks; answered with the request id.
    Diagnose(Diagnose),
    /// Consecutive steps to perform; nothing starts without a [`Down::Permit`].
    Job(Job),
    /// The job may begin.
    Permit {
        /// The job.
        job: JobKey,
        /// The fence the permit is for.
        fence: i64,
    },
    /// The job must not begin; a job that has no `BEGIN` is to be aborted.
    Withdraw {
        /// The job.
        job: JobKey,
        /// The fence that is withdrawn.
        fence: i64,
        /// Why, for the agent's log.
        reason: String,
    },
    /// Nothing may begin, and a running job begins no further step, until the freeze is lifted.
    Freeze {
        /// Whether it holds now.
        frozen: bool,
    },
    /// These need not be kept any longer.
    Ack {
        /// All `Observed` up to and including this `seq` of this instance.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        observed_seq: Option<u64>,
        /// The result of this job and fence is stored (or was refused for ever).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        result: Option<ResultAck>,
    },
    /// Close, wait, come back.
    Retry {
        /// How long to wait, in seconds; add up to the same again at random.
        after_secs: u64,
    },
}
