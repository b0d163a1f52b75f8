//! The networks that a token may be used from.

use std::net::IpAddr;

use ipnet::IpNet;

/// The most networks of a token.
pub const NETWORKS_MAX: usize = 20;

/// Networks as they are typed: `10.1.0.0/16`, or one address; between commas, blanks or lines. They are written as the
/// network itself: `10.1.2.3/16` is `10.1.0.0/16`.
///
/// # Errors
/// A sentence about the first that is none.
pub fn parse(typed: &str) -> Result<Vec<String>, String> {
    let mut networks = Vec::new();
    for word in typed.split([',', '\n', ' ', '\t', '\r']).filter(|word| !word.is_empty()) {
        let network = one(word).ok_or_else(|| format!("“{word}” is no network; write one like 10.1.0.0/16"))?;
        let network = network.trunc().to_string();
        if !networks.contains(&network) {
            networks.push(network);
        }
    }
    if networks.len() > NETWORKS_MAX { Err(format!("at most {NETWORKS_MAX} networks")) } else { Ok(networks) }
}

fn one(word: &str) -> Option<IpNet> {
    word.parse::<IpNet>().ok().or_else(|| word.parse::<IpAddr>().ok().map(IpNet::from))
}

/// Whether a token of these networks may be used from an address. Without networks: from anywhere. An address that is not
/// known is in none, and so is every address in a network that cannot be read.
pub fn allows(networks: &[String], from: Option<IpAddr>) -> bool {
    networks.is_empty()
        || from.is_some_and(|from| {
            let from = from.to_canonical();
            networks.iter().filter_map(|network| one(network)).any(|network| network.contains(&from))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(address: &str) -> Option<IpAddr> {
        Some(address.parse().unwrap())
    }

    #[test]
    fn networks_are_read_as_they_are_typed_and_kept_as_they_are_meant() {
        assert_eq!(
            parse("10.1.2.3/16, 192.0.2.7\n2001:db8::1/32 10.1.0.0/16").unwrap(),
            ["10.1.0.0/16", "192.0.2.7/32", "2001:db8::/32"]
        );
        assert!(parse("").unwrap().is_empty());
        for wrong in ["10.1.0.0/33", "office", "10.1", "10.0.0.1-9"] {
            assert!(parse(wrong).unwrap_err().contains("is no network"), "{wrong}");
        }
        let many: Vec<String> = (0..=NETWORKS_MAX).map(|n| format!("10.{n}.0.0/16")).collect();
        assert!(parse(&many.join(",")).is_err());
    }

    #[test]
    fn a_token_of_a_network_is_used_from_there_only() {
        let office = parse("10.1.0.0/16, 2001:db8::/32").unwrap();
        assert!(allows(&office, from("10.1.255.3")) && allows(&office, from("2001:db8::7")));
        assert!(allows(&office, from("::ffff:10.1.0.9")), "an address of version 4 in one of version 6 is the same");
        assert!(!allows(&office, from("10.2.0.1")) && !allows(&office, from("2001:db9::")) && !allows(&office, None));
        assert!(allows(&[], None) && allows(&[], from("203.0.113.9")));
        assert!(!allows(&["nonsense".to_owned()], from("10.1.0.1")));
    }
}
