//! Which incidents the list shows: the filter's words, its fields and the links that change it.

use askama::filters::urlencode;
use jiff::civil::Date;
use uuid::Uuid;

use crate::incidents::Standing;

/// How the incidents stand that are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// All that are open.
    Open,
    /// All that are closed.
    Closed,
    /// Those that stand so.
    Standing(Standing),
}

impl Wanted {
    /// Each that can be chosen, in the order of the field.
    pub const ALL: [Wanted; 9] = [
        Wanted::Open,
        Wanted::Standing(Standing::NeedsYou),
        Wanted::Standing(Standing::Held),
        Wanted::Standing(Standing::Healing),
        Wanted::Standing(Standing::WatchingOnly),
        Wanted::Closed,
        Wanted::Standing(Standing::Fixed),
        Wanted::Standing(Standing::RecoveredByItself),
        Wanted::Standing(Standing::Closed),
    ];

    /// Its words.
    pub fn words(&self) -> &'static str {
        match self {
            Wanted::Open => "open",
            Wanted::Closed => "closed",
            Wanted::Standing(Standing::Closed) => "closed by a person",
            Wanted::Standing(standing) => standing.words(),
        }
    }

    /// Its word in an address.
    pub fn word(&self) -> &'static str {
        match self {
            Wanted::Open => "open",
            Wanted::Closed => "closed",
            Wanted::Standing(Standing::NeedsYou) => "needs-you",
            Wanted::Standing(Standing::Held) => "held",
            Wanted::Standing(Standing::Healing) => "healing",
            Wanted::Standing(Standing::WatchingOnly) => "watching-only",
            Wanted::Standing(Standing::Fixed) => "fixed",
            Wanted::Standing(Standing::RecoveredByItself) => "recovered-by-itself",
            Wanted::Standing(Standing::Closed) => "by-a-person",
        }
    }
}

/// The filter as it was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// How they stand.
    pub wanted: Option<Wanted>,
    /// Of which client: its id and name.
    pub client: Option<(Uuid, String)>,
    /// What the host's name contains.
    pub host: Option<String>,
    /// The kind of check that saw it, in the stored word.
    pub kind: Option<String>,
    /// Opened on this day or later.
    pub from: Option<Date>,
    /// Opened on this day or before.
    pub to: Option<Date>,
}

/// One part of the filter that is set, and where the list is without it.
pub struct Chip {
    /// What it says.
    pub words: String,
    /// The list without it.
    pub without: String,
}

impl Filter {
    /// Whether everything is shown.
    pub fn is_empty(&self) -> bool {
        *self == Filter::default()
    }

    /// Its parts as they stand in an address: name, value, and the words of its chip.
    fn parts(&self) -> Vec<(&'static str, String, String)> {
        let mut parts = Vec::new();
        if let Some(wanted) = &self.wanted {
            parts.push(("state", wanted.word().to_owned(), format!("State: {}", wanted.words())));
        }
        if let Some((id, name)) = &self.client {
            parts.push(("client", id.to_string(), format!("Client: {name}")));
        }
        if let Some(host) = &self.host {
            parts.push(("host", host.clone(), format!("Host has “{host}”")));
        }
        if let Some(kind) = &self.kind {
            parts.push(("kind", kind.clone(), format!("Kind: {}", kind_words(kind))));
        }
        if let Some(from) = self.from {
            parts.push(("from", from.to_string(), format!("From {from}")));
        }
        if let Some(to) = self.to {
            parts.push(("to", to.to_string(), format!("Until {to}")));
        }
        parts
    }

    /// A chip for each part that is set.
    pub fn chips(&self) -> Vec<Chip> {
        let parts = self.parts();
        let others = |left_out: &str| {
            let kept = parts.iter().filter(|(name, ..)| *name != left_out).map(|(n, v, _)| (*n, Some(v.clone())));
            address("/incidents", &kept.collect::<Vec<_>>())
        };
        parts.iter().map(|(name, _, words)| Chip { words: words.clone(), without: others(name) }).collect()
    }

    /// The list's address with this filter, from its beginning or after a place.
    pub fn address(&self, after: Option<&str>) -> String {
        let parts = self.parts();
        let mut said: Vec<_> = parts.iter().map(|(name, value, _)| (*name, Some(value.clone()))).collect();
        said.push(("after", after.map(str::to_owned)));
        address("/incidents", &said)
    }
}

/// An address with those of its fields that are set.
pub(crate) fn address(path: &str, parts: &[(&str, Option<String>)]) -> String {
    let set = parts.iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
    let said: Vec<_> =
        set.filter_map(|(name, value)| urlencode(value).ok().map(|value| format!("{name}={value}"))).collect();
    if said.is_empty() { path.to_owned() } else { format!("{path}?{}", said.join("&")) }
}

/// A kind of check in words.
pub fn kind_words(kind: &str) -> &str {
    match kind {
        "service" => "service stopped",
        "heartbeat" => "host silent",
        "http" => "URL fails",
        "tcp" => "port refuses",
        "ssh" => "SSH lets nobody in",
        "disk" => "disk fills",
        "process" => "process",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chip_leads_to_the_list_without_it_and_what_is_typed_stays_one_value() {
        let filter = Filter { wanted: Some(Wanted::Open), host: Some("a&b=c d".to_owned()), ..Filter::default() };
        let chips: Vec<_> = filter.chips().into_iter().map(|chip| chip.without).collect();
        assert_eq!(chips, ["/incidents?host=a%26b%3Dc%20d", "/incidents?state=open"]);
        assert_eq!(filter.address(Some("x")), "/incidents?state=open&host=a%26b%3Dc%20d&after=x");
        assert_eq!(Filter::default().address(None), "/incidents");
    }
}
