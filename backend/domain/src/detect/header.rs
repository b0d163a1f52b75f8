//! Headers of an `http` check's request. What one says is a secret, by its name: a check's definition holds no value.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use url::{Host, Url};

use crate::secret;

/// What a header of a request says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The name of the secret, an API key.
    pub secret: String,
    /// What stands before it: `"Bearer "`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prefix: String,
}

/// How many a request has at most.
const MOST: usize = 8;
/// Those that say how a request is sent, which is ours to say.
const OURS: [&str; 13] = [
    "host",
    "connection",
    "content-length",
    "transfer-encoding",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "user-agent",
    "accept-encoding",
];

/// Checks the headers of a request to `target`.
///
/// # Errors
/// What is wrong, a sentence.
pub(super) fn check(headers: &BTreeMap<String, Header>, target: &str) -> Result<(), &'static str> {
    if headers.is_empty() {
        return Ok(());
    }
    if headers.len() > MOST {
        return Err("at most 8");
    }
    let mut names: Vec<String> = headers.keys().map(|name| name.to_ascii_lowercase()).collect();
    names.sort();
    names.dedup();
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
    if names.len() < headers.len()
        || names.iter().any(|name| name.is_empty() || name.len() > 60 || !name.bytes().all(fits))
    {
        return Err("a header's name is made of letters, digits, - and _, and stands once");
    }
    if names.iter().any(|name| OURS.contains(&name.as_str())) {
        return Err("this header says how the request is sent: it cannot be set");
    }
    if headers.values().any(|header| !secret::is_name(&header.secret)) {
        return Err("a header says the name of a secret: small letters, digits, - _ and .");
    }
    let plain =
        |header: &Header| header.prefix.len() <= 40 && header.prefix.bytes().all(|b| (b' '..=b'~').contains(&b));
    if !headers.values().all(plain) {
        return Err("what stands before a secret has at most 40 letters, digits and signs");
    }
    if !Url::parse(target).is_ok_and(|url| is_private(&url)) {
        return Err("a secret is sent by https alone, or on the server's own machine");
    }
    Ok(())
}

/// Whether what goes there cannot be read on its way.
fn is_private(url: &Url) -> bool {
    match (url.scheme(), url.host()) {
        ("https", Some(_)) => true,
        ("http", Some(Host::Ipv4(ip))) => ip.is_loopback(),
        ("http", Some(Host::Ipv6(ip))) => ip.is_loopback(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(name: &str, secret: &str, prefix: &str, target: &str) -> Result<(), &'static str> {
        let header = Header { secret: secret.to_owned(), prefix: prefix.to_owned() };
        check(&BTreeMap::from([(name.to_owned(), header)]), target)
    }

    #[test]
    fn a_secret_goes_in_a_header_of_its_own_and_where_nobody_reads_it() {
        let site = "https://status.example/";
        assert_eq!(says("Authorization", "status-page-token", "Bearer ", site), Ok(()));
        assert_eq!(says("X-Key", "k", "", "http://127.0.0.1:8080/"), Ok(()));
        assert!(says("X-Key", "k", "", "http://status.example/").unwrap_err().contains("https"));
        assert!(says("X-Key", "k", "", "http://10.0.0.1/").unwrap_err().contains("https"));
        assert!(says("Host", "k", "", site).unwrap_err().contains("cannot be set"));
        assert!(says("transfer-Encoding", "k", "", site).unwrap_err().contains("cannot be set"));
        assert!(says("X Key", "k", "", site).is_err());
        assert!(says("X-Key", "A value, not a name", "", site).unwrap_err().contains("name of a secret"));
        assert!(says("X-Key", "k", "a\r\nX-Other: ", site).is_err());
    }

    #[test]
    fn a_header_stands_once() {
        let header = || Header { secret: "k".to_owned(), prefix: String::new() };
        let twice = BTreeMap::from([("X-Key".to_owned(), header()), ("x-key".to_owned(), header())]);
        assert!(check(&twice, "https://status.example/").unwrap_err().contains("once"));
        let many = (0..9).map(|n| (format!("X-{n}"), header())).collect();
        assert_eq!(check(&many, "https://status.example/"), Err("at most 8"));
    }
}
