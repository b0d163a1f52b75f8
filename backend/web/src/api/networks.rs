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

/// Whether each of `inner` lies within one of `outer`; without any outer one, wherever they are. No inner one is everywhere.
pub fn are_within(inner: &[String], outer: &[String]) -> bool {
    let read =
        |networks: &[String]| networks.iter().map(|network| network.parse::<IpNet>()).collect::<Result<Vec<_>, _>>();
    match (read(inner), read(outer)) {
        (Ok(_), Ok(outer)) if outer.is_empty() => true,
        (Ok(inner), Ok(outer)) => {
            !inner.is_empty() && inner.iter().all(|inner| outer.iter().any(|outer| outer.contains(inner)))
        }
        _ => false,
    }
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

    #[test]
    fn networks_are_within_others_only_where_each_of_them_is() {
        let within = |inner: &str, outer: &str| are_within(&parse(inner).unwrap(), &parse(outer).unwrap());
        for (inner, outer) in [
            ("10.1.0.0/16", "10.0.0.0/8"),
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("10.1.2.3, 2001:db8:1::/48", "2001:db8::/32, 10.0.0.0/8"),
            ("192.0.2.7", ""),
            ("", ""),
        ] {
            assert!(within(inner, outer), "{inner} in {outer}");
        }
        for (inner, outer) in [
            ("", "10.0.0.0/8"),
            ("10.0.0.0/7", "10.0.0.0/8"),
            ("0.0.0.0/0", "10.0.0.0/8"),
            ("10.1.0.0/16, 192.0.2.7", "10.0.0.0/8"),
            ("::/0", "10.0.0.0/8"),
            ("10.0.0.0/8", "2001:db8::/32"),
            // Two halves are the whole, but no network of its own is said to be it.
            ("10.0.0.0/8", "10.0.0.0/9, 10.128.0.0/9"),
        ] {
            assert!(!within(inner, outer), "{inner} in {outer}");
        }
        assert!(
            !are_within(&["10.0.0.1/32".to_owned()], &["nonsense".to_owned()]),
            "what cannot be read allows nothing"
        );
    }
}
