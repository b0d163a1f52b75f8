//! Where this server may connect to.
//!
//! Public addresses, at any port. Addresses of this machine and of private networks only where the operator said so when
//! the server was started; never in anything that a tenant writes. Addresses that hand out secrets of the machine
//! (metadata services, all of link-local), lead nowhere, or hide another address, never.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::str::FromStr;

use ipnet::IpNet;

/// One thing that the operator allows: `127.0.0.1:8000-8100`, `10.0.0.0/8`, `[fd00::]/8:443`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed {
    net: IpNet,
    ports: RangeInclusive<u16>,
}

/// A text that allows nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no address range; write one like 10.0.0.0/8, 127.0.0.1:8000-8100 or [fd00::]/8:443")]
pub struct AllowedError(String);

impl FromStr for Allowed {
    type Err = AllowedError;

    fn from_str(text: &str) -> Result<Self, AllowedError> {
        let wrong = || AllowedError(text.to_owned());
        let (net, ports) = split(text);
        let net = match net.split_once('/') {
            Some(_) => net.parse().map_err(|_| wrong())?,
            None => IpNet::from(net.parse::<IpAddr>().map_err(|_| wrong())?),
        };
        let ports = match ports {
            None => 1..=u16::MAX,
            Some(ports) => {
                let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
                let range = first.parse().map_err(|_| wrong())?..=last.parse().map_err(|_| wrong())?;
                if range.is_empty() || *range.start() == 0 {
                    return Err(wrong());
                }
                range
            }
        };
        Ok(Allowed { net, ports })
    }
}

/// The range without the brackets of an IPv6 address, and what stands behind the colon after it.
fn split(text: &str) -> (String, Option<&str>) {
    let Some((address, rest)) = text.strip_prefix('[').and_then(|text| text.split_once(']')) else {
        return match text.split_once(':') {
            Some((net, ports)) if !ports.contains(':') => (net.to_owned(), Some(ports)),
            _ => (text.to_owned(), None),
        };
    };
    let (length, ports) = rest.split_once(':').map_or((rest, None), |(length, ports)| (length, Some(ports)));
    (format!("{address}{length}"), ports)
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ports {}-{}", self.net, self.ports.start(), self.ports.end())
    }
}

/// What the operator allows beside public addresses.
#[derive(Debug, Clone, Default)]
pub struct Egress(Vec<Allowed>);

/// What an address is to a server that connects to it for others.
enum Standing {
    Public,
    /// Only where it is allowed; what it is.
    Inside(&'static str),
    /// Never; what it is.
    Never(&'static str),
}

impl Egress {
    /// Public addresses and these.
    pub fn new(allowed: Vec<Allowed>) -> Egress {
        Egress(allowed)
    }

    /// Why `to` is not connected to; none: it may be.
    pub fn refuses(&self, to: SocketAddr) -> Option<String> {
        let ip = to.ip().to_canonical(); // ::ffff:127.0.0.1 is 127.0.0.1
        match standing(ip) {
            Standing::Public => None,
            Standing::Inside(_) if self.allows(ip, to.port()) => None,
            Standing::Inside(what) => Some(format!(
                "{ip} is {what}, and this server's operator does not allow it at port {} (--allow-egress)",
                to.port()
            )),
            Standing::Never(what) => Some(format!("{ip} is {what}; this server never connects there")),
        }
    }

    fn allows(&self, ip: IpAddr, port: u16) -> bool {
        self.0.iter().any(|allowed| allowed.net.contains(&ip) && allowed.ports.contains(&port))
    }
}

fn standing(ip: IpAddr) -> Standing {
    match ip {
        IpAddr::V4(ip) => of_v4(ip),
        IpAddr::V6(ip) => of_v6(ip),
    }
}

/// Metadata services that stand outside link-local: they hand out the machine's own credentials.
const METADATA_V4: [Ipv4Addr; 3] =
    [Ipv4Addr::new(168, 63, 129, 16), Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(192, 0, 0, 192)];
const METADATA_V6: [Ipv6Addr; 2] =
    [Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254), Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)];

