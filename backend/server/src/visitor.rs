//! Who a request comes from, where a proxy stands between: the proxy's word is taken, and no other's.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use ipnet::IpNet;

/// In which a proxy says from whom it has a request, after what others have said before it.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// A proxy's address or network, as it is typed: `10.0.0.7`, `10.0.0.0/24`, `fd00::/64`.
///
/// # Errors
/// A sentence: it is none, or it is everybody's.
pub fn network(typed: &str) -> Result<IpNet, String> {
    let typed = typed.trim();
    let net = typed.parse::<IpNet>().or_else(|_| typed.parse::<IpAddr>().map(IpNet::from));
    let net = net.map_err(|_| format!("“{typed}” is no network; write one like 10.0.0.0/24, or one address"))?;
    match net.prefix_len() {
        0 => Err("whom everybody may name, nobody can believe; name the proxies".to_owned()),
        _ => Ok(net.trunc()),
    }
}

/// Who sent a request that came over a connection from `peer`. Where `peer` is a trusted proxy, it is the right-most address of
/// `X-Forwarded-For` that is not a trusted proxy's itself, since what stands left of that was written by a stranger; where
/// all are trusted, the first of them. Where the header is missing, or cannot be read at the place that counts, it is `peer`.
/// Each entry is read alone, as bytes: a stranger's, of whatever bytes, takes nothing from the proxy's beside it.
pub fn visitor(peer: SocketAddr, headers: &HeaderMap, trusted: &[IpNet]) -> SocketAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|net| net.contains(&address));
    if !is_trusted(peer.ip().to_canonical()) {
        return peer;
    }
    let mut found = peer;
    // Several headers are one list, in their order.
    for value in headers.get_all(FORWARDED_FOR).iter().rev() {
        for entry in value.as_bytes().rsplit(|byte| *byte == b',') {
            let Some(address) = std::str::from_utf8(entry).ok().and_then(|entry| one(entry.trim())) else {
                return peer;
            };
            found = address;
            if !is_trusted(address.ip()) {
                return found;
            }
        }
    }
    found
}

