//! Version 1 of the protocol.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

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
    Found(Found),
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
    /// All checks of the host; replaces what was sent before.
    Config(Config),
    /// Run this check now and answer with the request id.
    CheckNow(CheckNow),
    /// Say how the host looks; answered with the request id.
    Diagnose(Diagnose),
    /// Consecutive steps to perform; nothing starts without a [`Permit`].
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

/// Acknowledges one result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultAck {
    /// The job.
    pub job: JobKey,
    /// Its fence.
    pub fence: i64,
}

/// What the agent signs, and who asks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Challenge {
    /// 32 random bytes, hex.
    pub nonce: String,
    /// The server's configured name; part of what is signed.
    pub server_name: String,
    /// The epoch this link will have (`host_links.epoch + 1`); 0 on the enrolment path.
    pub epoch: i64,
}

/// What the host allows by itself, chosen at install.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// Nothing but read-only diagnostics.
    ReadOnly,
    /// Signed playbooks of risk L.
    LowRisk,
    /// Every signed playbook.
    AllSigned,
}

/// Asks to become a host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Enroll {
    /// [`PROTOCOL`].
    pub protocol: u16,
    /// The agent's version.
    pub agent_version: String,
    /// The enrolment token as the person pasted it.
    pub token: String,
    /// The host key's public half, 32 bytes, hex.
    pub public_key: String,
    /// What the host calls itself.
    pub hostname: String,
    /// The profile the person chose.
    pub profile: Profile,
    /// Host key over [`Enroll::signed_text`] of the challenge, 64 bytes, hex.
    pub signature: String,
}

impl Enroll {
    /// The text that `signature` covers; fields are separated by newlines and hold none themselves.
    pub fn signed_text(challenge: &Challenge, public_key: &str) -> String {
        format!("mendwright enroll v1\n{}\n{}\n{}", challenge.nonce, challenge.server_name, public_key)
    }
}

/// The host exists.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Enrolled {
    /// The tenant.
    pub tenant_id: Uuid,
    /// The client the host belongs to.
    pub client_id: Uuid,
    /// The host.
    pub host_id: Uuid,
    /// Public keys that may sign playbook versions, 32 bytes each, hex. Pinned.
    pub playbook_keys: Vec<String>,
    /// Public key that signs envelopes, 32 bytes, hex. Pinned; a new one is accepted only signed by this one.
    pub dispatch_key: String,
}

/// Proves the host key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prove {
    /// [`PROTOCOL`].
    pub protocol: u16,
    /// The host.
    pub host_id: Uuid,
    /// Random, made at the agent's start; `seq` counts within it.
    pub instance_id: Uuid,
    /// Host key over [`Prove::signed_text`], 64 bytes, hex.
    pub signature: String,
}

impl Prove {
    /// The text that `signature` covers: nonce ‖ server name ‖ tenant ‖ host ‖ instance ‖ epoch.
    pub fn signed_text(challenge: &Challenge, tenant: Uuid, host: Uuid, instance: Uuid) -> String {
        format!(
            "mendwright link v1\n{}\n{}\n{tenant}\n{host}\n{instance}\n{}",
            challenge.nonce, challenge.server_name, challenge.epoch
        )
    }
}

/// The agent's whole state, as levels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    /// The agent's version.
    pub agent_version: String,
    /// `/proc/sys/kernel/random/boot_id`.
    pub boot_id: Uuid,
    /// Seconds since boot, on the boot-time clock.
    pub uptime_secs: u64,
    /// Highest fence the agent has ever taken; 0 for none. Lower than the server's `seen_fence` = quarantine.
    pub max_fence: i64,
    /// What the journal holds.
    pub journal: JournalState,
    /// Jobs the journal knows that are not acked.
    pub jobs: Vec<JournaledJob>,
    /// The present state of every check the agent knows.
    pub checks: Vec<Reading>,
    /// The host's own limits, for the console.
    pub limits: HostLimits,
    /// Things a person should know, as sentences (a file system that cannot promise preallocation, say).
    #[serde(default)]
    pub notes: Vec<String>,
}

