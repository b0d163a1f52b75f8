//! Metrics and inventory.

use serde::{Deserialize, Serialize};

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