/// An entry: an address, of either kind, with or without a port; IPv6 in brackets too.
fn one(entry: &str) -> Option<SocketAddr> {
    let bare = entry.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(entry);
    let address = bare.parse::<IpAddr>().ok().map(|address| SocketAddr::new(address, 0));
    let address = address.or_else(|| entry.parse::<SocketAddr>().ok())?;
    Some(SocketAddr::new(address.ip().to_canonical(), address.port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(peer: &str, lines: &[&str], trusted: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, line.parse().unwrap());
        }
        let trusted: Vec<IpNet> = trusted.iter().map(|net| network(net).unwrap()).collect();
        visitor(peer.parse().unwrap(), &headers, &trusted).ip().to_string()
    }

    const PROXY: &str = "10.0.0.7:4000";

    #[test]
    fn without_trust_a_header_says_nothing() {
        assert_eq!(asked(PROXY, &["203.0.113.9"], &[]), "10.0.0.7");
        assert_eq!(asked("198.51.100.4:4000", &["203.0.113.9"], &["10.0.0.0/24"]), "198.51.100.4");
    }

    #[test]
    fn a_proxy_says_who_it_has_a_request_from_and_not_what_that_one_said() {
        assert_eq!(asked(PROXY, &["203.0.113.9"], &["10.0.0.7"]), "203.0.113.9");
        assert_eq!(asked(PROXY, &["127.0.0.1, 192.0.2.1, 203.0.113.9"], &["10.0.0.7"]), "203.0.113.9");
        assert_eq!(asked(PROXY, &["10.0.0.7, 203.0.113.9"], &["10.0.0.7"]), "203.0.113.9");
    }

    #[test]
    fn proxies_behind_each_other_are_passed_over() {
        let trusted = ["10.0.0.0/24", "fd00::/64"];
        assert_eq!(asked(PROXY, &["192.0.2.1, 203.0.113.9, fd00::5, 10.0.0.9"], &trusted), "203.0.113.9");
        assert_eq!(asked(PROXY, &["10.0.0.8, 10.0.0.9"], &trusted), "10.0.0.8");
    }

    #[test]
    fn several_headers_are_one_list() {
        let trusted = ["10.0.0.0/24"];
        assert_eq!(asked(PROXY, &["192.0.2.1", "203.0.113.9"], &trusted), "203.0.113.9");
        assert_eq!(asked(PROXY, &["192.0.2.1, 203.0.113.9", "10.0.0.9"], &trusted), "203.0.113.9");
    }

    #[test]
    fn addresses_of_both_kinds_are_read_with_and_without_a_port() {
        for (entry, address) in [
            ("203.0.113.9:51000", "203.0.113.9"),
            ("2001:db8::9", "2001:db8::9"),
            ("[2001:db8::9]", "2001:db8::9"),
            ("[2001:db8::9]:51000", "2001:db8::9"),
            ("::ffff:203.0.113.9", "203.0.113.9"),
        ] {
            assert_eq!(asked(PROXY, &[entry], &["10.0.0.7"]), address, "{entry}");
        }
        assert_eq!(asked("[::ffff:10.0.0.7]:4000", &["203.0.113.9"], &["10.0.0.7"]), "203.0.113.9");
        assert_eq!(asked("[fd00::5]:4000", &["203.0.113.9"], &["fd00::/64"]), "203.0.113.9");
        assert_eq!(asked(PROXY, &["203.0.113.9, ::ffff:10.0.0.9"], &["10.0.0.0/24"]), "203.0.113.9");
    }

    #[test]
    fn what_cannot_be_read_where_it_counts_is_the_proxys_own() {
        for lines in [
            &["unknown"][..],
            &["203.0.113.9, _hidden"],
            &["203.0.113.9,"],
            &[""],
            &["203.0.113.9", "10.0.0.9, ?"],
            &[],
        ] {
            assert_eq!(asked(PROXY, lines, &["10.0.0.0/24"]), "10.0.0.7", "{lines:?}");
        }
        assert_eq!(
            asked(PROXY, &["unknown, 203.0.113.9"], &["10.0.0.7"]),
            "203.0.113.9",
            "a stranger's garbage is skipped"
        );
        let mut headers = HeaderMap::new();
        headers.insert(FORWARDED_FOR, http::HeaderValue::from_bytes(b"203.0.113.9\xff").unwrap());
        let peer = PROXY.parse().unwrap();
        assert_eq!(visitor(peer, &headers, &[network("10.0.0.7").unwrap()]), peer);
    }

    #[test]
    fn bytes_of_a_stranger_take_nothing_from_what_the_proxy_wrote_beside_them() {
        let peer = PROXY.parse().unwrap();
        let trusted = [network("10.0.0.0/24").unwrap()];
        for line in [
            &b"\xff, 203.0.113.9"[..],
            b"\xff\xfe,\x80, 203.0.113.9",
            b"127.0.0.1\xff, 203.0.113.9, 10.0.0.9",
            b"\xc3\xa9,203.0.113.9:51000",
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(FORWARDED_FOR, http::HeaderValue::from_bytes(line).unwrap());
            assert_eq!(visitor(peer, &headers, &trusted).ip().to_string(), "203.0.113.9", "{line:?}");
        }
        // A line of their own, before the proxy's.
        let mut headers = HeaderMap::new();
        headers.append(FORWARDED_FOR, http::HeaderValue::from_bytes(b"\xff").unwrap());
        headers.append(FORWARDED_FOR, http::HeaderValue::from_static("203.0.113.9"));
        assert_eq!(visitor(peer, &headers, &trusted).ip().to_string(), "203.0.113.9");
    }

    #[test]
    fn a_proxy_is_named_by_address_or_network_and_not_everybody_is_one() {
        assert_eq!(network(" 10.0.0.7 ").unwrap().to_string(), "10.0.0.7/32");
        assert_eq!(network("10.0.0.7/24").unwrap().to_string(), "10.0.0.0/24");
        for wrong in ["0.0.0.0/0", "::/0", "proxy.example", "10.0.0.0/33", ""] {
            assert!(network(wrong).is_err(), "{wrong}");
        }
    }
}
