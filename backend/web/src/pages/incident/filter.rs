//! The filter of the list of incidents, as an address says it.

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use store::pages::incidents::{self, Place};
use uuid::Uuid;
use views::incident_filter::{Filter, Wanted};
use views::incidents::Standing;

/// The longest part of a host's name that is looked for, in characters.
const HOST: usize = 100;

/// What the address asks for, as far as it can be known without looking: the client's name is not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// The filter; its client has no name yet.
    pub filter: Filter,
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
            return Err(format!("“{}” stands there twice", shown(name)));
        }
        seen.push(name);
        if value.is_empty() {
            continue;
        }
        let filter = &mut asked.filter;
        match name.as_str() {
            "state" => {
                let wanted = Wanted::ALL.into_iter().find(|wanted| wanted.word() == value);
                filter.wanted = Some(wanted.ok_or("“state” is none of the states below")?);
            }
            "client" => {
                let id = Uuid::parse_str(value).map_err(|_| "“client” is none of the clients below")?;
                filter.client = Some((id, String::new()));
            }
            "host" if value.chars().count() > HOST => return Err(format!("“host” is longer than {HOST} characters")),
            "host" => filter.host = Some(value.to_owned()),
            "kind" => filter.kind = Some(value.to_owned()),
            "from" => filter.from = Some(day("from", value)?),
            "to" => filter.to = Some(day("to", value)?),
            "after" => asked.after = Some(place(value).ok_or("“after” is no place in this list")?),
            other => return Err(format!("there is no filter “{}”", shown(other))),
        }
    }
    match (asked.filter.from, asked.filter.to) {
        (Some(from), Some(to)) if from > to => Err("“from” is later than “to”".to_owned()),
        _ => Ok(asked),
    }
}

/// As much of a name as a sentence bears.
fn shown(name: &str) -> String {
    name.chars().take(30).collect()
}

fn day(field: &str, value: &str) -> Result<Date, String> {
    let day: Option<Date> = value.parse().ok();
    day.filter(|day| (2000..2200).contains(&day.year()) && day.to_string() == value)
        .ok_or_else(|| format!("“{field}” is a day, written like 2026-11-24"))
}

/// The filter as the store takes it; days are those of `zone`.
pub fn stored(filter: &Filter, zone: &TimeZone) -> incidents::Filter {
    let begin = |day: Date| day.to_zoned(zone.clone()).ok().map(|at| at.timestamp());
    let (mut is_open, mut standing, mut outcome) = (None, None, None);
    match filter.wanted {
        None => {}
        Some(Wanted::Open) => is_open = Some(true),
        Some(Wanted::Closed) => is_open = Some(false),
        Some(Wanted::Standing(wanted)) => {
            is_open = Some(wanted.is_open());
            match wanted {
                Standing::NeedsYou => standing = Some("needs_you"),
                Standing::Held => standing = Some("held"),
                Standing::WatchingOnly => standing = Some("watching"),
                Standing::Healing => standing = Some("healing"),
                Standing::Fixed => outcome = Some("fixed"),
                Standing::RecoveredByItself => outcome = Some("recovered"),
                Standing::Closed => outcome = Some("by_person"),
            }
        }
    }
    incidents::Filter {
        is_open,
        standing,
        outcome,
        client_id: filter.client.as_ref().map(|(id, _)| *id),
        host: filter.host.clone(),
        kind: filter.kind.clone(),
        from_at: filter.from.and_then(begin),
        to_at: filter.to.and_then(|day| day.tomorrow().ok()).and_then(begin),
    }
}

/// A place as it stands in an address; the database counts microseconds.
pub fn said(place: Place) -> String {
    let group = if place.is_open { "open" } else { "closed" };
    format!("{group}.{}.{}", place.opened_at.as_microsecond(), place.incident_id.simple())
}

fn place(said: &str) -> Option<Place> {
    let mut parts = said.splitn(3, '.');
    let is_open = match parts.next()? {
        "open" => true,
        "closed" => false,
        _ => return None,
    };
    // Beyond these the database has no instants.
    let opened_at =
        Timestamp::from_microsecond(parts.next()?.parse().ok()?).ok().filter(|at| *at >= Timestamp::UNIX_EPOCH)?;
    Some(Place { is_open, opened_at, incident_id: Uuid::try_parse(parts.next()?).ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &[(&str, &str)]) -> Result<Asked, String> {
        let fields: Vec<_> = query.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        parse(&fields)
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (name, value) in [
            ("state", "broken"),
            ("client", "acme"),
            ("from", "yesterday"),
            ("from", "2026-02-30"),
            ("to", "9999-12-31"),
            ("after", "open.x.y"),
            ("after", "open.-1.00000000000000000000000000000000"),
            ("page", "2"),
        ] {
            let wrong = read(&[(name, value)]).unwrap_err();
            assert!(wrong.contains(&format!("“{name}”")), "{wrong}");
        }
        assert!(read(&[("host", &"x".repeat(101))]).unwrap_err().contains("“host”"));
        assert!(read(&[("kind", "disk"), ("kind", "tcp")]).unwrap_err().contains("twice"));
        assert!(read(&[("from", "2026-11-02"), ("to", "2026-11-01")]).unwrap_err().contains("later"));
    }

    #[test]
    fn an_empty_field_asks_for_nothing_and_a_place_is_read_as_it_was_said() {
        assert_eq!(read(&[("state", ""), ("host", " ")]), Ok(Asked::default()));
        let place = Place {
            is_open: true,
            opened_at: Timestamp::from_microsecond(1_764_000_000_000_001).unwrap(),
            incident_id: Uuid::from_u128(7),
        };
        assert_eq!(read(&[("after", &said(place))]).unwrap().after, Some(place));
    }

    #[test]
    fn a_day_is_one_of_the_zone_and_the_last_one_is_whole() {
        let asked = read(&[("from", "2026-10-25"), ("to", "2026-10-25")]).unwrap();
        let filter = stored(&asked.filter, &TimeZone::fixed(jiff::tz::offset(1)));
        assert_eq!(filter.from_at.unwrap().to_string(), "2026-10-24T23:00:00Z");
        assert_eq!(filter.to_at.unwrap().to_string(), "2026-10-25T23:00:00Z");
    }
}
