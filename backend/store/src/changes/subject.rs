//! What a change can be about, in the words that are stored, and its values as a change keeps them.

use std::collections::BTreeMap;

use domain::access::Act;
use domain::change::Part;
use domain::remediate::group::ServiceGroup;
use domain::remediate::guardrails::{BucketKind, Numbers};
use serde_json::{Value, json};
use uuid::Uuid;

/// What a change is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A mapping's mode.
    Mode(Uuid),
    /// A limit of all buckets of a kind.
    Limit(BucketKind, Part),
    /// What a service group is.
    ServiceGroup(Uuid),
    /// A host's tags, by which it is in service groups.
    HostTags(Uuid),
    /// The organization's own provider of sign-on.
    SignOn,
    /// That a check which is no single host's is looked at.
    Check(Uuid),
}

impl Subject {
    /// What a yes to it asks of whoever says it: whoever names the provider of sign-on says who is whom.
    pub fn asks(self) -> Act {
        match self {
            Subject::SignOn => Act::OwnOrganization,
            _ => Act::ConfirmChanges,
        }
    }

    /// What proposing it asks of whoever does.
    pub(super) fn proposing(self) -> Act {
        match self {
            Subject::Mode(_) | Subject::Limit(..) => Act::ManageOrganization,
            Subject::ServiceGroup(_) | Subject::HostTags(_) | Subject::Check(_) => Act::ManageClients,
            Subject::SignOn => Act::OwnOrganization,
        }
    }

    /// The stored words: kind and key.
    pub(super) fn words(self) -> (&'static str, String) {
        match self {
            Subject::Mode(mapping_id) => ("mode", mapping_id.to_string()),
            Subject::ServiceGroup(group_id) => ("service_group", group_id.to_string()),
            Subject::HostTags(host_id) => ("host_tags", host_id.to_string()),
            Subject::Limit(kind, part) => ("limit", format!("{}/{}", kind.word(), part.word())),
            Subject::SignOn => ("sign_on", "sign_on".to_owned()),
            Subject::Check(check_id) => ("check", check_id.to_string()),
        }
    }

    pub(super) fn parse(kind: &str, key: &str) -> Option<Subject> {
        match kind {
            "mode" => key.parse().ok().map(Subject::Mode),
            "service_group" => key.parse().ok().map(Subject::ServiceGroup),
            "host_tags" => key.parse().ok().map(Subject::HostTags),
            "sign_on" => Some(Subject::SignOn),
            "check" => key.parse().ok().map(Subject::Check),
            "limit" => {
                let (kind, part) = key.split_once('/')?;
                Some(Subject::Limit(BucketKind::parse(kind)?, Part::parse(part)?))
            }
            _ => None,
        }
    }
}

/// Whose row of numbers holds for all buckets of a kind.
pub fn limit_key(tenant_id: Uuid, kind: BucketKind) -> String {
    if kind == BucketKind::Tenant { tenant_id.to_string() } else { "*".to_owned() }
}

/// A limit's numbers as a change keeps them.
pub fn limit_value(part: Part, set: Numbers) -> Value {
    match part {
        Part::Window => json!({ "max_per_window": set.max_per_window, "window_secs": set.window_secs }),
        Part::InFlight => json!({ "max_in_flight": set.max_in_flight }),
        Part::Unproven => json!({ "max_unproven": set.damage.max_unproven }),
        Part::Bad => json!({ "max_bad": set.damage.max_bad }),
        Part::Storm => json!({ "max_storm": set.max_storm }),
        Part::Wave => json!({ "max_wave": set.damage.max_wave }),
    }
}

/// A mapping's mode as a change keeps it: of exactly one version.
pub fn mode_value(version: i32, mode: &str) -> Value {
    json!({ "version": version, "mode": mode })
}

/// A service group as a change keeps it.
pub fn group_value(group: &ServiceGroup) -> Value {
    json!({ "tags": group.tags, "targets": group.targets, "active": group.active })
}

/// A host's tags as a change keeps them.
pub fn tags_value(tags: &BTreeMap<String, String>) -> Value {
    json!({ "tags": tags })
}

/// A check in use as a change keeps it: of exactly one version.
pub fn check_value(version: i32) -> Value {
    json!({ "version": version, "archived": false })
}

/// How members sign on as a change keeps it; `version` is the one that it counts on to.
pub fn sign_on_value(provider: Option<(&str, &str, &[String])>, required: bool, version: i32) -> Value {
    let provider = provider
        .map(|(issuer, client_id, domains)| json!({ "issuer": issuer, "client_id": client_id, "domains": domains }));
    json!({ "provider": provider, "required": required, "version": version })
}
