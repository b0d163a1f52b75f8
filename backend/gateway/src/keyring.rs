//! The server's dispatch keys: every one that some host may still hold for the newest.

use std::sync::Arc;

use keys::SigningKey;
use keys::succession::Certificate;
use wire::v1::DispatchCertificate;

/// One dispatch key.
#[derive(Clone, Debug)]
pub struct DispatchKey {
    /// Its private half.
    pub key: SigningKey,
    /// Its predecessor's word; none for the first.
    pub certificate: Option<Certificate>,
}

/// All of them, from version 1 on; clones share.
#[derive(Clone, Debug)]
pub struct DispatchKeys {
    first: Arc<DispatchKey>,
    later: Arc<[DispatchKey]>,
}

impl DispatchKeys {
    /// The keys of versions 1, 2, 3 …; none if there is none.
    pub fn new(keys: Vec<DispatchKey>) -> Option<DispatchKeys> {
        let mut keys = keys.into_iter();
        let first = Arc::new(keys.next()?);
        Some(DispatchKeys { first, later: keys.collect() })
    }

    /// The newest key and its version.
    pub fn newest(&self) -> (u32, &SigningKey) {
        let newest = self.later.last().unwrap_or(&self.first);
        (u32::try_from(self.later.len()).unwrap_or(u32::MAX).saturating_add(1), &newest.key)
    }

    /// The key of a version.
    pub fn find(&self, version: u32) -> Option<&SigningKey> {
        match version {
            0 => None,
            1 => Some(&self.first.key),
            later => self.later.get(usize::try_from(later).ok()? - 2).map(|key| &key.key),
        }
    }

    /// What leads a host that holds `version` to the newest; empty if it holds that, or one that is not known here.
    pub fn chain_after(&self, version: u32) -> Vec<DispatchCertificate> {
        let from = usize::try_from(version).unwrap_or(usize::MAX);
        let certificates = self.later.iter().skip(from.saturating_sub(1)).filter_map(|key| key.certificate.clone());
        let chain: Vec<_> =
            certificates.map(|c| DispatchCertificate { body: c.body, signature: c.signature }).collect();
        if version == 0 { Vec::new() } else { chain }
    }
}

impl From<SigningKey> for DispatchKeys {
    /// A key that nothing succeeded yet.
    fn from(key: SigningKey) -> DispatchKeys {
        DispatchKeys { first: Arc::new(DispatchKey { key, certificate: None }), later: Arc::new([]) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_bytes(&[seed; 32])
    }

    fn three() -> DispatchKeys {
        let later = [1, 2].map(|version: u8| DispatchKey {
            key: key(version + 1),
            certificate: Certificate::issue(&key(version), version.into(), &key(version + 1).public()).ok(),
        });
        let first = DispatchKey { key: key(1), certificate: None };
        DispatchKeys::new([first].into_iter().chain(later).collect()).unwrap()
    }

    #[test]
    fn every_version_is_found_and_led_to_the_newest() {
        let keys = three();
        assert_eq!((keys.newest().0, keys.newest().1.public()), (3, key(3).public()));
        for version in 1..=3u8 {
            assert_eq!(keys.find(version.into()).unwrap().public(), key(version).public());
            assert_eq!(keys.chain_after(version.into()).len(), usize::from(3 - version));
        }
        for unknown in [0, 4, u32::MAX] {
            assert!(keys.find(unknown).is_none());
            assert!(keys.chain_after(unknown).is_empty());
        }
    }

    #[test]
    fn a_single_key_leads_nowhere() {
        let keys = DispatchKeys::from(key(1));
        assert_eq!(keys.newest().0, 1);
        assert!(keys.chain_after(1).is_empty());
    }
}