fn of_v4(ip: Ipv4Addr) -> Standing {
    use Standing::{Inside, Never, Public};
    match ip.octets() {
        _ if METADATA_V4.contains(&ip) => Never("a metadata service"),
        [0, ..] => Never("no address of anybody"),
        [127, ..] => Inside("this machine itself"),
        [169, 254, ..] => Never("link-local, where metadata services are"),
        [10, ..] | [192, 168, ..] => Inside("a private address"),
        [172, second, ..] if second & 0xf0 == 16 => Inside("a private address"),
        [100, second, ..] if second & 0xc0 == 64 => Inside("an address behind a provider's translation"),
        [198, 18 | 19, ..] => Inside("an address for benchmarks"),
        [192, 0, 0 | 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => Never("reserved"),
        [224..=239, ..] => Never("multicast"),
        [240..=255, ..] => Never("reserved"),
        _ => Public,
    }
}

fn of_v6(ip: Ipv6Addr) -> Standing {
    use Standing::{Inside, Never, Public};
    let hidden = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    match ip.segments() {
        _ if METADATA_V6.contains(&ip) => Never("a metadata service"),
        [0, 0, 0, 0, 0, 0, 0, 1] => Inside("this machine itself"),
        // An IPv4 address behind a translation is judged as that address.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => of_v4(hidden(high, low)),
        [0x64, 0xff9b, 1, ..] => Never("an address that hides another"),
        [0, 0, 0, 0, 0, 0, ..] => Never("an address that hides another"),
        [0x2002, ..] | [0x2001, 0, ..] => Never("a tunnel that hides another address"),
        [0x2001, 0xdb8, ..] | [0x100, 0, 0, 0, ..] => Never("reserved"),
        [first, ..] if first & 0xffc0 == 0xfe80 => Never("link-local"),
        [first, ..] if first & 0xffc0 == 0xfec0 => Never("reserved"),
        [first, ..] if first & 0xff00 == 0xff00 => Never("multicast"),
        [first, ..] if first & 0xfe00 == 0xfc00 => Inside("a private address"),
        // Only 2000::/3 is given out.
        [first, ..] if first & 0xe000 != 0x2000 => Never("reserved"),
        _ => Public,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(egress: &Egress, text: &str) -> bool {
        egress.refuses(text.parse().unwrap()).is_some()
    }

    fn egress(allowed: &[&str]) -> Egress {
        Egress::new(allowed.iter().map(|text| text.parse().unwrap()).collect())
    }

    const EVERYTHING: &[&str] = &["0.0.0.0/0", "::/0"];

    #[test]
    fn public_addresses_need_no_word_of_anybody() {
        for to in
            ["93.184.216.34:443", "[2606:4700::1]:80", "172.32.0.1:80", "100.128.0.1:80", "[64:ff9b::5db8:d822]:80"]
        {
            assert!(!refused(&egress(&[]), to), "{to}");
        }
    }

    #[test]
    fn inside_addresses_need_the_operators_word_for_just_that_port() {
        let inside = [
            "127.0.0.1:80",
            "127.9.9.9:80",
            "10.1.2.3:80",
            "172.16.0.1:80",
            "172.31.255.255:80",
            "192.168.0.1:80",
            "100.64.0.1:80",
            "198.19.0.1:80",
            "[::1]:80",
            "[fd12::1]:80",
            "[::ffff:10.0.0.1]:80",
            "[64:ff9b::a00:1]:80",
        ];
        for to in inside {
            assert!(refused(&egress(&[]), to), "{to}");
            assert!(!refused(&egress(EVERYTHING), to), "{to} can be allowed");
        }
        let some = egress(&["127.0.0.1:8000-8100", "10.0.0.0/8", "[fd00::]/8:443", "[::1]:7"]);
        for to in
            ["127.0.0.1:8000", "127.0.0.1:8100", "[::ffff:127.0.0.1]:8001", "10.9.9.9:1", "[fd01::2]:443", "[::1]:7"]
        {
            assert!(!refused(&some, to), "{to}");
        }
        for to in ["127.0.0.1:7999", "127.0.0.1:8101", "127.0.0.2:8000", "[fd01::2]:80", "[::1]:8"] {
            assert!(refused(&some, to), "{to}");
        }
    }

    #[test]
    fn what_hands_out_secrets_or_hides_an_address_is_never_allowed() {
        for to in [
            "169.254.169.254:80",
            "[::ffff:169.254.169.254]:80",
            "[64:ff9b::a9fe:a9fe]:80",
            "168.63.129.16:80",
            "100.100.100.200:80",
            "192.0.0.192:80",
            "[fd00:ec2::254]:80",
            "[fd20:ce::254]:80",
            "[fe80::1]:80",
            "0.0.0.0:80",
            "[::]:80",
            "[::a00:1]:80",
            "[2002:a9fe:a9fe::]:80",
            "[2001:0:a00::1]:80",
            "255.255.255.255:80",
            "224.0.0.1:80",
            "[ff02::1]:80",
        ] {
            assert!(refused(&egress(EVERYTHING), to), "{to}");
        }
    }

    #[test]
    fn a_range_that_cannot_be_read_is_no_range() {
        for text in
            ["", "localhost", "10.0.0.0/33", "10.0.0.1:0", "10.0.0.1:9-8", "10.0.0.1:x", "[::1", "10.0.0.1:70000"]
        {
            assert!(text.parse::<Allowed>().is_err(), "{text}");
        }
        assert_eq!("fd00::/8".parse::<Allowed>().unwrap().to_string(), "fd00::/8 ports 1-65535");
        assert_eq!("[::1]:80".parse::<Allowed>().unwrap().to_string(), "::1/128 ports 80-80");
    }
}
