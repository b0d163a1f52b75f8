//! A newer dispatch key reaches a host: told by its predecessor's word, and used once the host says that it holds it.

use store::hosts;
use wire::v1::{Down, Hello};

use crate::Inner;
use crate::hello::Begun;
use crate::socket::End;

/// The dispatch key that the host of one link holds.
#[derive(Debug)]
pub struct Held {
    /// Its version, by the host's own word.
    pub version: u32,
    /// Its agent can follow a newer one.
    follows: bool,
    /// The newest version it was told on this link.
    told: u32,
    /// It was told, and has not answered yet.
    asked: bool,
}

impl Held {
    /// What `hello` says; from an agent that says nothing, what is `stored`.
    pub fn of(hello: &Hello, stored: u32) -> Held {
        let version = hello.dispatch_version.unwrap_or(stored);
        Held { version, follows: hello.dispatch_version.is_some(), told: version, asked: false }
    }

    /// Whether a job may be handed out: not while the host changes its key, for a job that is on its way then would be
    /// signed by a key that it holds no more.
    pub fn settled(&self) -> bool {
        !self.asked
    }
}

/// What is to be said: the chain from the key that the host holds to the newest; once a link and key.
pub fn tell(gateway: &Inner, held: &mut Held) -> Option<Down> {
    let keys = gateway.config.dispatch_keys.borrow().clone();
    let (newest, _) = keys.newest();
    if !held.follows || newest <= held.told {
        return None;
    }
    let chain = keys.chain_after(held.version);
    if chain.is_empty() {
        return None;
    }
    (held.told, held.asked) = (newest, true);
    Some(Down::DispatchKeys { chain })
}

/// The host has answered: it holds `version`.
pub async fn answered(gateway: &Inner, link: &mut Begun, version: u32) -> Result<(), End> {
    let host_id = link.identity.host_id;
    link.held.asked = false;
    if version == link.held.version {
        tracing::warn!(%host_id, version, "the host keeps its dispatch key; its agent's log says why");
        return Ok(());
    }
    let mut tx = gateway.store.begin(&link.identity.scope).await?;
    hosts::mark_dispatch_version(&mut tx, host_id, version).await?;
    tx.commit().await?;
    tracing::info!(%host_id, version, "the host holds a newer dispatch key");
    link.held.version = version;
    Ok(())
}
