//! Which TCP ports are listened on.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The state of a listening socket in `/proc/net/tcp`.
const LISTEN: &str = "0A";

/// A socket that is listened on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listener {
    /// Where.
    pub address: SocketAddr,
    /// The number by which the processes that hold it know it.
    pub inode: u64,
}

/// One line an address, smallest port first.
pub fn listening() -> Vec<String> {
    let mut all: Vec<SocketAddr> =
        listeners().iter().map(|listener| listener.address).collect::<BTreeSet<_>>().into_iter().collect();
    all.sort_by_key(|address| (address.port(), address.ip()));
    all.iter().map(ToString::to_string).collect()
}

/// Every socket of both families that is listened on.
pub fn listeners() -> Vec<Listener> {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let texts = ["/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6"].map(read);
    texts.iter().flat_map(|text| text.lines().filter_map(listener)).collect()
}

/// The socket of a line of `/proc/net/tcp`, `sl local_address rem_address st queues timer retransmits uid timeout inode …`,
/// if it is listened on. The address is words of 32 bits in the machine's own order.
fn listener(line: &str) -> Option<Listener> {
    let mut words = line.split_ascii_whitespace().skip(1);
    let (local, state, inode) = (words.next()?, words.nth(1)?, words.nth(5)?);
    let (ip, port) = local.split_once(':')?;
    let word = |at: usize| Some(u32::from_str_radix(ip.get(at..at + 8)?, 16).ok()?.to_ne_bytes());
    let ip = match ip.len() {
        8 => IpAddr::from(Ipv4Addr::from(word(0)?)),
        32 => {
            let mut bytes = [0; 16];
            for (at, four) in bytes.chunks_exact_mut(4).enumerate() {
                four.copy_from_slice(&word(at * 8)?);
            }
            IpAddr::from(Ipv6Addr::from(bytes))
        }
        _ => return None,
    };
    let address = SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?);
    (state == LISTEN).then_some(Listener { address, inode: inode.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_of_ours_is_listed_in_both_families() {
        let four = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let kept = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let said = listening();
        assert!(said.contains(&kept.local_addr().unwrap().to_string()), "{said:?}");
        assert!(!said.contains(&four.to_string()), "it is closed by now");
        if let Ok(six) = std::net::TcpListener::bind("[::1]:0") {
            assert!(listening().contains(&six.local_addr().unwrap().to_string()));
        }
    }

    #[test]
    fn a_line_says_where_and_which_socket() {
        let line =
            "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0";
        let address = if cfg!(target_endian = "little") { "127.0.0.1:8080" } else { "1.0.0.127:8080" };
        assert_eq!(listener(line), Some(Listener { address: address.parse().unwrap(), inode: 4711 }));
    }

    #[test]
    fn a_connection_is_no_listener_and_a_heading_no_line() {
        for line in [
            "  sl  local_address rem_address   st tx_queue",
            "   0: 0100007F:1F90 0100007F:A000 01 00000000:00000000 00:00000000 00000000     0        0 4711",
            "   0: 0100007F:XXXX 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711",
        ] {
            assert_eq!(listener(line), None, "{line}");
        }
    }
}
