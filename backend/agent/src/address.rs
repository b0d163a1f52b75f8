//! Where the server is, as the person wrote it.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// How the link is carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// TLS.
    Tls,
    /// In the clear: on loopback only.
    Plain,
}

/// A server's address: `https://host[:port]`, or `http://…` on loopback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// How.
    pub transport: Transport,
    /// A name or a literal address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// Why an address is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not `https://host:port`.
    #[error("the server's address must look like https://host:port")]
    Shape,
    /// `http://` to another machine.
    #[error("http:// is accepted on loopback only; use https://")]
    PlainAbroad,
}

impl Server {
    /// The WebSocket address of `path`.
    pub fn url(&self, path: &str) -> String {
        let scheme = match self.transport {
            Transport::Tls => "wss",
            Transport::Plain => "ws",
        };
        format!("{scheme}://{}:{}{path}", self.bracketed(), self.port)
    }

    fn bracketed(&self) -> String {
        if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.transport {
            Transport::Tls => "https",
            Transport::Plain => "http",
        };
        write!(f, "{scheme}://{}:{}", self.bracketed(), self.port)
    }
}

impl FromStr for Server {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (transport, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (Some(rest), _) => (Transport::Tls, rest),
            (_, Some(rest)) => (Transport::Plain, rest),
            _ => return Err(Error::Shape),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match rest.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']').ok_or(Error::Shape)?;
                host.parse::<std::net::Ipv6Addr>().map_err(|_| Error::Shape)?;
                (host, if port.is_empty() { None } else { Some(port.strip_prefix(':').ok_or(Error::Shape)?) })
            }
            None => match rest.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (rest, None),
            },
        };
        let named = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':');
        if host.is_empty() || !host.bytes().all(named) {
            return Err(Error::Shape);
        }
        let default = if transport == Transport::Tls { 443 } else { 80 };
        let port = port.map_or(Ok(default), str::parse).map_err(|_| Error::Shape)?;
        if transport == Transport::Plain && !is_loopback(host) {
            return Err(Error::PlainAbroad);
        }
        Ok(Self { transport, host: host.to_owned(), port })
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written() {
        for (text, url) in [
            ("https://mw.example.com:8443/", "wss://mw.example.com:8443/x"),
            ("https://mw.example.com", "wss://mw.example.com:443/x"),
            ("http://127.0.0.1:8080", "ws://127.0.0.1:8080/x"),
            ("http://localhost:8080", "ws://localhost:8080/x"),
            ("http://[::1]:8080", "ws://[::1]:8080/x"),
        ] {
            let server: Server = text.parse().unwrap();
            assert_eq!(server.url("/x"), url);
            assert_eq!(server.to_string().parse(), Ok(server));
        }
    }

    #[test]
    fn plain_http_to_another_machine_is_refused() {
        for text in ["http://example.com", "http://10.0.0.1:80", "http://localhost.evil.example:80"] {
            assert_eq!(text.parse::<Server>(), Err(Error::PlainAbroad), "{text}");
        }
        for text in ["", "example.com", "https://", "https://a/b", "https://a:b", "https://u@h", "ws://127.0.0.1"] {
            assert_eq!(text.parse::<Server>(), Err(Error::Shape), "{text}");
        }
    }
}
