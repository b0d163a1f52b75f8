//! Whom the agent trusts: its server's own authority, pinned by fingerprint at enrolment, or the public ones.

use std::sync::{Arc, Mutex};

use keys::Digest;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

/// Whom to trust.
#[derive(Debug, Clone)]
pub enum Trust {
    /// The certificate with this SHA-256, which the server must send in its chain; as the only root.
    Fingerprint(Digest),
    /// This certificate, as the only root.
    Authority(CertificateDer<'static>),
    /// The public authorities, built in.
    Public,
}

/// A certificate seen in the handshake.
pub type Seen = Arc<Mutex<Option<CertificateDer<'static>>>>;

/// The TLS configuration for `trust`, and where the pinned authority is found after a handshake.
///
/// # Errors
/// The certificate is none that can be a root.
pub fn config(trust: &Trust) -> Result<(ClientConfig, Seen), rustls::Error> {
    let provider = Arc::new(ring::default_provider());
    let seen = Seen::default();
    let builder = ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
    let config = match trust {
        Trust::Public => {
            let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
            builder.with_root_certificates(roots).with_no_client_auth()
        }
        Trust::Authority(certificate) => builder.with_root_certificates(only(certificate)?).with_no_client_auth(),
        Trust::Fingerprint(fingerprint) => {
            let pin = Pin { fingerprint: *fingerprint, provider, seen: seen.clone() };
            builder.dangerous().with_custom_certificate_verifier(Arc::new(pin)).with_no_client_auth()
        }
    };
    Ok((config, seen))
}

/// Reads the first certificate of a PEM text.
///
/// # Errors
/// There is none.
pub fn read_pem(text: &str) -> Result<CertificateDer<'static>, rustls_pki_types::pem::Error> {
    CertificateDer::from_pem_slice(text.as_bytes())
}

fn only(certificate: &CertificateDer<'static>) -> Result<RootCertStore, rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone())?;
    Ok(roots)
}

/// Accepts exactly the chains that end at the certificate with the pinned fingerprint.
#[derive(Debug)]
struct Pin {
    fingerprint: Digest,
    provider: Arc<CryptoProvider>,
    seen: Seen,
}

impl ServerCertVerifier for Pin {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let authority = intermediates
            .iter()
            .find(|certificate| keys::digest(certificate) == self.fingerprint)
            .ok_or_else(|| rustls::Error::General("no certificate of the chain has the pinned fingerprint".to_owned()))?
            .clone()
            .into_owned();
        WebPkiServerVerifier::builder_with_provider(Arc::new(only(&authority)?), self.provider.clone())
            .build()
            .map_err(|error| rustls::Error::General(error.to_string()))?
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)?;
        if let Ok(mut seen) = self.seen.lock() {
            *seen = Some(authority);
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