/// The state of the agent's journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JournalState {
    /// Made by this start of a newly enrolled agent.
    New,
    /// Read whole.
    Sound,
    /// The file is gone although the host was enrolled.
    Missing,
    /// A bad slot that is not a torn tail.
    Damaged,
}

/// One job in the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournaledJob {
    /// The job.
    pub job: JobKey,
    /// Its fence.
    pub fence: i64,
    /// How far it got.
    pub reached: Reached,
}

/// How far a job got on the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reached {
    /// `INTENT` is written, the permit is still to be asked for.
    Intent,
    /// `STARTED` is written, the runner has not begun.
    Started,
    /// A runner lives.
    Running,
    /// A result is kept and will be sent.
    Finished,
}

/// The host's own limits file, as the console shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HostLimits {
    /// The profile it was written from.
    pub profile: Profile,
    /// Playbook names the host allows beyond or instead of its profile; empty: as the profile says.
    #[serde(default)]
    pub allowed_playbooks: Vec<String>,
    /// Most runs an hour.
    pub max_runs_per_hour: u32,
    /// When fixes may begin, as written, by the host's clock; empty: always.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hours: Vec<String>,
    /// A fix that may take longer is not begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_run_secs: Option<u64>,
    /// The most data that a process of a fix may hold, in MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_memory_mib: Option<u64>,
    /// Services declared on the host.
    #[serde(default)]
    pub services: Vec<String>,
    /// Those of them that are units of systemd.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub units: Vec<String>,
    /// Where the file is, for "change it with".
    pub path: String,
}

/// One result of one check on one target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// The check.
    pub check_id: Uuid,
    /// What it looked at.
    pub target: String,
    /// Milliseconds between the look and this message, on the agent's monotonic clock.
    pub age_ms: u64,
    /// What was seen.
    pub seen: Seen,
}

/// What a check saw.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seen {
    /// Named readings (`state` = `running`).
    Data(BTreeMap<String, Value>),
    /// Nothing that could be judged, and why. Never good, never a trigger.
    NoData {
        /// A sentence.
        why: String,
    },
}

/// A reading's value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// A number.
    Number(f64),
    /// A word.
    Text(String),
}

/// Metrics of one instant, and what happened since the one before. What could not be read is absent, never 0.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Report {
    /// Milliseconds between the look and this message, on the agent's boot-time clock.
    pub age_ms: u64,
    /// Milliseconds since the look before, which rates and shares are about.
    pub over_ms: u64,
    /// The processor, all cores together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<CpuUse>,
    /// The kernel's load averages over 1, 5 and 15 minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<[f64; 3]>,
    /// Memory and swap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<MemoryUse>,
    /// File systems on devices, each once; at most [`MAX_REPORTED`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mounts: Vec<MountUse>,
    /// Network interfaces, the loopback too; at most [`MAX_REPORTED`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub interfaces: Vec<InterfaceUse>,
    /// Services declared on the host, and units that a check looks at; at most [`MAX_REPORTED`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<ServiceState>,
}

/// The most mounts, interfaces and services of a report.
pub const MAX_REPORTED: usize = 64;

/// Shares of the time of all cores, in percent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CpuUse {
    /// How many cores.
    pub cores: u32,
    /// Doing something: everything but idling, waiting for disks and time stolen by the hypervisor.
    pub busy: f64,
    /// Of `busy`: processes that were niced.
    pub nice: f64,
    /// Waiting for disks.
    pub iowait: f64,
    /// Stolen by the hypervisor.
    pub steal: f64,
}

/// Memory in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryUse {
    /// Installed.
    pub total: u64,
    /// What new work could have without swapping, as the kernel estimates it.
    pub available: u64,
    /// What programs hold and cannot be dropped: anonymous and shared pages.
    pub held: u64,
    /// Swap there is.
    pub swap_total: u64,
    /// Swap not in use.
    pub swap_free: u64,
}

/// One file system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MountUse {
    /// Where it is mounted.
    pub path: String,
    /// Its size in bytes.
    pub total: u64,
    /// Bytes in use.
    pub used: u64,
    /// Bytes available to users: blocks reserved for root are not.
    pub available: u64,
    /// Inodes there are; 0 where the file system does not count them.
    pub inodes: u64,
    /// Inodes that are free.
    pub inodes_free: u64,
}

