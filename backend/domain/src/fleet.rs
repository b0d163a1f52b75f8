//! Clients, sites, contacts and tags as people write them: what is a name, an address, a tag; and what a file of them adds.

pub mod import;
pub mod network;
pub mod own_limits;

use std::collections::BTreeMap;

use crate::classify::mapping::Mapping;
use crate::detect::Check;

/// The longest name, in bytes.
pub const NAME_MAX: usize = 200;
/// The most tags of a host.
pub const TAGS_MAX: usize = 50;

/// Whether people can read it as a name: not empty, not endless, one line.
pub fn is_name(name: &str) -> bool {
    !name.trim().is_empty() && name.len() <= NAME_MAX && !name.chars().any(char::is_control)
}

/// Whether mail can be sent to it.
pub fn is_email(address: &str) -> bool {
    address
        .split_once('@')
        .is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty() && !domain.contains('@'))
        && address.len() <= 254
        && !address.chars().any(|c| c.is_whitespace() || c.is_control() || "<>,;".contains(c))
}

/// Whether somebody can be called by it: digits and what stands between them.
pub fn is_phone(number: &str) -> bool {
    (3..=40).contains(&number.len())
        && number.chars().any(|c| c.is_ascii_digit())
        && number.chars().all(|c| c.is_ascii_digit() || "+-() ./x".contains(c))
}

/// Tags as they are typed: `key=value`, one a line or between commas.
///
/// # Errors
/// A sentence about the first that is none.
pub fn tags(typed: &str) -> Result<BTreeMap<String, String>, String> {
    let mut pairs = Vec::new();
    for tag in typed.split(['\n', ',']).map(str::trim).filter(|tag| !tag.is_empty()) {
        let pair = tag.split_once('=').ok_or_else(|| format!("“{tag}” is no tag; write key=value"))?;
        pairs.push(pair);
    }
    tags_of(pairs)
}

/// Tags as they are told: keys and values. What could not be typed as `key=value` is none.
///
/// # Errors
/// A sentence about the first that is none.
pub fn tags_of<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<BTreeMap<String, String>, String> {
    let mut tags = BTreeMap::new();
    for (key, value) in pairs {
        let (key, value) = (key.trim(), value.trim());
        let is_sound = |text: &str, most: usize| {
            !text.is_empty() && text.len() <= most && !text.chars().any(|c| c.is_control() || c == ',')
        };
        if !is_sound(key, 60) || key.contains('=') || !is_sound(value, 200) {
            let says = "a key has 1 to 60 characters without “=”, a value 1 to 200, and neither has a comma";
            return Err(format!("“{key}={value}” is no tag; {says}"));
        }
        if tags.insert(key.to_owned(), value.to_owned()).is_some() {
            return Err(format!("the tag “{key}” stands there twice"));
        }
    }
    if tags.len() > TAGS_MAX { Err(format!("a host has at most {TAGS_MAX} tags")) } else { Ok(tags) }
}

/// The checks and mappings that mean a client by its name: they would mean nobody once it has another.
pub fn means_client(checks: &[Check], mappings: &[Mapping], client: &str) -> Vec<String> {
    let checks = checks.iter().filter(|check| check.selector.client.as_deref() == Some(client));
    let mappings = mappings.iter().filter(|mapping| mapping.when.client.as_deref() == Some(client));
    checks
        .map(|check| format!("the check “{}”", check.name))
        .chain(mappings.map(|mapping| format!("the mapping “{}”", mapping.name)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_address() {
        for sound in ["a@b", "ana.lopez+night@acme.example"] {
            assert!(is_email(sound), "{sound}");
        }
        for wrong in ["", "a", "@b", "a@", "a@b@c", "a b@c", "a@b,c@d", "a@b\r\nBcc: x", "<a@b>"] {
            assert!(!is_email(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_number_is_what_a_telephone_takes() {
        assert!(is_phone("+49 (30) 123-45") && is_phone("112") && is_phone("555.1234 x5"));
        for wrong in ["", "12", "call me", "+-()", "1\n2345", "=1+1"] {
            assert!(!is_phone(wrong), "{wrong}");
        }
    }

    #[test]
    fn tags_are_pairs_and_say_what_is_wrong_with_them() {
        let read = tags("role=web, env = prod\n\n tier=1").unwrap();
        assert_eq!(
            read.into_iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>(),
            ["env=prod", "role=web", "tier=1"]
        );
        assert_eq!(tags("a=b=c").unwrap()["a"], "b=c");
        assert!(tags("role").unwrap_err().contains("“role” is no tag"));
        assert!(tags("=x").is_err() && tags("x=").is_err() && tags("a=1,a=2").unwrap_err().contains("twice"));
        let many: Vec<String> = (0..=TAGS_MAX).map(|n| format!("k{n}=v")).collect();
        assert!(tags(&many.join("\n")).unwrap_err().contains("at most 50"));
    }
}
