//! A table of clients, sites and contacts (CSV): what each of its lines would add to those that are there. Nothing that is
//! there is changed by it.

use std::collections::BTreeMap;

use super::{is_email, is_name, is_phone};

/// The most lines of a file.
pub const LINES_MAX: usize = 1_000;
/// The columns; only the first must be there. They come in any order.
pub const COLUMNS: [&str; 6] = ["client", "time_zone", "site", "contact", "email", "phone"];

/// What is there already.
#[derive(Clone, Debug, Default)]
pub struct Present {
    /// Clients with their time zones and whether they are archived.
    pub clients: Vec<(String, String, Standing)>,
    /// Sites, by their client's name.
    pub sites: Vec<(String, String)>,
    /// Contacts' addresses, by their client's name.
    pub contacts: Vec<(String, String)>,
}

/// Whether a client is looked after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is.
    Active,
    /// It was.
    Archived,
}

/// A contact to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// Their name.
    pub name: String,
    /// Their address.
    pub email: String,
    /// Their number.
    pub phone: Option<String>,
}

/// What a line adds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Adds {
    /// The client it is about.
    pub client: String,
    /// The client itself, in this time zone.
    pub zone: Option<String>,
    /// This site of it.
    pub site: Option<String>,
    /// This contact of it.
    pub contact: Option<Contact>,
}

impl Adds {
    /// Whether everything the line says is there already.
    pub fn is_nothing(&self) -> bool {
        self.zone.is_none() && self.site.is_none() && self.contact.is_none()
    }
}

/// A line of the file with what comes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its number in the file, from 1.
    pub number: u64,
    /// What it says, for whoever reads the preview.
    pub said: String,
    /// What it adds, or a sentence about what is wrong.
    pub outcome: Result<Adds, String>,
}

/// Reads a file. Columns are separated by commas, or by semicolons where the heading has them and no comma.
///
/// # Errors
/// A sentence, when it cannot be read as a table at all.
pub fn read(text: &str, present: &Present, zone: &str, is_zone: &dyn Fn(&str) -> bool) -> Result<Vec<Line>, String> {
    let text = text.trim_start_matches('\u{feff}');
    let heading = text.lines().next().unwrap_or_default();
    let delimiter = if heading.contains(';') && !heading.contains(',') { b';' } else { b',' };
    let mut reader =
        csv::ReaderBuilder::new().delimiter(delimiter).trim(csv::Trim::All).flexible(true).from_reader(text.as_bytes());
    let headers = reader.headers().map_err(|_| "the heading cannot be read".to_owned())?;
    let headers: Vec<String> = headers.iter().map(str::to_lowercase).collect();
    for name in &headers {
        if !COLUMNS.contains(&name.as_str()) {
            let known = COLUMNS.join(", ");
            return Err(format!("the heading names a column “{name}”; there are: {known}"));
        }
        if headers.iter().filter(|other| *other == name).count() > 1 {
            return Err(format!("the heading names “{name}” twice"));
        }
    }
    if !headers.iter().any(|name| name == "client") {
        return Err("the heading has no column “client”".to_owned());
    }
    let mut seen = Seen::of(present);
    let mut lines = Vec::new();
    for record in reader.records() {
        if lines.len() == LINES_MAX {
            return Err(format!("the file has more than {LINES_MAX} lines; import it in parts"));
        }
        let (number, said, outcome) = match record {
            Err(error) => {
                let number = line_at(text, error.position());
                (number, String::new(), Err("the line cannot be read as text in columns".to_owned()))
            }
            Ok(record) => {
                let number = line_at(text, record.position());
                let said = record.iter().filter(|field| !field.is_empty()).collect::<Vec<_>>().join(" · ");
                let outcome = if record.len() > headers.len() {
                    Err(format!("it has {} fields, the heading names {}", record.len(), headers.len()))
                } else {
                    let fields = headers.iter().zip(record.iter()).filter(|(_, field)| !field.is_empty());
                    seen.line(&fields.map(|(name, field)| (name.as_str(), field)).collect(), zone, is_zone)
                };
                (number, said, outcome)
            }
        };
        lines.push(Line { number, said, outcome });
    }
    if lines.is_empty() { Err("the file has no line below its heading".to_owned()) } else { Ok(lines) }
}

