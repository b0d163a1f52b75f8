//! The configuration file as it is written and read. Unknown keys are errors everywhere.

use std::collections::BTreeMap;

use domain::detect::Check;
use domain::relay::Relay;
use serde::{Deserialize, Serialize};
use wire::v1::Playbook;

use domain::remediate::group::ServiceGroup;
use domain::remediate::maintenance::{Once, Times};

use domain::classify::mapping::{Mapping, Mode, Rung, Verify, When};

/// The whole file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// The organization.
    pub tenant: Tenant,
    /// Its people; at least one owner.
    #[serde(default)]
    pub members: Vec<Member>,
    /// E-mail addresses that are told of every incident.
    #[serde(default)]
    pub notify: Vec<String>,
    /// The organization's own mail relay; its password is a secret, by its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mail: Option<Relay>,
    /// The companies it looks after.
    #[serde(default)]
    pub clients: Vec<Client>,
    /// What to look at.
    #[serde(default)]
    pub checks: Vec<Check>,
    /// Known fixes.
    #[serde(default)]
    pub playbooks: Vec<Playbook>,
    /// Which alert runs which playbook.
    #[serde(default)]
    pub mappings: Vec<MappingEntry>,
    /// When actions are kept off, planned.
    #[serde(default)]
    pub maintenance: Vec<Maintenance>,
    /// The limits on acting; what is not said follows the rule of the scope's size.
    #[serde(default)]
    pub limits: Limits,
}

impl Document {
    /// A tenant that has nothing yet.
    pub fn empty() -> Document {
        Document {
            tenant: Tenant { name: String::new(), time_zone: utc() },
            members: Vec::new(),
            notify: Vec::new(),
            mail: None,
            clients: Vec::new(),
            checks: Vec::new(),
            playbooks: Vec::new(),
            mappings: Vec::new(),
            maintenance: Vec::new(),
            limits: Limits::default(),
        }
    }
}

/// The organization.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tenant {
    /// Its name.
    pub name: String,
    /// IANA name; clients that say none have this one.
    #[serde(default = "utc")]
    pub time_zone: String,
}

/// A person.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// Their name.
    pub name: String,
    /// What they sign in with.
    pub email: String,
    /// owner, admin, technician, viewer or client_viewer.
    pub role: String,
    /// The clients they see; nothing said: all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clients: Option<Vec<String>>,
    /// The password in clear, for demos; it counts when the member is made.
    #[serde(default, skip_serializing)]
    pub password: Option<String>,
    /// The environment variable that holds the password; it counts when the member is made.
    #[serde(default, skip_serializing)]
    pub password_env: Option<String>,
}

impl std::fmt::Debug for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Member").field("email", &self.email).field("role", &self.role).finish_non_exhaustive()
    }
}

/// A company.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Client {
    /// Its name.
    pub name: String,
    /// IANA name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// Its places.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sites: Vec<String>,
    /// Whom to ask there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contacts: Vec<Contact>,
    /// Which of its machines stand in for each other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub service_groups: Vec<Group>,
    /// Its machines; each gets an enrolment token.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<Host>,
}

/// Machines, or services of them, that stand in for each other: they are fixed one after the other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Once at the client.
    pub name: String,
    /// Its members: hosts that carry all of these.
    pub tags: BTreeMap<String, String>,
    /// Only fixes of checks on these targets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<String>,
    /// Whether it holds: what a file leaves out stays, so this is how it is taken back.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub active: bool,
}

impl Group {
    /// What it declares.
    pub fn declares(&self) -> ServiceGroup {
        ServiceGroup { tags: self.tags.clone(), targets: self.targets.clone(), active: self.active }
    }
}

/// Somebody at a client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contact {
    /// Their name.
    pub name: String,
    /// Their address, once at a client.
    pub email: String,
    /// Their number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// Whether they get the mails of the client's incidents.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub told: bool,
}

/// A machine that is to enrol.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Host {
    /// Its name.
    pub name: String,
    /// Where it stands: one of the client's sites.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// key: value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

/// When actions are kept off a client, a host or the whole organization, by the client's clock, else the organization's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Maintenance {
    /// Unique.
    pub name: String,
    /// Only at this client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// Only on this host of the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Each week: `sat 22:00-04:00`, `mon-fri 01:00-02:30`, `daily 12:00-12:15`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub weekly: Vec<String>,
    /// Or once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub once: Option<Once>,
    /// Whether it is planned at all: what a file leaves out stays, so this is how it is taken back.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub active: bool,
}

impl Maintenance {
    /// When.
    pub fn times(&self) -> Times {
        Times { weekly: self.weekly.clone(), once: self.once.clone() }
    }
}

fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_yes(said: &bool) -> bool {
    *said
}

/// The limits on acting.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// For the whole organization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<Scope>,
    /// For each client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientScope>,
    /// For each host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<HostScope>,
    /// For the same playbook on the same host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_playbook: Option<HostPlaybook>,
}

/// Limits of a tenant.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// Most runs in a window; needs `window_secs`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runs_per_window: Option<i32>,
    /// The window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_secs: Option<i32>,
    /// Most at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_flight: Option<i32>,
    /// Clients at which the same check turns critical within five minutes: that many are a storm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storm: Option<i32>,
}

/// Limits of a client: those of a tenant, and what bounds the damage.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientScope {
    /// Most runs in a window; needs `window_secs`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runs_per_window: Option<i32>,
    /// The window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_secs: Option<i32>,
    /// Most at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_flight: Option<i32>,
    /// Most that are in flight, in doubt or not yet verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unproven: Option<i32>,
    /// Most remediations that go badly in a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bad_per_day: Option<i32>,
    /// Most hosts on which a version of a playbook is unproven at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wave: Option<i32>,
    /// Hosts that turn critical within five minutes: that many are a storm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storm: Option<i32>,
}

/// Limits of a host.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostScope {
    /// Most runs in an hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runs_per_hour: Option<i32>,
    /// Most at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_flight: Option<i32>,
}

/// Limits of the same playbook on the same host.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostPlaybook {
    /// Least time between two runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cooldown_secs: Option<i32>,
    /// Most runs in a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_day: Option<i32>,
}

fn utc() -> String {
    "UTC".into()
}

/// Which alert runs which playbooks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MappingEntry {
    /// Unique.
    pub name: String,
    /// observe, approve or auto.
    pub mode: Mode,
    /// Which alerts.
    pub when: When,
    /// Which playbooks, one after the other, then a person.
    pub ladder: Vec<Rung>,
    /// How the fix is judged.
    pub verify: Verify,
}

impl MappingEntry {
    /// The definition in it.
    pub fn definition(&self) -> Mapping {
        Mapping { name: self.name.clone(), when: self.when.clone(), ladder: self.ladder.clone(), verify: self.verify }
    }
}
