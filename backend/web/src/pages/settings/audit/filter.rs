//! The filter of the audit, as an address says it.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use store::audit::{Filter, Place};
use uuid::Uuid;
use views::settings::AuditFilter;

/// The longest text that is looked for, in characters.
const TEXT: usize = 100;

/// What the address asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// The filter.
    pub filter: AuditFilter,
    /// The place after which the page begins.
    pub after: Option<Place>,
}

/// Reads the fields of an address, or says which one is wrong and why. Empty ones are as if they were not there.
pub fn parse(fields: &[(String, String)]) -> Result<Asked, String> {
    let mut asked = Asked::default();
    let mut seen: Vec<&str> = Vec::new();
    for (name, value) in fields {
        let value = value.trim();
        if seen.contains(&name.as_str()) {
            return Err(format!("“{name}” stands there twice"));
        }
        seen.push(name);
        if value.is_empty() {
            continue;
        }
        let filter = &mut asked.filter;
        match name.as_str() {
            "actor" => filter.actor = Some(text(name, value)?),
            "action" => filter.action = Some(text(name, value)?),
            "subject" => filter.subject = Some(id(name, value)?),
            "client" => filter.client = Some(id(name, value)?),
            "from" => filter.from = Some(day(name, value)?),
            "to" => filter.to = Some(day(name, value)?),
            "after" => asked.after = Some(place(value).ok_or("“after” is no place in this list")?),
            other => return Err(format!("there is no filter “{}”", other.chars().take(30).collect::<String>())),
        }
    }
    match (asked.filter.from, asked.filter.to) {
        (Some(from), Some(to)) if from > to => Err("“from” is later than “to”".to_owned()),
        _ => Ok(asked),
    }
}

fn text(field: &str, value: &str) -> Result<String, String> {
    // The database's texts have no NUL.
    if value.chars().count() > TEXT || value.contains('\0') {
        return Err(format!("“{field}” is longer than {TEXT} characters, or no text"));
    }
    Ok(value.to_owned())
}

fn id(field: &str, value: &str) -> Result<Uuid, String> {
    Uuid::parse_str(value).map_err(|_| format!("“{field}” is no id"))
}

fn day(field: &str, value: &str) -> Result<Date, String> {
    let day: Option<Date> = value.parse().ok();
    day.filter(|day| (2000..2200).contains(&day.year()) && day.to_string() == value)
        .ok_or_else(|| format!("“{field}” is a day, written like 2026-11-24"))
}

/// The filter as the store takes it; days are those of `zone`.
pub fn stored(filter: &AuditFilter, zone: &TimeZone) -> Filter {
    let begin = |day: Date| day.to_zoned(zone.clone()).ok().map(|at| at.timestamp());
    Filter {
        actor: filter.actor.clone(),
        action: filter.action.clone(),
        subject_id: filter.subject,
        client_id: filter.client,
        from_at: filter.from.and_then(begin),
        to_at: filter.to.and_then(|day| day.tomorrow().ok()).and_then(begin),
    }
}

/// A place as it stands in an address; the database counts microseconds.
pub fn said(place: Place) -> String {
    format!("{}.{}", place.at.as_microsecond(), place.audit_id.simple())
}

fn place(said: &str) -> Option<Place> {
    let (at, id) = said.split_once('.')?;
    let at = Timestamp::from_microsecond(at.parse().ok()?).ok().filter(|at| *at >= Timestamp::UNIX_EPOCH)?;
    Some(Place { at, audit_id: Uuid::try_parse(id).ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(fields: &[(&str, &str)]) -> Result<Asked, String> {
        parse(&fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<Vec<_>>())
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (name, value) in [
            ("subject", "web-01"),
            ("client", "acme"),
            ("from", "2026-02-30"),
            ("after", "1.x"),
            ("page", "2"),
            ("actor", "a\0b"),
        ] {
            let wrong = read(&[(name, value)]).unwrap_err();
            assert!(wrong.contains(&format!("“{name}”")), "{wrong}");
        }
        assert!(read(&[("actor", "a"), ("actor", "b")]).unwrap_err().contains("twice"));
        assert!(read(&[("from", "2026-11-02"), ("to", "2026-11-01")]).unwrap_err().contains("later"));
    }

    #[test]
    fn a_place_is_read_as_it_was_said() {
        let place =
            Place { at: Timestamp::from_microsecond(1_764_000_000_000_001).unwrap(), audit_id: Uuid::from_u128(7) };
        assert_eq!(
            read(&[("after", &said(place)), ("actor", " ")]).unwrap(),
            Asked { after: Some(place), ..Asked::default() }
        );
    }
}
