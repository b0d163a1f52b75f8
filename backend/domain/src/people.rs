//! What a person may call themselves, sign in with, and guess how often. Each refusal is a sentence that says the way out.

use std::time::Duration;

/// The shortest password, in characters (more than the 8 that OWASP ASVS 5.0 asks for, 6.2.1).
pub const PASSWORD_MIN: usize = 12;
/// The longest, in bytes.
pub const PASSWORD_MAX: usize = 256;
/// The longest address there can be (RFC 5321).
pub const EMAIL_MAX: usize = 254;
/// The longest name, in characters.
pub const NAME_MAX: usize = 100;

/// A password that may be used with the address `email`.
///
/// # Errors
/// Why it may not.
pub fn check_password(password: &str, email: &str) -> Result<(), &'static str> {
    if password.chars().count() < PASSWORD_MIN {
        return Err("The password is too short: 12 characters at least. A sentence is easy to remember.");
    }
    if password.len() > PASSWORD_MAX {
        return Err("The password is too long: 256 bytes at most.");
    }
    let local = email.split('@').next().unwrap_or_default();
    // What a guesser knows of them, and the 30,000 passwords, names and words that are guessed first (OWASP ASVS 5.0, 6.2.4).
    let known = [email, local, "mendwright"];
    if zxcvbn::zxcvbn(password, &known).score() < zxcvbn::Score::Three {
        return Err(
            "The password is one that is guessed early: common words, your own address, a pattern. Add a word or two.",
        );
    }
    Ok(())
}

/// An address as it is stored: trimmed.
///
/// # Errors
/// Why it is none.
pub fn check_email(email: &str) -> Result<String, &'static str> {
    const NONE: &str = "That is no e-mail address. It looks like name@example.com.";
    let email = email.trim();
    let (local, domain) = email.rsplit_once('@').ok_or(NONE)?;
    let clean = |c: char| {
        c.is_ascii_graphic() && !matches!(c, '<' | '>' | '(' | ')' | ',' | ';' | ':' | '"' | '\\' | '[' | ']' | '@')
    };
    let host = |label: &str| {
        !label.is_empty() && label.len() <= 63 && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    let ok = email.len() <= EMAIL_MAX
        && !local.is_empty()
        && local.len() <= 64
        && local.chars().all(clean)
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && domain.contains('.')
        && domain.split('.').all(host);
    if ok { Ok(email.to_owned()) } else { Err(NONE) }
}

/// Domains of addresses as they are stored: lower case, each once.
///
/// # Errors
/// Why they are none.
pub fn check_domains(text: &str) -> Result<Vec<String>, &'static str> {
    let mut domains: Vec<String> = Vec::new();
    for domain in text.split([',', ' ', '\n', '\r', ';']).filter(|domain| !domain.is_empty()) {
        let domain = domain.trim_start_matches('@').to_lowercase();
        check_email(&format!("name@{domain}")).map_err(|_| "A domain looks like example.com.")?;
        if !domains.contains(&domain) {
            domains.push(domain);
        }
    }
    match domains.len() {
        0 => Err("At least one domain: only addresses of your own domains count."),
        1..=20 => Ok(domains),
        _ => Err("Twenty domains at most."),
    }
}

/// A person's or an organization's name as it is stored: trimmed.
///
/// # Errors
/// Why it may not be one.
pub fn check_name(name: &str) -> Result<String, &'static str> {
    let name = name.trim();
    if name.is_empty() {
        return Err("The name is missing.");
    }
    if name.chars().count() > NAME_MAX {
        return Err("The name is too long: 100 characters at most.");
    }
    if name.chars().any(char::is_control) {
        return Err("The name holds characters that cannot be shown.");
    }
    // A name stands in mails that we send: a link in it would be an advertisement under our name.
    if name.contains("://") || name.to_lowercase().contains("www.") {
        return Err("A name holds no link.");
    }
    Ok(name.to_owned())
}

/// How long a login rests after so many tries without success: four are free, then it doubles up to 15 minutes.
pub fn rest_of_login(tries: u32) -> Duration {
    rest(tries, 4)
}

/// How long a source rests after so many tries that failed: thirty are free, for an office has many people.
pub fn rest_of_source(tries: u32) -> Duration {
    rest(tries, 30)
}

/// How long a whole site of long addresses rests (a /48, in which whoever has it moves as they like) after so many tries that
/// failed: three hundred are free, for it may be many customers too.
pub fn rest_of_site(tries: u32) -> Duration {
    rest(tries, 300)
}

/// Letters within an hour for all strangers together whose source is not known: behind a proxy that nobody has named.
pub const LETTERS_OF_UNKNOWN: u32 = 100;

/// How long those letters rest after so many in the same hour: until another one has begun.
pub fn rest_of_letters(letters: u32) -> Duration {
    if letters < LETTERS_OF_UNKNOWN { Duration::ZERO } else { Duration::from_secs(3_600) }
}

