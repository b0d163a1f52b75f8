//! What a parser cannot know: names that must exist or be unique, values that must make sense.

use std::collections::BTreeSet;

use super::document::{Document, Limits, Member};
use super::known::Known;
use super::rules::{Both, checks, maintenance, mappings, playbooks};
use domain::access::Role;
use domain::fleet;
use domain::relay::Relay;

/// What is done about a name that nothing has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// It is a fault.
    LookUp,
    /// It may be the name of something that could not be read.
    Believe,
}

/// A member's password. Has no `Debug` of its content.
pub struct Password(pub String);

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(…)")
    }
}

/// Shorter passwords are refused.
const PASSWORD_MIN: usize = 10;

/// Faults as (key path, sentence).
#[derive(Default)]
pub(super) struct Faults(Vec<(String, String)>);

impl Faults {
    pub(super) fn add(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.0.push((path.into(), message.into()));
    }

    /// A name that people read: not empty, not endless, one line.
    pub(super) fn name(&mut self, path: String, name: &str) {
        if !fleet::is_name(name) {
            self.add(path, "a name has 1 to 200 characters in one line");
        }
    }

    /// A name that nothing has.
    pub(super) fn missing(&mut self, names: Names, path: impl Into<String>, message: impl Into<String>) {
        if names == Names::LookUp {
            self.add(path, message);
        }
    }

    pub(super) fn unique<'a>(&mut self, what: &str, names: impl Iterator<Item = (String, &'a str)>) {
        let mut seen = BTreeSet::new();
        for (path, name) in names {
            if !seen.insert(name.to_lowercase()) {
                self.add(path, format!("there is already {what} {name:?}"));
            }
        }
    }

    fn time_zone(&mut self, path: String, name: &str) {
        if jiff::tz::TimeZone::get(name).is_err() {
            self.add(path, format!("{name:?} is no time zone; write one like Europe/Berlin"));
        }
    }

    fn email(&mut self, path: String, address: &str) {
        if !fleet::is_email(address) {
            self.add(path, format!("{address:?} is no e-mail address"));
        }
    }
}

