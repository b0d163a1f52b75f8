//! The host's own addresses that others may reach it by: neither loopback nor of one link alone.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Those of both families.
pub fn list() -> Vec<String> {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let (four, six) = (read("/proc/thread-self/net/fib_trie"), read("/proc/thread-self/net/if_inet6"));
    let all: BTreeSet<IpAddr> = local(&four).map(IpAddr::from).chain(assigned(&six).map(IpAddr::from)).collect();
    all.iter().map(ToString::to_string).collect()
}

/// The addresses in `fib_trie` that are the host's own: a line with the address, and below it `/32 host LOCAL`.
fn local(text: &str) -> impl Iterator<Item = Ipv4Addr> {
    let lines = text.lines().map(str::trim);
    lines.clone().zip(lines.skip(1)).filter_map(|(line, below)| {
        let address: Ipv4Addr = line.strip_prefix("|-- ")?.parse().ok()?;
        let ours = below == "/32 host LOCAL" && !address.is_loopback() && !address.is_link_local();
        ours.then_some(address)
    })
}

/// The addresses in `if_inet6`: 32 hex digits, then index, prefix length, scope and flags, hex too, and the interface.
fn assigned(text: &str) -> impl Iterator<Item = Ipv6Addr> {
    text.lines().filter_map(|line| {
        let address = Ipv6Addr::from(u128::from_str_radix(line.split_ascii_whitespace().next()?, 16).ok()?);
        (!address.is_loopback() && !address.is_unicast_link_local()).then_some(address)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_own_addresses_are_told_apart_from_networks_and_loopback() {
        let trie = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\n     +-- 192.0.2.0/24 2 0 2\n\
                    \x20       |-- 192.0.2.0\n           /24 link UNICAST\n        |-- 192.0.2.7\n           /32 host LOCAL\n\
                    \x20       |-- 192.0.2.255\n           /32 link BROADCAST\n     |-- 127.0.0.1\n        /32 host LOCAL\n";
        assert_eq!(local(trie).collect::<Vec<_>>(), [Ipv4Addr::new(192, 0, 2, 7)]);
    }

    #[test]
    fn an_address_of_one_link_alone_reaches_nobody() {
        let text = "00000000000000000000000000000001 01 80 10 80       lo\n\
                    fe800000000000000000000000000001 02 40 20 80     eth0\n\
                    20010db8000000000000000000000007 02 40 00 00     eth0\nnonsense\n";
        let found: Vec<String> = assigned(text).map(|address| address.to_string()).collect();
        assert_eq!(found, ["2001:db8::7"]);
    }
}
