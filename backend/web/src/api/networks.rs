//! Networks from which a token may be used.

use std::net::IpAddr;

use ipnet::IpNet;

/// Reads what a person typed: networks or single addresses, one a line or between commas.
///
/// # Errors
/// The first that is none.
pub fn parse(said: &str) -> Result<Vec<String>, String> {
    let words = said.split([',', '\n', '\r', ' ']).map(str::trim).filter(|word| !word.is_empty());
    words
        .map(|word| match word.parse::<IpAddr>() {
            Ok(address) => Ok(IpNet::from(address.to_canonical()).to_string()),
            Err(_) => word.parse::<IpNet>().map(|network| network.trunc().to_string()).map_err(|_| word.to_owned()),
        })
        .collect()
}

/// Whether a request from `address` is from one of them; without any, from wherever. An address that is not known is from none.
pub fn contain(networks: &[String], address: Option<IpAddr>) -> bool {
    networks.is_empty()
        || address.is_some_and(|address| {
            let nets = networks.iter().filter_map(|network| network.parse::<IpNet>().ok());
            nets.into_iter().any(|network| network.contains(&address.to_canonical()))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_of_some_networks_works_from_there_only() {
        let networks = parse("192.0.2.7, 10.1.2.3/8\n2001:db8::/32").unwrap();
        assert_eq!(networks, ["192.0.2.7/32", "10.0.0.0/8", "2001:db8::/32"]);
        for (from, works) in [
            ("192.0.2.7", true),
            ("192.0.2.8", false),
            ("::ffff:10.9.9.9", true),
            ("2001:db8::1", true),
            ("2001:db9::1", false),
        ] {
            assert_eq!(contain(&networks, Some(from.parse().unwrap())), works, "{from}");
        }
        assert!(!contain(&networks, None) && contain(&[], None));
        assert!(
            !contain(&["nonsense".to_owned()], Some("192.0.2.7".parse().unwrap())),
            "what cannot be read allows nothing"
        );
        assert_eq!(parse("10.0.0.0/33"), Err("10.0.0.0/33".to_owned()));
    }
}
