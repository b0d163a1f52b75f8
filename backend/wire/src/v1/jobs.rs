//! Jobs: offered, permitted, refused, ended.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Reading, Value};

/// Acknowledges one result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultAck {
    /// The job.
    pub job: JobKey,
    /// Its fence.
    pub fence: i64,
}

/// Names a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct JobKey {
    /// The run.
    pub run_id: Uuid,
    /// What for.
    pub purpose: Purpose,
    /// Which leg of the run, from 1.
    pub leg: i16,
    /// Which attempt, from 1.
    pub attempt: i16,
}

/// What a job is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// The steps of a playbook.
    Fix,
    /// Its declared undo.
    Undo,
    /// Read-only diagnostics.
    Diagnostics,
}

/// Asks for the permit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// The job.
    pub job: JobKey,
    /// Its fence.
    pub fence: i64,
    /// SHA-256 of the envelope, hex.
    pub digest: String,
}

/// Declines a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Refused {
    /// The job.
    pub job: JobKey,
    /// Its fence.
    pub fence: i64,
    /// Why.
    pub reason: RefusedReason,
    /// The reason in a sentence, for the page.
    pub detail: String,
    /// The reading that made it refuse, when it looked again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reading: Option<Reading>,
}

/// Why a job was declined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusedReason {
    /// The triggering check is ok again.
    Recovered,
    /// The triggering check could not tell.
    NoData,
    /// A signature is missing, wrong or by a key that is not pinned.
    Signature,
    /// The envelope names another tenant, host or instance.
    Foreign,
    /// The time to live is over, or the fence is not above the highest taken.
    Stale,
    /// The host's own limits forbid it.
    HostLimits,
    /// A precondition of the playbook does not hold.
    Precondition,
    /// A parameter does not fit its type.
    Parameter,
    /// The agent cannot take a job now (journal full or damaged, another job under way).
    Unable,
}

/// The most bytes of output that one [`Progress`] carries.
pub const MAX_PROGRESS_BYTES: usize = 16 * 1024;

/// Output while a job runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The job.
    pub job: JobKey,
    /// Its fence.
    pub fence: i64,
    /// Where these bytes begin.
    pub offset: u64,
    /// The bytes, base64.
    pub bytes: String,
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobResult {
    /// The signed body: the canonical JSON of a [`ResultBody`], exactly as signed.
    pub body: String,
    /// Host key over `"mendwright result v1\n" + body`, 64 bytes, hex.
    pub signature: String,
    /// The output's first [`MAX_OUTPUT_BYTES`](super::MAX_OUTPUT_BYTES), base64; its digest is in the body.
    pub output: String,
}

/// What the host says of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResultBody {
    /// The host that says it.
    pub host_id: Uuid,
    /// The job.
    pub job: JobKey,
    /// Its fence.
    pub fence: i64,
    /// The envelope it was performed under, SHA-256, hex.
    pub envelope_digest: String,
    /// How it ended.
    pub ended: Ended,
    /// Each step that began, in order.
    pub steps: Vec<StepResult>,
    /// SHA-256 of the whole output, hex.
    pub output_digest: String,
    /// Length of the whole output in bytes.
    pub output_bytes: u64,
    /// Milliseconds from `BEGIN` to the end; 0 when nothing began.
    pub took_ms: u64,
}

/// How a job ended on the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "how")]
pub enum Ended {
    /// All steps that should run ran; the last step's exit status counts.
    Exited {
        /// The last step's exit code; 128 + n for signal n.
        code: i32,
    },
    /// A step ran over its time limit and its group was killed.
    TimedOut,
    /// Nothing was executed.
    NotRun {
        /// Why, a sentence.
        why: String,
    },
    /// A step began and no one knows how it ended.
    InDoubt {
        /// The step that was open, from 1.
        step: u16,
        /// Whether the agent has made sure that no runner lives.
        runner_gone: bool,
    },
}

/// One step that began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepResult {
    /// From 1.
    pub step: u16,
    /// Exit code, 128 + n for signal n; none when in doubt.
    pub code: Option<i32>,
    /// Milliseconds from job begin to this step's begin.
    pub began_ms: u64,
    /// Milliseconds it took.
    pub took_ms: u64,
}

/// A leased job. Both texts are canonical JSON and are verified byte for byte before they are parsed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Canonical JSON of an [`Envelope`].
    pub envelope: String,
    /// Dispatch key over `"mendwright envelope v1\n" + envelope`, 64 bytes, hex.
    pub envelope_signature: String,
    /// Canonical JSON of a [`Playbook`](super::Playbook); its SHA-256 is the version's digest.
    pub playbook: String,
    /// A playbook key over `"mendwright playbook v1\n" + playbook`, 64 bytes, hex.
    pub playbook_signature: String,
}

/// Selects one signed playbook version and binds its parameters, for one lease of one job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Envelope {
    /// The tenant.
    pub tenant_id: Uuid,
    /// The host.
    pub host_id: Uuid,
    /// The agent's instance the lease is for.
    pub instance_id: Uuid,
    /// The job.
    pub job: JobKey,
    /// Grows with each lease of the host.
    pub fence: i64,
    /// SHA-256 of the playbook version, hex.
    pub playbook_digest: String,
    /// The leg's first and last step, from 1.
    pub steps: (u16, u16),
    /// Values for the playbook's declared parameters.
    pub parameters: BTreeMap<String, Value>,
    /// The check to look at again before acting.
    pub check_id: Uuid,
    /// Its target.
    pub target: String,
    /// That check is the server's own: the server has looked again just now, and the agent cannot.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub server_looked: bool,
    /// Seconds this envelope lives, on the boot-time clock from its receipt.
    pub ttl_secs: u64,
    /// Seconds the whole leg may take.
    pub limit_secs: u64,
}