/// The number of the line at a place. The reader's own count stops before the second half of a line's end.
fn line_at(text: &str, place: Option<&csv::Position>) -> u64 {
    let byte = place.map_or(0, |place| usize::try_from(place.byte()).unwrap_or(usize::MAX)).min(text.len());
    let bytes = text.as_bytes();
    let ends = bytes[byte..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    1 + bytes[..byte + ends].iter().filter(|byte| **byte == b'\n').count() as u64
}

/// What is there, and what the lines before add to it; names are compared without their case.
struct Seen {
    clients: BTreeMap<String, (String, String, Standing)>,
    sites: Vec<(String, String)>,
    contacts: Vec<(String, String)>,
}

impl Seen {
    fn of(present: &Present) -> Seen {
        let low =
            |pairs: &[(String, String)]| pairs.iter().map(|(a, b)| (a.to_lowercase(), b.to_lowercase())).collect();
        Seen {
            clients: present.clients.iter().map(|client| (client.0.to_lowercase(), client.clone())).collect(),
            sites: low(&present.sites),
            contacts: low(&present.contacts),
        }
    }

    fn line(
        &mut self,
        fields: &BTreeMap<&str, &str>,
        default_zone: &str,
        is_zone: &dyn Fn(&str) -> bool,
    ) -> Result<Adds, String> {
        let field = |name: &str| fields.get(name).map(|field| (*field).to_owned());
        let name = field("client").ok_or("it names no client")?;
        let (zone, site, email) = (field("time_zone"), field("site"), field("email"));
        for name in [Some(&name), site.as_ref(), field("contact").as_ref()].into_iter().flatten() {
            if !is_name(name) {
                return Err(format!(
                    "“{}” is no name: a name has 1 to 200 characters in one line",
                    name.escape_debug()
                ));
            }
        }
        if let Some(zone) = zone.as_ref().filter(|zone| !is_zone(zone)) {
            return Err(format!("“{zone}” is no time zone; write one like Europe/Berlin"));
        }
        let phone = field("phone");
        if let Some(phone) = phone.as_ref().filter(|phone| !is_phone(phone)) {
            return Err(format!("“{phone}” is no telephone number"));
        }
        let contact = match (email, field("contact")) {
            (Some(email), _) if !is_email(&email) => return Err(format!("“{email}” is no e-mail address")),
            (Some(email), name) => Some(Contact { name: name.unwrap_or_else(|| email.clone()), email, phone }),
            (None, Some(name)) => return Err(format!("the contact “{name}” has no e-mail address")),
            (None, None) if phone.is_some() => return Err("a number without a contact".to_owned()),
            (None, None) => None,
        };
        let key = name.to_lowercase();
        let mut adds = Adds { client: name.clone(), ..Adds::default() };
        match self.clients.get(&key) {
            Some((known, _, Standing::Archived)) => {
                return Err(format!("“{known}” is archived; restore it first"));
            }
            Some((known, has, Standing::Active)) => {
                if let Some(zone) = zone.as_ref().filter(|zone| *zone != has) {
                    return Err(format!(
                        "“{known}” is in {has}, not in {zone}; an import changes nothing that is there"
                    ));
                }
                adds.client.clone_from(known);
            }
            None => {
                let zone = zone.unwrap_or_else(|| default_zone.to_owned());
                self.clients.insert(key.clone(), (name, zone.clone(), Standing::Active));
                adds.zone = Some(zone);
            }
        }
        adds.site = site.filter(|site| insert(&mut self.sites, &key, site));
        adds.contact = contact.filter(|contact| insert(&mut self.contacts, &key, &contact.email));
        Ok(adds)
    }
}

/// Notes a pair; whether it is new.
fn insert(pairs: &mut Vec<(String, String)>, client: &str, value: &str) -> bool {
    let pair = (client.to_owned(), value.to_lowercase());
    let is_new = !pairs.contains(&pair);
    if is_new {
        pairs.push(pair);
    }
    is_new
}

#[cfg(test)]
mod tests;
