//! A client's own page: what we look after there, how it stands, and how much of it needed nobody.

use askama::Template;
use jiff::Timestamp;
use uuid::Uuid;

use crate::{
    Clock, Limit, Link, Nav, Shell, State,
    clients::Healed,
    guardrails::{Ends, Planned, Refused, Standing},
    hosts::{Tally, Trust},
    incidents::IncidentRow,
};

/// A place of the client.
#[derive(Clone, Debug)]
pub struct SiteRow {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// The hosts that stand there, planned ones too.
    pub hosts: u32,
}

/// Somebody at the client.
#[derive(Clone, Debug)]
pub struct Contact {
    /// The row.
    pub id: Uuid,
    /// Their name.
    pub name: String,
    /// Their address.
    pub email: String,
    /// Their number.
    pub phone: Option<String>,
    /// Whether they get the mails of its incidents.
    pub told: bool,
}

/// A host of the client.
#[derive(Clone, Debug)]
pub struct HostLine {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub site: Option<String>,
    /// `key=value`.
    pub tags: Vec<String>,
    /// Whether it is heard.
    pub link: Link,
    /// Whether it is trusted.
    pub trust: Trust,
    /// Its checks.
    pub checks: Tally,
}

/// Hosts of the client that stand in for each other, or services of them.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// `key=value`: its hosts carry all of them.
    pub tags: Vec<String>,
    /// Only fixes of checks on these; none: every fix.
    pub targets: Vec<String>,
    /// Whether it holds.
    pub holds: bool,
    /// How many hosts are in it now.
    pub hosts: u32,
    /// How many of them are fixed at once; none: it does not hold.
    pub at_once: Option<u32>,
    /// Those that are being fixed, or are not verified yet.
    pub fixing: Vec<(Uuid, String)>,
    /// What waits for a second person or for its time.
    pub waits: Option<String>,
}

impl Group {
    /// "every fix", "fixes of shop-web, till".
    pub fn fixes(&self) -> String {
        if self.targets.is_empty() { "every fix".to_owned() } else { format!("fixes of {}", self.targets.join(", ")) }
    }

    /// How many, and how many at once.
    pub fn size(&self) -> String {
        let hosts = match self.hosts {
            0 => "no host carries these tags".to_owned(),
            1 => "1 host".to_owned(),
            n => format!("{n} hosts"),
        };
        match self.at_once {
            Some(at_once) if self.hosts > 0 => format!("{hosts}, {at_once} at a time"),
            _ => hosts,
        }
    }
}

/// A check as far as it concerns this client.
#[derive(Clone, Debug)]
pub struct CheckLine {
    /// Its name.
    pub name: String,
    /// What it looks at: "service shop-web".
    pub what: String,
    /// On how many of the client's hosts.
    pub hosts: u32,
    /// How they stand.
    pub tally: Tally,
}

/// What opened in 30 days, by how it ended.
#[derive(Clone, Copy, Debug, Default)]
pub struct Month {
    /// All of them.
    pub opened: u32,
    /// Closed as fixed.
    pub fixed: u32,
    /// Ok again before anything ran.
    pub recovered: u32,
    /// A person was called.
    pub called: u32,
    /// Still open.
    pub open: u32,
}

/// That it is archived.
#[derive(Clone, Debug)]
pub struct Archived {
    /// By whom.
    pub by: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// The page `/clients/{id}`.
#[derive(Clone, Debug, Template)]
#[template(path = "client.html")]
pub struct ClientPage {
    /// The shell.
    pub shell: Shell,
    /// The page's clock.
    pub clock: Clock,
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// IANA name.
    pub zone: String,
    /// What its clocks say: "14:02".
    pub local: Option<String>,
    /// Since when it is looked after.
    pub since: Timestamp,
    /// Archived.
    pub archived: Option<Archived>,
    /// Whether all actions are stopped there.
    pub stopped: bool,
    /// Its places.
    pub sites: Vec<SiteRow>,
    /// Its people.
    pub contacts: Vec<Contact>,
    /// Its hosts: what needs somebody first.
    pub hosts: Vec<HostLine>,
    /// Hosts that are planned and have not enrolled.
    pub planned: u32,
    /// The checks that look at them.
    pub checks: Vec<CheckLine>,
    /// The limits of the client with what is used of them.
    pub limits: Vec<Limit>,
    /// The mappings that its hosts would refuse.
    pub refused: Vec<Refused>,
    /// Its service groups that hold.
    pub groups: Vec<Group>,
    /// What stands against fixes there now.
    pub standing: Vec<Standing>,
    /// Maintenance that is planned here, or everywhere.
    pub maintenance: Vec<Planned>,
    /// The newest incidents of the last 30 days.
    pub incidents: Vec<IncidentRow>,
    /// How they ended, all of them.
    pub month: Month,
    /// How much of it needed nobody.
    pub healed: Healed,
    /// Whether the member may change it.
    pub may_manage: bool,
    /// Whether the member may enrol hosts.
    pub may_enrol: bool,
    /// Whether the member may say hands off.
    pub may_act: bool,
}

impl ClientPage {
    /// How it stands now, in one word of state and a sentence.
    fn now(&self) -> (State, String) {
        let open = self.incidents.iter().filter(|row| row.standing.is_open()).count();
        let needs = self.incidents.iter().filter(|row| row.standing == crate::incidents::Standing::NeedsYou).count();
        let silent = self.hosts.iter().filter(|host| !matches!(host.link, Link::Linked { .. })).count();
        match (needs, open, silent) {
            (0, 0, 0) if self.hosts.is_empty() => (State::Idle, "no host is enrolled yet".to_owned()),
            (0, 0, 0) => (State::Ok, "nothing open, every agent is linked".to_owned()),
            (0, 0, 1) => (State::Need, "nothing open, one host is not heard".to_owned()),
            (0, 0, n) => (State::Need, format!("nothing open, {n} hosts are not heard")),
            (0, n, _) => (State::Heal, format!("{n} open, nobody is needed")),
            (1, ..) => (State::Crit, "one thing needs a person".to_owned()),
            (n, ..) => (State::Crit, format!("{n} things need a person")),
        }
    }

    fn place(&self) -> String {
        match self.hosts.len() {
            1 => "on its one host until then, at no other client".to_owned(),
            n => format!("on its {n} hosts until then, at no other client"),
        }
    }

    fn is_off(&self) -> bool {
        self.standing.iter().any(|row| row.kind == "Hands off" && !matches!(row.ends, Ends::At(_)))
    }
}
