//! The guarded connector: resolve once, judge every address, connect to a judged one.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use url::Host;

use crate::{Egress, Elapsed, Failure, Names, Stage};

/// More addresses of one name are not tried.
const MOST_ADDRESSES: usize = 4;

/// Connects to what [`Egress`] allows, and to nothing else. Clones share.
#[derive(Clone)]
pub struct Connector {
    egress: Arc<Egress>,
    names: Names,
    tls: TlsConnector,
    pub(crate) elapsed: Elapsed,
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connector").field("egress", &self.egress).field("names", &self.names).finish_non_exhaustive()
    }
}

impl Connector {
    /// `elapsed` is the monotonic clock. Certificates are judged by the public authorities.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub fn new(egress: Egress, names: Names, elapsed: Elapsed) -> Result<Connector, rustls::Error> {
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Connector { egress: Arc::new(egress), names, tls: TlsConnector::from(Arc::new(config)), elapsed })
    }

    /// Connects to `port` of `host` within `limit`, and hangs up; how long it took to connect.
    ///
    /// # Errors
    /// It is down, or it cannot be known.
    pub async fn tcp(&self, host: &Host<String>, port: u16, limit: Duration) -> Result<Duration, Failure> {
        let began = (self.elapsed)();
        let stage = Stage::default();
        match tokio::time::timeout(limit, self.connect(host, port, limit, &stage)).await {
            Ok(connected) => connected.map(|_| (self.elapsed)().saturating_sub(began)),
            Err(_) => Err(stage.out_of_time(limit)),
        }
    }

    /// The addresses of `host`, asked for once and judged: for whoever connects to them, and to nothing else, by itself.
    ///
    /// # Errors
    /// One of them is not allowed, or the name has none.
    pub async fn judged(&self, host: &Host<String>, port: u16) -> Result<Vec<SocketAddr>, Failure> {
        let addresses: Vec<IpAddr> = match host {
            Host::Ipv4(ip) => vec![(*ip).into()],
            Host::Ipv6(ip) => vec![(*ip).into()],
            Host::Domain(name) => self.names.addresses(name).await?,
        };
        let addresses: Vec<SocketAddr> = addresses.into_iter().map(|ip| SocketAddr::new(ip, port)).collect();
        // One address that is not allowed condemns the name: nobody can say which of them it will mean next.
        match addresses.iter().find_map(|to| self.egress.refuses(*to)) {
            Some(why) => Err(Failure::NotMade(match host {
                Host::Domain(name) => format!("{name} leads to an address inside: {why}"),
                _ => why,
            })),
            None => Ok(addresses),
        }
    }

    pub(crate) async fn connect(
        &self,
        host: &Host<String>,
        port: u16,
        limit: Duration,
        stage: &Stage,
    ) -> Result<TcpStream, Failure> {
        stage.reach(Stage::NAMES);
        let addresses = self.judged(host, port).await?;
        stage.reach(Stage::CONNECTING);
        let tried = addresses.len().min(MOST_ADDRESSES);
        let share = limit / u32::try_from(tried.max(1)).unwrap_or(1);
        let mut last = Failure::NotMade("the name has no address".into());
        for to in &addresses[..tried] {
            match tokio::time::timeout(share, TcpStream::connect(to)).await {
                Ok(Ok(stream)) => {
                    stage.reach(Stage::CONNECTED);
                    return Ok(stream);
                }
                Ok(Err(error)) => last = worse(last, judge(&error)),
                Err(_) => last = worse(last, Failure::Down(format!("no connection within {} ms", share.as_millis()))),
            }
        }
        Err(last)
    }

    /// TLS over a connection to `host`.
    pub(crate) async fn tls(&self, host: &Host<String>, stream: TcpStream) -> Result<TlsStream<TcpStream>, Failure> {
        let name = match host {
            Host::Domain(name) => ServerName::try_from(name.clone())
                .map_err(|_| Failure::NotMade(format!("{name} is no name that a certificate can have")))?,
            Host::Ipv4(ip) => ServerName::from(IpAddr::from(*ip)),
            Host::Ipv6(ip) => ServerName::from(IpAddr::from(*ip)),
        };
        self.tls.connect(name, stream).await.map_err(|error| Failure::Down(format!("no TLS with it: {error}")))
    }
}

/// One address that answered for itself says more than others that could not be reached from here.
fn worse(last: Failure, next: Failure) -> Failure {
    if matches!((&last, &next), (Failure::Down(_), Failure::NotMade(_))) { last } else { next }
}

/// What the target did, and what our own machine or network did.
fn judge(error: &io::Error) -> Failure {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::ConnectionRefused => Failure::Down("it refuses the connection".into()),
        Kind::ConnectionReset | Kind::ConnectionAborted => Failure::Down("it broke the connection off".into()),
        Kind::TimedOut => Failure::Down("no connection, and nothing came back".into()),
        Kind::HostUnreachable => Failure::Down("its host cannot be reached".into()),
        _ => Failure::NotMade(format!("this server could not connect at all: {error}")),
    }
}
