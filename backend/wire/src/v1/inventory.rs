//! What a host is.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Inventory: told when a link begins and once a day while it lasts. Not acked; what could not be read is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// What the host calls itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// The operating system's name, with its version as people say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os: Option<String>,
    /// The kernel's release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel: Option<String>,
    /// The machine's architecture, as the kernel calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architecture: Option<String>,
    /// Processors; 0 if they could not be counted.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub processors: u32,
    /// The first one's model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processor: Option<String>,
    /// Memory there is, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// Swap there is, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swap: Option<u64>,
    /// This boot.
    pub boot_id: Uuid,
    /// Seconds since it.
    pub uptime_secs: u64,
    /// The agent's version.
    pub agent_version: String,
    /// File systems on devices; at most [`MAX_FOUND`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub file_systems: Vec<FileSystem>,
    /// Addresses of the host that others may reach it by; at most [`MAX_FOUND`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<String>,
    /// Services declared in the host's `agent.toml`; at most [`MAX_FOUND`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<DeclaredService>,
    /// TCP ports that are listened on; at most [`MAX_LISTENING`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub listening: Vec<Listening>,
    /// How many of all these lists were left out, because there were more.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out: u32,
}

/// A file system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSystem {
    /// Where it is mounted.
    pub path: String,
    /// Its size in bytes.
    pub total: u64,
}

/// A service that the host declared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeclaredService {
    /// Its name.
    pub name: String,
    /// Whether it is a unit of systemd.
    #[serde(default, skip_serializing_if = "is_no")]
    pub unit: bool,
}

/// A port that is listened on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listening {
    /// The address: `0.0.0.0` is every one, `127.0.0.1` the host's own alone.
    pub address: String,
    /// The port.
    pub port: u16,
    /// Who listens, as the kernel calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<String>,
    /// The declared service that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
}

/// The most file systems, addresses and services of a [`Found`].
pub const MAX_FOUND: usize = 64;

/// The most ports of a [`Found`].
pub const MAX_LISTENING: usize = 256;

/// The longest text in a [`Found`], in bytes.
pub const MAX_FOUND_TEXT: usize = 256;

/// The longest [`Found`], in bytes as it is sent.
pub const MAX_FOUND_BYTES: usize = 64 * 1024;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_no(said: &bool) -> bool {
    !*said
}
