//! The audit: who did what, searched and exported.

use askama::Template;
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::Value;
use uuid::Uuid;

use super::Tab;
use crate::{Clock, Nav, Shell, incident_filter::address};

/// One entry.
#[derive(Clone, Debug)]
pub struct AuditRow {
    /// When.
    pub at: Timestamp,
    /// Who, as it is stored: "member 0193…", "loop verify".
    pub actor: String,
    /// The member's name, where a member did it.
    pub name: Option<String>,
    /// From which network address.
    pub source: Option<String>,
    /// In which request.
    pub request_id: Option<Uuid>,
    /// What was done.
    pub action: String,
    /// To what kind of thing.
    pub subject_kind: String,
    /// To which.
    pub subject_id: Uuid,
    /// The client's name.
    pub client: Option<String>,
    /// More about it.
    pub detail: Value,
    /// How it was before.
    pub before: Option<Value>,
    /// How it is after.
    pub after: Option<Value>,
    /// Its place in the chain with its hash, once it is linked.
    pub link: Option<(i64, String)>,
}

impl AuditRow {
    fn who(&self) -> String {
        match &self.name {
            Some(name) if self.actor.starts_with("token ") => format!("{name}, by a token"),
            Some(name) => name.clone(),
            None => match self.actor.split_once(' ') {
                Some(("loop", stage)) => format!("the loop {stage}"),
                Some((kind, _)) => format!("a {kind}"),
                None => format!("the {}", self.actor),
            },
        }
    }

    /// What is known of it beside the row itself, as label and text.
    fn facts(&self) -> Vec<(&'static str, String)> {
        let json = |value: &Value| serde_json::to_string_pretty(value).unwrap_or_default();
        let told = |value: &Value| value.as_object().is_none_or(|fields| !fields.is_empty());
        [
            self.before.as_ref().map(|value| ("before", json(value))),
            self.after.as_ref().map(|value| ("after", json(value))),
            Some(&self.detail).filter(|value| told(value)).map(|value| ("detail", json(value))),
            Some(("subject", format!("{} {}", self.subject_kind, self.subject_id))),
            Some(("actor", self.actor.clone())),
            self.request_id.map(|id| ("request", id.to_string())),
            self.link.as_ref().map(|(seq, hash)| ("hash", format!("{seq}:{hash}"))),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// What entries are looked for, as it was typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// A part of the actor, or of a member's name.
    pub actor: Option<String>,
    /// The beginning of an action.
    pub action: Option<String>,
    /// A thing.
    pub subject: Option<Uuid>,
    /// A client.
    pub client: Option<Uuid>,
    /// The first day.
    pub from: Option<Date>,
    /// The last day.
    pub to: Option<Date>,
}

impl AuditFilter {
    /// Where this filter's list is, from a place on.
    pub fn address(&self, after: Option<&str>) -> String {
        let parts = [
            ("actor", self.actor.clone()),
            ("action", self.action.clone()),
            ("subject", self.subject.map(|id| id.to_string())),
            ("client", self.client.map(|id| id.to_string())),
            ("from", self.from.map(|day| day.to_string())),
            ("to", self.to.map(|day| day.to_string())),
            ("after", after.map(str::to_owned)),
        ];
        address("/settings/audit", &parts)
    }
}

/// `/settings/audit`.
#[derive(Clone, Debug, Template)]
#[template(path = "settings/audit.html")]
pub struct AuditPage {
    /// The shell.
    pub shell: Shell,
    /// The page's clock.
    pub clock: Clock,
    /// The page.
    pub tab: Tab,
    /// The entries, newest first.
    pub rows: Vec<AuditRow>,
    /// What they are filtered by.
    pub filter: AuditFilter,
    /// The clients that can be chosen.
    pub clients: Vec<(Uuid, String)>,
    /// Whether this page begins after a place in the list.
    pub is_later: bool,
    /// The place after which older ones are.
    pub older: Option<String>,
    /// What of the address could not be read; then no entry is shown.
    pub wrong: Option<String>,
    /// The end of the chain: number, hash, when it was linked.
    pub end: Option<(i64, String, Timestamp)>,
    /// Entries that should be linked by now and are not.
    pub late: u32,
}

impl AuditPage {
    fn is_chosen(&self, client: &Uuid) -> bool {
        self.filter.client.as_ref() == Some(client)
    }

    fn is_filtered(&self) -> bool {
        self.filter != AuditFilter::default()
    }
}
