//! The server's dispatch key is succeeded: what is pinned follows, by signatures alone.

use keys::succession::{Certificate, Pin, follow};
use wire::v1::DispatchCertificate;

use super::Jobs;
use crate::state::{Identity, Pinned};

impl Jobs {
    /// Follows `chain` from the pinned dispatch key, and keeps the last key of it before anything is believed of it.
    /// Gives the version that is pinned now: the old one if the chain does not hold, or cannot be kept.
    pub fn follow(&mut self, chain: &[DispatchCertificate]) -> u32 {
        let held = self.host.pinned.dispatch;
        let chain: Vec<_> =
            chain.iter().map(|c| Certificate { body: c.body.clone(), signature: c.signature.clone() }).collect();
        match follow(held, &chain) {
            Ok(pin) if pin == held => {}
            Ok(pin) => self.pin(pin),
            Err(why) => {
                let version = held.version;
                tracing::warn!(
                    version,
                    "the server's word about a new dispatch key was refused, the old one stays: {why}"
                );
            }
        }
        self.host.pinned.dispatch.version
    }

    fn pin(&mut self, pin: Pin) {
        let identity =
            Identity { dispatch_key: pin.key.to_string(), dispatch_version: pin.version, ..self.host.identity.clone() };
        if let Err(error) = self.host.dir.set_identity(&identity) {
            let why = crate::link::chain(&error);
            tracing::error!("a new dispatch key cannot be kept, the old one stays until the next link: {why}");
            return;
        }
        tracing::info!(
            from = self.host.pinned.dispatch.version,
            to = pin.version,
            "the server's dispatch key was succeeded"
        );
        let pinned = Pinned { dispatch: pin, ..self.host.pinned.clone() };
        (self.host.identity, self.host.pinned) = (identity, pinned);
    }
}
