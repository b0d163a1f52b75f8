//! Secrets of an organization: their names, their kinds, and what can be one. What they say is sealed and shown to nobody.

/// What a secret is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A private key of SSH.
    SshKey,
    /// What a service knows a program by: a key, a token.
    ApiKey,
    /// The password of a mail server's user.
    SmtpPassword,
}

impl Kind {
    /// All, with their stored words.
    pub const ALL: [(Kind, &'static str); 3] =
        [(Kind::ApiKey, "api_key"), (Kind::SmtpPassword, "smtp_password"), (Kind::SshKey, "ssh_key")];

    /// The kind of a stored word.
    pub fn parse(word: &str) -> Option<Kind> {
        Kind::ALL.iter().find(|(_, w)| *w == word).map(|(kind, _)| *kind)
    }

    /// The stored word.
    pub fn word(self) -> &'static str {
        match self {
            Kind::SshKey => "ssh_key",
            Kind::ApiKey => "api_key",
            Kind::SmtpPassword => "smtp_password",
        }
    }

    /// As people read it.
    pub fn label(self) -> &'static str {
        match self {
            Kind::SshKey => "SSH key",
            Kind::ApiKey => "API key",
            Kind::SmtpPassword => "SMTP password",
        }
    }
}

/// The longest name.
pub const NAME_MAX: usize = 60;
/// The longest private key, in bytes: one of RSA with 8,192 bits has 6.5 KB.
const SSH_MAX: usize = 16 * 1024;
/// The longest key of a service: what servers take in one header.
const API_MAX: usize = 4096;
/// The longest password.
const PASSWORD_MAX: usize = 500;

/// Whether it can be a secret's name: it stands in files and sentences.
pub fn is_name(name: &str) -> bool {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b);
    (1..=NAME_MAX).contains(&name.len()) && name.bytes().all(fits) && name.as_bytes()[0].is_ascii_alphanumeric()
}

/// A value as it is stored, from what was typed or pasted.
///
/// # Errors
/// What is wrong with it: a sentence that holds nothing of it.
pub fn parse_value(kind: Kind, typed: &str) -> Result<String, &'static str> {
    match kind {
        Kind::SshKey => {
            // A browser sends line ends of its own, and a key file ends with one.
            let key = format!("{}\n", typed.replace("\r\n", "\n").trim());
            let is_key =
                key.starts_with("-----BEGIN ") && key.lines().next().is_some_and(|l| l.ends_with("PRIVATE KEY-----"));
            if !is_key || key.contains(['\r', '\0']) || key.len() > SSH_MAX {
                return Err("An SSH key is a whole private key, from “-----BEGIN … PRIVATE KEY-----” on.");
            }
            Ok(key)
        }
        Kind::ApiKey => {
            let key = typed.trim();
            if key.is_empty() || key.len() > API_MAX || !key.bytes().all(|b| (b' '..=b'~').contains(&b)) {
                return Err("An API key is one line of at most 4,096 letters, digits and signs.");
            }
            Ok(key.to_owned())
        }
        Kind::SmtpPassword => {
            if typed.is_empty() || typed.len() > PASSWORD_MAX || typed.chars().any(char::is_control) {
                return Err("A password is one line of at most 500 characters.");
            }
            Ok(typed.to_owned())
        }
    }
}

/// Why a secret stays that something refers to.
pub fn stays(name: &str, uses: &[String]) -> String {
    let first = uses.first().map_or("", String::as_str);
    match uses.len() {
        0 | 1 => format!("“{name}” stays: {first} refers to it."),
        n => format!("“{name}” stays: {first} and {} more refer to it.", n - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_can_stand_in_a_file_and_in_a_sentence() {
        for name in ["status-page-token", "a", "relay.example_2"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "-a", "A", "a b", "ä", &"a".repeat(61)] {
            assert!(!is_name(name), "{name}");
        }
    }

    #[test]
    fn a_value_is_taken_as_its_kind_is_written_and_told_of_by_nothing_of_it() {
        let key = "-----BEGIN OPENSSH PRIVATE KEY-----\r\nb3Blbg\r\n-----END OPENSSH PRIVATE KEY-----";
        let stored = parse_value(Kind::SshKey, key).unwrap();
        assert_eq!(stored, "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Blbg\n-----END OPENSSH PRIVATE KEY-----\n");
        assert_eq!(parse_value(Kind::ApiKey, " canary \n").unwrap(), "canary");
        assert_eq!(parse_value(Kind::SmtpPassword, " pass word ").unwrap(), " pass word ");
        for (kind, typed) in [
            (Kind::SshKey, "ssh-ed25519 AAAA canary"),
            (Kind::ApiKey, "canary\nX-Other: 1"),
            (Kind::ApiKey, "  "),
            (Kind::SmtpPassword, "canary\r"),
            (Kind::SmtpPassword, ""),
        ] {
            assert!(!parse_value(kind, typed).unwrap_err().contains("canary"), "{typed}");
        }
    }

    #[test]
    fn every_kind_has_its_word() {
        for (kind, word) in Kind::ALL {
            assert_eq!((Kind::parse(word), kind.word()), (Some(kind), word));
        }
    }

    #[test]
    fn who_refers_to_a_secret_is_named() {
        let uses = |n: usize| (1..=n).map(|n| format!("check “{n}”")).collect::<Vec<_>>();
        assert_eq!(stays("a", &uses(1)), "“a” stays: check “1” refers to it.");
        assert_eq!(stays("a", &uses(3)), "“a” stays: check “1” and 2 more refer to it.");
    }
}
