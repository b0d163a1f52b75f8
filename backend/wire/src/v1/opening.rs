//! Enrolment, and how a link begins.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{JobKey, Reading};

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
    /// [`PROTOCOL`](super::PROTOCOL).
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
    /// SHA-256 (hex) of what the machine calls itself, see [`Enroll::machine_text`]; absent where it has no name of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<String>,
    /// Host key over [`Enroll::signed_text`] of the challenge, 64 bytes, hex.
    pub signature: String,
}

impl Enroll {
    /// The text whose SHA-256 is sent as `machine`: the machine's own id never leaves it.
    pub fn machine_text(machine_id: &str) -> String {
        format!("mendwright machine v1\n{machine_id}")
    }

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
    /// Its version.
    #[serde(default = "first")]
    pub dispatch_version: u32,
}

/// The version of the key that was pinned before versions were said.
fn first() -> u32 {
    1
}

/// A dispatch key's word about its successor, exactly as it was signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DispatchCertificate {
    /// Canonical text: `key` and `previous` (32 bytes each, hex), and `version`, the successor's.
    pub body: String,
    /// The predecessor over the body, 64 bytes, hex.
    pub signature: String,
}

/// Proves the host key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prove {
    /// [`PROTOCOL`](super::PROTOCOL).
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
    /// The version of the dispatch key that the host has pinned; absent from agents that cannot follow another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dispatch_version: Option<u32>,
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
    /// Whether a step may be a script.
    #[serde(default, skip_serializing_if = "is_no")]
    pub scripts: bool,
    /// Services declared on the host.
    #[serde(default)]
    pub services: Vec<String>,
    /// Those of them that are units of systemd.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub units: Vec<String>,
    /// Where the file is, for "change it with".
    pub path: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_no(said: &bool) -> bool {
    !*said
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