/// Looks at everything; returns the members' passwords, in order.
pub fn validate(
    document: &Document,
    known: &Known,
    names: Names,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<Option<Password>>, Vec<(String, String)>> {
    let mut faults = Faults::default();
    let both = Both { file: document, known, names };
    faults.name("tenant.name".into(), &document.tenant.name);
    faults.time_zone("tenant.time_zone".into(), &document.tenant.time_zone);
    let passwords = members(both, env, &mut faults);
    for (i, address) in document.notify.iter().enumerate() {
        faults.email(format!("notify[{i}]"), address);
    }
    faults.unique("an address", document.notify.iter().enumerate().map(|(i, a)| (format!("notify[{i}]"), a.as_str())));
    if let Some(Err((field, problem))) = document.mail.as_ref().map(Relay::check) {
        faults.add(format!("mail.{field}"), problem);
    }
    clients(both, &mut faults);
    playbooks(&document.playbooks, &mut faults);
    checks(both, &mut faults);
    mappings(both, &mut faults);
    maintenance(both, &mut faults);
    limits(&document.limits, &mut faults);
    if faults.0.is_empty() { Ok(passwords) } else { Err(faults.0) }
}

fn members(both: Both<'_>, env: &dyn Fn(&str) -> Option<String>, faults: &mut Faults) -> Vec<Option<Password>> {
    let members = &both.file.members;
    let same = |a: &Member, b: &Member| a.email.eq_ignore_ascii_case(&b.email);
    let seated = &both.known.document.members;
    let mut passwords = Vec::new();
    for (i, member) in members.iter().enumerate() {
        let at = |key: &str| format!("members[{i}].{key}");
        faults.name(at("name"), &member.name);
        faults.email(at("email"), &member.email);
        match (Role::parse(&member.role), &member.clients) {
            (None, _) => faults.add(at("role"), "a role is owner, admin, technician, viewer or client_viewer"),
            (Some(Role::ClientViewer), None) => faults.add(at("clients"), "say which clients a client_viewer sees"),
            (Some(Role::Owner), Some(_)) => faults.add(at("clients"), "an owner sees every client"),
            _ => {}
        }
        for (j, name) in member.clients.iter().flatten().enumerate() {
            if !both.clients().any(|client| client.name == *name) {
                faults.missing(both.names, at(&format!("clients[{j}]")), format!("there is no client {name:?}"));
            }
        }
        passwords.push(if seated.iter().any(|s| same(s, member)) {
            None // what they sign in with is theirs
        } else {
            password(member, &format!("members[{i}]"), env, faults)
        });
    }
    faults
        .unique("a member", members.iter().enumerate().map(|(i, m)| (format!("members[{i}].email"), m.email.as_str())));
    let others = seated.iter().filter(|s| !members.iter().any(|m| same(s, m)));
    if !members.iter().chain(others).any(|m| m.role == Role::Owner.word()) {
        faults.missing(both.names, "members", "one member at least is an owner");
    }
    passwords
}

/// The password of a new member.
fn password(
    member: &Member,
    path: &str,
    env: &dyn Fn(&str) -> Option<String>,
    faults: &mut Faults,
) -> Option<Password> {
    let (key, password) = match (&member.password, &member.password_env) {
        (Some(password), None) => ("password", password.clone()),
        (None, Some(name)) => match env(name) {
            Some(password) => ("password_env", password),
            None => {
                faults.add(format!("{path}.password_env"), format!("the environment has no variable {name}"));
                return None;
            }
        },
        _ => {
            faults.add(path, "a new member: say either password or password_env");
            return None;
        }
    };
    if password.chars().count() < PASSWORD_MIN || password.len() > keys::password::MAX_BYTES {
        faults.add(format!("{path}.{key}"), format!("a password has at least {PASSWORD_MIN} characters"));
    }
    Some(Password(password))
}

fn clients(both: Both<'_>, faults: &mut Faults) {
    let clients = &both.file.clients;
    faults.unique("a client", clients.iter().enumerate().map(|(i, c)| (format!("clients[{i}].name"), c.name.as_str())));
    for (i, client) in clients.iter().enumerate() {
        let at = |key: &str| format!("clients[{i}].{key}");
        faults.name(at("name"), &client.name);
        if let Some(zone) = &client.time_zone {
            faults.time_zone(at("time_zone"), zone);
        }
        if both.known.archived.contains(&client.name) {
            faults
                .add(at("name"), format!("the client {:?} is archived; restore it in the console first", client.name));
        }
        for (j, contact) in client.contacts.iter().enumerate() {
            faults.name(at(&format!("contacts[{j}].name")), &contact.name);
            faults.email(at(&format!("contacts[{j}].email")), &contact.email);
            if let Some(phone) = contact.phone.as_ref().filter(|phone| !fleet::is_phone(phone)) {
                faults.add(at(&format!("contacts[{j}].phone")), format!("{phone:?} is no telephone number"));
            }
        }
        let emails = client.contacts.iter().enumerate();
        faults.unique("an address", emails.map(|(j, c)| (at(&format!("contacts[{j}].email")), c.email.as_str())));
        for (j, group) in client.service_groups.iter().enumerate() {
            faults.name(at(&format!("service_groups[{j}].name")), &group.name);
            if group.tags.is_empty() {
                faults.add(at(&format!("service_groups[{j}].tags")), "say at least one tag that its hosts carry");
            }
        }
        let groups = client.service_groups.iter().enumerate();
        faults.unique(
            "a service group",
            groups.map(|(j, g)| (at(&format!("service_groups[{j}].name")), g.name.as_str())),
        );
        for (j, site) in client.sites.iter().enumerate() {
            faults.name(at(&format!("sites[{j}]")), site);
        }
        faults.unique("a site", client.sites.iter().enumerate().map(|(j, s)| (at(&format!("sites[{j}]")), s.as_str())));
        faults.unique(
            "a host",
            client.hosts.iter().enumerate().map(|(j, h)| (at(&format!("hosts[{j}].name")), h.name.as_str())),
        );
        let has_site = |site: &String| both.clients().any(|c| c.name == client.name && c.sites.contains(site));
        for (j, host) in client.hosts.iter().enumerate() {
            faults.name(at(&format!("hosts[{j}].name")), &host.name);
            if let Some(site) = host.site.as_ref().filter(|site| !has_site(site)) {
                let wrong = format!("{} has no site {site:?}", client.name);
                faults.missing(both.names, at(&format!("hosts[{j}].site")), wrong);
            }
        }
    }
}

fn limits(limits: &Limits, faults: &mut Faults) {
    let mut least_one = |path: &str, value: Option<i32>| {
        if value.is_some_and(|v| v < 1) {
            faults.add(path, "a limit is a whole number of at least 1");
        }
    };
    let mut windows = Vec::new();
    let tenant = limits.tenant.as_ref().map(|s| (s.runs_per_window, s.window_secs, s.in_flight));
    let client = limits.client.as_ref().map(|s| (s.runs_per_window, s.window_secs, s.in_flight));
    for (key, scope) in [("tenant", tenant), ("client", client)] {
        let Some((runs_per_window, window_secs, in_flight)) = scope else { continue };
        least_one(&format!("limits.{key}.runs_per_window"), runs_per_window);
        least_one(&format!("limits.{key}.window_secs"), window_secs);
        least_one(&format!("limits.{key}.in_flight"), in_flight);
        if runs_per_window.is_some() != window_secs.is_some() {
            windows.push(format!("limits.{key}"));
        }
    }
    if let Some(client) = &limits.client {
        least_one("limits.client.unproven", client.unproven);
        least_one("limits.client.bad_per_day", client.bad_per_day);
        least_one("limits.client.wave", client.wave);
        least_one("limits.client.storm", client.storm);
    }
    least_one("limits.tenant.storm", limits.tenant.as_ref().and_then(|tenant| tenant.storm));
    if let Some(host) = &limits.host {
        least_one("limits.host.runs_per_hour", host.runs_per_hour);
        least_one("limits.host.in_flight", host.in_flight);
    }
    if let Some(pair) = &limits.host_playbook {
        least_one("limits.host_playbook.cooldown_secs", pair.cooldown_secs);
        least_one("limits.host_playbook.per_day", pair.per_day);
    }
    for path in windows {
        faults.add(path, "runs_per_window and window_secs go together");
    }
}