fn rest(tries: u32, free: u32) -> Duration {
    match tries.checked_sub(free + 1) {
        None => Duration::ZERO,
        Some(more) => Duration::from_secs(1 << more.min(10)).min(Duration::from_secs(900)),
    }
}

/// Of fewer tries in a row without success no audit tells: people mistype.
pub const FAILED_TOLD: u32 = 5;

/// Whether the audit tells at once that so many tries in a row were without success: of 5, 50, 500 and so on. The count begins
/// anew only when its owner comes in, so a stranger who guesses cannot fill the audit.
pub fn are_told_of(tries: u32) -> bool {
    let times = tries / FAILED_TOLD;
    times > 0 && tries.is_multiple_of(FAILED_TOLD) && 10_u32.pow(times.ilog10()) == times
}

/// Invitations of one address within a day.
const INVITED_MAX: u32 = 5;
/// Invitations of an organization within a day.
const INVITING_MAX: u32 = 200;

/// Whether one more may be invited, when within a day the same address was invited so often and all together so often:
/// an invitation is a mail to somebody who did not ask for it.
///
/// # Errors
/// A sentence.
pub fn may_invite(of_address: u32, of_all: u32) -> Result<(), &'static str> {
    if of_address >= INVITED_MAX {
        return Err("They were invited five times within a day: ask them to look into their mail.");
    }
    if of_all >= INVITING_MAX {
        return Err("200 invitations were sent within a day: go on tomorrow.");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_tries_are_free_and_no_wait_is_longer_than_a_quarter_of_an_hour() {
        assert_eq!([1, 4, 5, 6, 10].map(|n| rest_of_login(n).as_secs()), [0, 0, 1, 2, 32]);
        assert_eq!([30, 31, 32].map(|n| rest_of_source(n).as_secs()), [0, 1, 2]);
        assert_eq!([300, 301, 302].map(|n| rest_of_site(n).as_secs()), [0, 1, 2]);
        assert_eq!([1, 99, 100, 101].map(|n| rest_of_letters(n).as_secs()), [0, 0, 3_600, 3_600]);
        assert_eq!(rest_of_login(u32::MAX).as_secs(), 900);
    }

    #[test]
    fn of_many_tries_without_success_few_are_told_of() {
        let told: Vec<u32> = (0..=60_000).filter(|tries| are_told_of(*tries)).collect();
        assert_eq!(told, [5, 50, 500, 5_000, 50_000]);
        assert!(!are_told_of(u32::MAX));
    }

    #[test]
    fn a_password_is_long_and_none_that_is_guessed_early() {
        for good in ["correct horse battery staple", "Dächer über München", "x9!kfP2#qLw8z"] {
            assert_eq!(check_password(good, "sam@msp.example"), Ok(()), "{good}");
        }
        let long = "ab1".repeat(90);
        for bad in
            ["short", "password1234", "Passwordpassword", "aaaaaaaaaaaaaaa", "qwerty123456", "samantha2026", &long]
        {
            assert!(check_password(bad, "samantha@msp.example").is_err(), "{bad}");
        }
    }

    #[test]
    fn an_address_is_one_and_adds_no_header() {
        assert_eq!(check_email(" sam@msp.example "), Ok("sam@msp.example".to_owned()));
        let long = format!("{}@msp.example", "x".repeat(65));
        for bad in [
            "",
            "sam",
            "sam@",
            "@msp.example",
            "sam@msp",
            "a@b.example\r\nBcc: x@y.example",
            "a b@c.example",
            "a@@b.example",
            "a@b..example",
            &long,
        ] {
            assert!(check_email(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn domains_are_whole_and_at_least_one() {
        let ours = vec!["msp.example".to_owned(), "other.example".to_owned()];
        assert_eq!(check_domains("MSP.example, @other.example\r\nmsp.example"), Ok(ours));
        for bad in ["", " , ", "example", "*.example.com", "a@b.example", "x..example"] {
            assert!(check_domains(bad).is_err(), "{bad}");
        }
        let many: Vec<String> = (0..21).map(|n| format!("d{n}.example")).collect();
        assert!(check_domains(&many.join(" ")).is_err());
    }

    #[test]
    fn a_name_can_be_shown_and_is_no_advertisement() {
        assert_eq!(check_name(" Northwind IT "), Ok("Northwind IT".to_owned()));
        for bad in ["", " ", "a\nb", "see https://evil.example", "WWW.evil.example", &"x".repeat(101)] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn nobody_is_invited_over_and_over() {
        assert_eq!(may_invite(4, 199), Ok(()));
        assert!(may_invite(5, 5).unwrap_err().contains("five times"));
        assert!(may_invite(0, 200).unwrap_err().contains("200"));
    }
}
