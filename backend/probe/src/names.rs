//! Names to addresses, once a probe.

use std::net::{IpAddr, SocketAddr};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{LookupIpStrategy, NameServerConfig, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;

use crate::Failure;

/// Who is asked for a name's addresses. Nothing is remembered from one probe to the next.
#[derive(Clone)]
pub struct Names(Result<TokioResolver, String>);

impl std::fmt::Debug for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Names").field(&self.0.is_ok()).finish()
    }
}

impl Names {
    /// This machine's name servers and hosts file. Where they cannot be read, addresses are probed and names are not.
    pub fn system() -> Names {
        let build = || {
            let mut builder = TokioResolver::builder_tokio()?;
            builder.options_mut().cache_size = 0;
            builder.options_mut().ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
            builder.build()
        };
        Names(build().map_err(|error: NetError| error.to_string()))
    }

    /// One name server, over UDP.
    pub fn of(server: SocketAddr) -> Names {
        let mut name_server = NameServerConfig::udp(server.ip());
        for connection in &mut name_server.connections {
            connection.port = server.port();
        }
        let config = ResolverConfig::from_parts(None, Vec::new(), vec![name_server]);
        let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        builder.options_mut().cache_size = 0;
        builder.options_mut().ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        Names(builder.build().map_err(|error| error.to_string()))
    }

    /// Every address of `name`. Whatever goes wrong here says nothing of the target.
    pub(crate) async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, Failure> {
        let resolver =
            self.0.as_ref().map_err(|why| Failure::NotMade(format!("this server knows no name server: {why}")))?;
        match resolver.lookup_ip(name).await {
            Ok(found) => Ok(found.iter().collect()),
            Err(error) if error.is_no_records_found() => {
                Err(Failure::NotMade(format!("the name {name} has no address")))
            }
            Err(error) => Err(Failure::NotMade(format!("the name {name} cannot be looked up: {error}"))),
        }
    }
}