/// One network interface, in bytes a second.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InterfaceUse {
    /// Its name.
    pub name: String,
    /// Received.
    pub rx: f64,
    /// Sent.
    pub tx: f64,
}

/// How a service stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceState {
    /// Its declared name, or its unit's.
    pub name: String,
    /// `running`, `failed`, `stopped` … as its check reads it; `unknown` when nothing was or could be read.
    pub state: String,
    /// Whether a check looks at it.
    pub watched: bool,
}

/// A reading with its place in the agent's ring.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Observed {
    /// Counts from 1 per instance.
    pub seq: u64,
    /// The reading.
    pub reading: Reading,
    /// The `CheckNow` it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<Uuid>,
}

/// Inventory: names and values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// What was found.
    pub items: BTreeMap<String, String>,
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
    /// The output's first [`MAX_OUTPUT_BYTES`], base64; its digest is in the body.
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

/// The link stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Welcome {
    /// Report this often.
    pub report_secs: u64,
    /// Most messages a second the server takes from this host.
    pub max_messages_per_sec: u32,
    /// The host is quarantined: it gets no jobs until a person re-attests it.
    pub quarantined: bool,
    /// The epoch of this link.
    pub epoch: i64,
}

/// All checks the agent runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// Grows with each change.
    pub version: i64,
    /// The checks.
    pub checks: Vec<CheckSpec>,
}

/// One check on one target. It names a thing and never carries a command: what a service's commands
/// are stands in the host's own limits file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckSpec {
    /// The check.
    pub check_id: Uuid,
    /// What kind.
    pub kind: CheckKind,
    /// What the kind says.
    pub target: String,
    /// Look at least this often.
    pub interval_secs: u64,
    /// A look that takes longer is `no_data`; at most [`constants::CHECK_LIMIT_SECS`].
    pub limit_ms: u64,
    /// Holds when the target has recovered: what the agent asks before it acts.
    pub ok_when: Vec<Comparison>,
    /// Without `ok_when`, a target has recovered when none of these hold; all of one list make it bad.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bad_when: Vec<Vec<Comparison>>,
}

impl CheckSpec {
    /// Whether `readings` say that the target was stopped on purpose: no failure, and nothing to be acted on.
    pub fn is_excused(&self, readings: &BTreeMap<String, Value>) -> bool {
        self.kind == CheckKind::Service && readings.get("state") == Some(&Value::Text("stopped".to_owned()))
    }

    /// Whether `readings` say that the target has recovered, or needs nothing; none when nothing here says what that is.
    pub fn has_recovered(&self, readings: &BTreeMap<String, Value>) -> Option<bool> {
        if self.is_excused(readings) {
            return Some(true);
        }
        let all_hold = |list: &Vec<Comparison>| list.iter().all(|comparison| comparison.holds(readings));
        if !self.ok_when.is_empty() {
            return Some(all_hold(&self.ok_when));
        }
        let mut bad = self.bad_when.iter().filter(|list| !list.is_empty()).peekable();
        bad.peek()?;
        Some(!bad.any(all_hold))
    }
}

/// Kinds of checks an agent can run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckKind {
    /// A service declared by pid file and start, stop and status commands.
    Service,
    /// A file system; the target is where it is mounted.
    Disk,
    /// Processes of one name; the target is that name.
    Process,
}

/// Asks how the host looks. Read-only: no program is run for it, and the host's profile does not matter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnose {
    /// The server's name for the question.
    pub request_id: Uuid,
    /// What the check looks at that a person is called about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

/// How the host looks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnosed {
    /// Of the question.
    pub request_id: Uuid,
    /// What was found, most telling first; at most [`MAX_SECTIONS`].
    pub sections: Vec<Section>,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Section {
    /// What.
    pub title: String,
    /// What was found, as it is shown; at most [`MAX_SECTION_LINES`].
    pub lines: Vec<String>,
}

/// The most sections of a [`Diagnosed`].
pub const MAX_SECTIONS: usize = 16;
/// The most lines of a [`Section`].
pub const MAX_SECTION_LINES: usize = 40;

