//! Enrolment: a token becomes a host.

use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use keys::{Context, Digest};
use rand::CryptoRng;
use wire::v1::{Down, ENROLL_PATH, Enroll, PROTOCOL, Profile, Up};

use crate::address::Server;
use crate::journal::Journal;
use crate::limits::{self, Limits};
use crate::socket::{self, Socket};
use crate::state::{self, Identity, StateDir};
use crate::tls::Trust;

/// How long the server may take to decide.
const ANSWER: Duration = Duration::from_secs(30);

/// Where a machine says what it calls itself, since its first boot.
pub const MACHINE_ID: &str = "/etc/machine-id";

/// What the person gave.
#[derive(Debug)]
pub struct Request {
    /// The server.
    pub server: Server,
    /// The token.
    pub token: String,
    /// The profile.
    pub profile: Profile,
    /// SHA-256 of the server's own authority; none for public certificates.
    pub authority: Option<Digest>,
    /// Where the machine says what it calls itself: [`MACHINE_ID`].
    pub machine_id: Option<PathBuf>,
}

/// Why the host is not enrolled.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server refused, with its reason.
    #[error("the server refused: {0}")]
    Refused(String),
    /// The server cannot be reached or understood.
    #[error("cannot enrol at {0}")]
    Link(Server, #[source] socket::Error),
    /// The state directory cannot be used.
    #[error("the agent's state cannot be kept")]
    State(#[from] state::Error),
    /// The host's own limits cannot be used.
    #[error("the host's own limits cannot be kept")]
    Limits(#[from] limits::Error),
    /// The server sent keys that are none.
    #[error("the server sent a key that is none")]
    Key(#[from] keys::sign::Error),
}

/// Enrols the host and keeps the answer. Doing it again with the same key gives the same host.
///
/// # Errors
/// See [`Error`].
pub async fn enroll(dir: &StateDir, request: &Request, rng: &mut impl CryptoRng) -> Result<Identity, Error> {
    let key = dir.host_key(rng)?;
    Limits::write_profile(dir.limits_path(), request.profile)?;
    Limits::load(dir.limits_path())?;
    let trust = request.authority.map_or(Trust::Public, Trust::Fingerprint);
    let link = |error| match error {
        socket::Error::Closed { code: 4000..=4999, reason } => Error::Refused(reason),
        error => Error::Link(request.server.clone(), error),
    };
    let mut socket = Socket::open(&request.server, ENROLL_PATH, &trust).await.map_err(link)?;
    let challenge = socket.challenge().await.map_err(link)?;
    let public_key = key.public().to_string();
    let signature = key.sign(Context::Enroll, &Enroll::signed_text(&challenge, &public_key));
    let up = Up::Enroll(Enroll {
        protocol: PROTOCOL,
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
        token: request.token.clone(),
        public_key,
        hostname: hostname(),
        profile: request.profile,
        machine: request.machine_id.as_deref().and_then(machine),
        signature,
    });
    socket.send(&up).await.map_err(link)?;
    let enrolled = match socket.message(ANSWER).await.map_err(link)? {
        Down::Enrolled(enrolled) => enrolled,
        _ => return Err(link(socket::Error::Unexpected)),
    };
    let authority = socket.authority.take().map(|certificate| pem(&certificate));
    socket.close().await;
    let identity = Identity {
        tenant_id: enrolled.tenant_id,
        client_id: enrolled.client_id,
        host_id: enrolled.host_id,
        server: request.server.to_string(),
        playbook_keys: enrolled.playbook_keys,
        dispatch_key: enrolled.dispatch_key,
        dispatch_version: enrolled.dispatch_version,
    };
    identity.pinned()?;
    // Only a host that is not enrolled yet gets a journal: one that lost its own must say so.
    if matches!(dir.identity(), Err(state::Error::NotEnrolled(_))) {
        let path = dir.journal_path();
        Journal::create(&path).map_err(|error| state::Error::File(path, error))?;
    }
    dir.set_authority(authority.as_deref())?;
    dir.set_identity(&identity)?;
    Ok(identity)
}

/// What the host calls itself.
pub fn hostname() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// The hash of what the machine calls itself. A file that is missing, empty or not yet written (`uninitialized`) is no name.
fn machine(path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let id = text.trim();
    let is_id = id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()) && id.bytes().any(|b| b != b'0');
    is_id.then(|| keys::digest(Enroll::machine_text(&id.to_lowercase()).as_bytes()).to_string())
}

fn pem(der: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_known_by_a_hash_of_its_id_and_one_without_an_id_by_nothing() {
        let path = std::env::temp_dir().join(format!("mendwright-machine-{}", std::process::id()));
        let of = |text: &str| {
            std::fs::write(&path, text).unwrap();
            machine(&path)
        };
        let id = "0123456789abcdef0123456789ABCDEF";
        let known = of(&format!("{id}\n")).unwrap();
        assert!(known.len() == 64 && !known.contains(id) && of(&id.to_lowercase()).unwrap() == known);
        for none in ["", "uninitialized\n", "short", &"0".repeat(32), &"x".repeat(32)] {
            assert_eq!(of(none), None, "{none}");
        }
        std::fs::remove_file(&path).unwrap();
        assert_eq!(machine(&path), None);
    }
}
