//! Names to addresses by the host's resolv.conf and hosts file, without the C library, whose static form
//! would load the host's name-service plug-ins.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use hickory_resolver::TokioResolver;
use hickory_resolver::net::NetError;

/// Addresses of `host`, in the order to try. Literal addresses and `localhost` need no look-up.
///
/// # Errors
/// The name is unknown, or no name server answers.
pub async fn addresses(host: &str, port: u16) -> Result<Vec<SocketAddr>, NetError> {
    let ips = if let Ok(ip) = host.parse::<IpAddr>() {
        vec![ip]
    } else if host == "localhost" {
        vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]
    } else {
        // Made anew each time: the files may have changed since, and a link is opened seldom.
        TokioResolver::builder_tokio()?.build()?.lookup_ip(host).await?.iter().collect()
    };
    Ok(ips.into_iter().map(|ip| SocketAddr::new(ip, port)).collect())
}