/// A comparison on a named reading. All of a list must hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Which reading.
    pub reading: String,
    /// How to compare.
    pub op: Op,
    /// With what.
    pub value: Value,
}

/// A comparison's operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// equal
    Eq,
    /// not equal
    Ne,
    /// less than (numbers)
    Lt,
    /// at most (numbers)
    Le,
    /// greater than (numbers)
    Gt,
    /// at least (numbers)
    Ge,
}

impl Comparison {
    /// Whether `readings` satisfy it; a missing reading or a comparison of unlike values never holds.
    pub fn holds(&self, readings: &BTreeMap<String, Value>) -> bool {
        match (readings.get(&self.reading), &self.value, self.op) {
            (Some(Value::Text(a)), Value::Text(b), Op::Eq) => a == b,
            (Some(Value::Text(a)), Value::Text(b), Op::Ne) => a != b,
            (Some(Value::Number(a)), Value::Number(b), op) => match op {
                Op::Eq => a == b,
                Op::Ne => a != b,
                Op::Lt => a < b,
                Op::Le => a <= b,
                Op::Gt => a > b,
                Op::Ge => a >= b,
            },
            _ => false,
        }
    }
}

/// Run this check now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckNow {
    /// Comes back in [`Observed::request_id`].
    pub request_id: Uuid,
    /// The check.
    pub check_id: Uuid,
    /// The target.
    pub target: String,
}

/// A leased job. Both texts are canonical JSON and are verified byte for byte before they are parsed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Canonical JSON of an [`Envelope`].
    pub envelope: String,
    /// Dispatch key over `"mendwright envelope v1\n" + envelope`, 64 bytes, hex.
    pub envelope_signature: String,
    /// Canonical JSON of a [`Playbook`]; its SHA-256 is the version's digest.
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

/// A playbook version's content: what is hashed, signed and shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Playbook {
    /// The name, unique in the tenant.
    pub name: String,
    /// What it does, a sentence for people.
    pub title: String,
    /// L, M, H or E.
    pub risk: Risk,
    /// What may be done when it is in doubt whether a step ran.
    pub effect: Effect,
    /// Typed parameters.
    #[serde(default)]
    pub parameters: BTreeMap<String, ParameterType>,
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// The steps that take it back, in order; empty: none needed, or none possible.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub undo: Vec<Step>,
    /// The services and hosts that it may touch, at least 1: so many slots of the shared limits it takes.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub weight: u32,
}

fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_one(n: &u32) -> bool {
    *n == 1
}

impl Playbook {
    /// The steps a job of this purpose performs; diagnostics are no playbook's.
    pub fn steps_of(&self, purpose: Purpose) -> &[Step] {
        match purpose {
            Purpose::Fix => &self.steps,
            Purpose::Undo => &self.undo,
            Purpose::Diagnostics => &[],
        }
    }
}

/// How dangerous a playbook is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Risk {
    /// May run by itself.
    L,
    /// May run by itself with tight limits.
    M,
    /// Needs an approval.
    H,
    /// Is never run.
    E,
}

/// What may be done when in doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Never run again.
    Once,
    /// May be run again as a new attempt.
    Idempotent,
}

/// A parameter's type. No value may begin with `-` or hold a control character.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum ParameterType {
    /// A service declared on the host.
    ServiceName,
    /// An absolute path below `root` once resolved.
    PathUnder {
        /// The root.
        root: String,
    },
    /// A whole number in a closed range.
    Int {
        /// Least.
        min: i64,
        /// Most.
        max: i64,
    },
    /// One of these words.
    Enum {
        /// The words.
        values: Vec<String>,
    },
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// What it does, for people.
    pub title: String,
    /// The program and its arguments; never a shell string. An element may be exactly `{parameter}`,
    /// which becomes that parameter's value, or `{parameter.start}`, `{parameter.stop}`,
    /// `{parameter.status}` of a `service_name`, which becomes the arguments the host declared.
    pub argv: Vec<String>,
    /// Seconds it may take.
    pub limit_secs: u64,
}
