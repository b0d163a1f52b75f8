//! The installation's own certificate authority, made at its first start and pinned by its agents.
//!
//! The certificates carry no expiry worth the name: trust in them ends by replacing the authority, which
//! every agent pins by fingerprint, not by a date on which all agents would fall silent at once. Key pairs
//! are ECDSA P-256 and are drawn by the certificate library from the operating system.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use zeroize::Zeroizing;

use crate::digest::{Digest, digest};

/// Why a certificate cannot be made or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The certificate library refuses: a name that is none, a key that does not fit.
    #[error("the certificate cannot be made")]
    Certificate(#[from] rcgen::Error),
    /// The text is no PEM certificate.
    #[error("the text holds no PEM certificate")]
    Pem,
}

/// A certificate authority with its key.
pub struct Authority {
    certificate: CertificateDer<'static>,
    pem: String,
    key: KeyPair,
}

/// A server's certificate chain and key.
pub struct ServerCertificate {
    /// The server's certificate and then the authority's, PEM. Agents that enrol need the second.
    pub chain_pem: String,
    /// The server's private key, PKCS#8 PEM.
    pub key_pem: Zeroizing<String>,
}

impl Authority {
    /// Makes an authority whose CommonName is `name`.
    ///
    /// # Errors
    /// The library refuses the name.
    pub fn create(name: &str) -> Result<Self, Error> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name.remove(DnType::CommonName);
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let made = params.self_signed(&key)?;
        Ok(Self { certificate: made.der().clone(), pem: made.pem(), key })
    }

    /// Reads an authority back from its two PEM texts.
    ///
    /// # Errors
    /// One of them is none, or no authority's.
    pub fn from_pem(certificate_pem: &str, key_pem: &str) -> Result<Self, Error> {
        let key = KeyPair::from_pem(key_pem)?;
        let certificate = first_certificate(certificate_pem)?;
        Issuer::from_ca_cert_der(&certificate, &key)?;
        Ok(Self { certificate, pem: certificate_pem.to_owned(), key })
    }

    /// The certificate, PEM: public.
    pub fn certificate_pem(&self) -> &str {
        &self.pem
    }

    /// The private key, PKCS#8 PEM: seal it.
    pub fn key_pem(&self) -> Zeroizing<String> {
        Zeroizing::new(self.key.serialize_pem())
    }

    /// What the enrolment command carries: the SHA-256 of the certificate's DER.
    pub fn fingerprint(&self) -> Digest {
        digest(&self.certificate)
    }

    /// Issues a server certificate for `names` (DNS names or addresses; at least one). The first is its
    /// CommonName: an issuer and a subject of the same name look self-signed to OpenSSL.
    ///
    /// # Errors
    /// A name is none.
    pub fn issue_server(&self, names: &[String]) -> Result<ServerCertificate, Error> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(names.to_vec())?;
        params.distinguished_name.remove(DnType::CommonName);
        if let Some(first) = names.first() {
            params.distinguished_name.push(DnType::CommonName, format!("server {first}"));
        }
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let issuer = Issuer::from_ca_cert_der(&self.certificate, &self.key)?;
        let leaf = params.signed_by(&key, &issuer)?;
        Ok(ServerCertificate {
            chain_pem: format!("{}{}", leaf.pem(), self.pem),
            key_pem: Zeroizing::new(key.serialize_pem()),
        })
    }
}

/// The SHA-256 of the DER of the first certificate in `pem`.
///
/// # Errors
/// There is none.
pub fn fingerprint(pem: &str) -> Result<Digest, Error> {
    Ok(digest(&first_certificate(pem)?))
}

fn first_certificate(pem: &str) -> Result<CertificateDer<'static>, Error> {
    CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| Error::Pem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_survives_its_pem_texts_and_keeps_its_fingerprint() {
        let made = Authority::create("Mendwright test authority").unwrap();
        let again = Authority::from_pem(made.certificate_pem(), &made.key_pem()).unwrap();
        assert_eq!(made.fingerprint(), again.fingerprint());
        assert_eq!(fingerprint(made.certificate_pem()).unwrap(), made.fingerprint());
    }

    #[test]
    fn a_server_certificate_comes_with_its_authority() {
        let authority = Authority::create("Mendwright test authority").unwrap();
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let server = authority.issue_server(&names).unwrap();
        let chain: Vec<_> = CertificateDer::pem_slice_iter(server.chain_pem.as_bytes()).map(Result::unwrap).collect();
        assert_eq!(chain.len(), 2);
        assert_eq!(digest(&chain[1]), authority.fingerprint());
        assert!(KeyPair::from_pem(&server.key_pem).is_ok());
    }

    #[test]
    fn texts_that_hold_no_certificate_are_refused() {
        assert!(matches!(fingerprint("nothing"), Err(Error::Pem)));
        let made = Authority::create("a").unwrap();
        assert!(Authority::from_pem("nothing", &made.key_pem()).is_err());
        assert!(Authority::from_pem(made.certificate_pem(), "nothing").is_err());
    }
}
