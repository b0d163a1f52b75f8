//! What a host says it is: bounded, without what no page shows, kept in place of what it said before.

use std::time::Duration;

use store::{Store, host_links, inventory};
use wire::v1::{Found, MAX_FOUND, MAX_FOUND_BYTES, MAX_FOUND_TEXT, MAX_LISTENING};

use crate::hello::Begun;
use crate::socket::End;
use crate::watches::replaced;

/// One link keeps no more than one in this time: an agent tells once a day.
const LEAST_APART: Duration = Duration::from_secs(60);

/// What one link knows of it.
#[derive(Debug, Default)]
pub struct Told(Option<Duration>);

impl Told {
    /// Keeps what the host says at `now` of the monotonic clock; what comes too soon after the last is dropped.
    pub async fn take(&mut self, store: &Store, link: &Begun, found: Found, now: Duration) -> Result<(), End> {
        let found = checked(found).ok_or_else(|| End::malformed("an inventory is longer than the protocol allows"))?;
        if self.0.is_some_and(|last| now.saturating_sub(last) < LEAST_APART) {
            return Ok(());
        }
        let mut tx = store.begin(&link.identity.scope).await?;
        if !host_links::holds(&mut tx, link.identity.host_id, link.epoch).await? {
            return Err(replaced());
        }
        inventory::replace(&mut tx, link.client_id, link.identity.host_id, &found).await?;
        tx.commit().await?;
        self.0 = Some(now);
        Ok(())
    }
}

/// As it is stored; none if it is longer than the protocol allows.
fn checked(mut found: Found) -> Option<serde_json::Value> {
    let lists = [found.file_systems.len(), found.addresses.len(), found.services.len()];
    if lists.into_iter().any(|length| length > MAX_FOUND) || found.listening.len() > MAX_LISTENING {
        return None;
    }
    let singles =
        [&mut found.hostname, &mut found.os, &mut found.kernel, &mut found.architecture, &mut found.processor];
    let mut texts: Vec<&mut String> = singles.into_iter().flatten().collect();
    texts.push(&mut found.agent_version);
    texts.extend(found.file_systems.iter_mut().map(|system| &mut system.path));
    texts.extend(found.addresses.iter_mut());
    texts.extend(found.services.iter_mut().map(|service| &mut service.name));
    texts.extend(found.listening.iter_mut().flat_map(|port| {
        let names = port.process.iter_mut().chain(port.service.iter_mut());
        names.chain(std::iter::once(&mut port.address))
    }));
    for text in texts {
        if text.len() > MAX_FOUND_TEXT {
            return None;
        }
        // What a text column cannot hold, and nobody wants to read, is left out.
        text.retain(|c| !c.is_control());
    }
    let fits = serde_json::to_string(&found).is_ok_and(|text| text.len() <= MAX_FOUND_BYTES);
    fits.then(|| serde_json::to_value(&found).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::v1::{DeclaredService, Listening};

    #[test]
    fn what_is_longer_than_the_protocol_allows_is_refused_and_control_characters_go() {
        let kept = checked(Found { os: Some("De\u{0}bian\u{1b}[1m".into()), ..Found::default() }).unwrap();
        assert_eq!(kept["os"], "Debian[1m");
        let long = || "x".repeat(MAX_FOUND_TEXT + 1);
        let service = |name| DeclaredService { name, unit: false };
        let port =
            || Listening { address: "::".into(), port: 1, process: Some("y".repeat(MAX_FOUND_TEXT)), service: None };
        for refused in [
            Found { kernel: Some(long()), ..Found::default() },
            Found { services: vec![service(long())], ..Found::default() },
            Found { services: (0..=MAX_FOUND).map(|_| service("x".into())).collect(), ..Found::default() },
            Found { listening: (0..=MAX_LISTENING).map(|_| port()).collect(), ..Found::default() },
            Found { listening: (0..MAX_LISTENING).map(|_| port()).collect(), ..Found::default() },
        ] {
            assert!(checked(refused).is_none());
        }
    }
}
