//! What a parser cannot know: names that must exist or be unique, values that must make sense.

use std::collections::{BTreeMap, BTreeSet};

use domain::access::Role;
use wire::v1::{ParameterType, Playbook, Risk};

use super::document::{Client, Document, Limits, MappingEntry, Member};
use domain::classify::mapping::{Mode, Parameter};

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
struct Faults(Vec<(String, String)>);

impl Faults {
    fn add(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.0.push((path.into(), message.into()));
    }

    /// A name that people read: not empty, not endless, one line.
    fn name(&mut self, path: String, name: &str) {
        if name.trim().is_empty() || name.len() > 200 || name.chars().any(char::is_control) {
            self.add(path, "a name has 1 to 200 characters in one line");
        }
    }

    fn unique<'a>(&mut self, what: &str, names: impl Iterator<Item = (String, &'a str)>) {
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
        let sound = address
            .split_once('@')
            .is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty() && !domain.contains('@'))
            && address.len() <= 254
            && !address.chars().any(|c| c.is_whitespace() || c.is_control() || "<>,;".contains(c));
        if !sound {
            self.add(path, format!("{address:?} is no e-mail address"));
        }
    }
}

/// Looks at everything; returns the members' passwords, in order.
pub fn validate(
    document: &Document,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<Password>, Vec<(String, String)>> {
    let mut faults = Faults::default();
    faults.name("tenant.name".into(), &document.tenant.name);
    faults.time_zone("tenant.time_zone".into(), &document.tenant.time_zone);
    let passwords = members(&document.members, env, &mut faults);
    for (i, address) in document.notify.iter().enumerate() {
        faults.email(format!("notify[{i}]"), address);
    }
    faults.unique("an address", document.notify.iter().enumerate().map(|(i, a)| (format!("notify[{i}]"), a.as_str())));
    clients(&document.clients, &mut faults);
    playbooks(&document.playbooks, &mut faults);
    checks(document, &mut faults);
    mappings(document, &mut faults);
    limits(&document.limits, &mut faults);
    if faults.0.is_empty() { Ok(passwords) } else { Err(faults.0) }
}

fn members(members: &[Member], env: &dyn Fn(&str) -> Option<String>, faults: &mut Faults) -> Vec<Password> {
    let mut passwords = Vec::new();
    for (i, member) in members.iter().enumerate() {
        let at = |key: &str| format!("members[{i}].{key}");
        faults.name(at("name"), &member.name);
        faults.email(at("email"), &member.email);
        match Role::parse(&member.role) {
            None => faults.add(at("role"), "a role is owner, admin, technician or viewer"),
            Some(Role::ClientViewer) => faults.add(at("role"), "a client viewer is invited, not seeded"),
            Some(_) => {}
        }
        let (key, password) = match (&member.password, &member.password_env) {
            (Some(password), None) => ("password", Some(password.clone())),
            (None, Some(name)) => {
                let found = env(name);
                if found.is_none() {
                    faults.add(at("password_env"), format!("the environment has no variable {name}"));
                }
                ("password_env", found)
            }
            _ => {
                faults.add(format!("members[{i}]"), "say either password or password_env");
                ("password", None)
            }
        };
        if let Some(password) = password {
            if password.chars().count() < PASSWORD_MIN || password.len() > keys::password::MAX_BYTES {
                faults.add(at(key), format!("a password has at least {PASSWORD_MIN} characters"));
            }
            passwords.push(Password(password));
        }
    }
    faults
        .unique("a member", members.iter().enumerate().map(|(i, m)| (format!("members[{i}].email"), m.email.as_str())));
    if !members.iter().any(|m| m.role == Role::Owner.word()) {
        faults.add("members", "one member at least is an owner");
    }
    passwords
}

fn clients(clients: &[Client], faults: &mut Faults) {
    faults.unique("a client", clients.iter().enumerate().map(|(i, c)| (format!("clients[{i}].name"), c.name.as_str())));
    for (i, client) in clients.iter().enumerate() {
        let at = |key: &str| format!("clients[{i}].{key}");
        faults.name(at("name"), &client.name);
        if let Some(zone) = &client.time_zone {
            faults.time_zone(at("time_zone"), zone);
        }
        for (j, site) in client.sites.iter().enumerate() {
            faults.name(at(&format!("sites[{j}]")), site);
        }
        faults.unique("a site", client.sites.iter().enumerate().map(|(j, s)| (at(&format!("sites[{j}]")), s.as_str())));
        faults.unique(
            "a host",
            client.hosts.iter().enumerate().map(|(j, h)| (at(&format!("hosts[{j}].name")), h.name.as_str())),
        );
        for (j, host) in client.hosts.iter().enumerate() {
            faults.name(at(&format!("hosts[{j}].name")), &host.name);
            if let Some(site) = host.site.as_ref().filter(|site| !client.sites.contains(site)) {
                faults.add(at(&format!("hosts[{j}].site")), format!("{} has no site {site:?}", client.name));
            }
        }
    }
}

fn playbooks(playbooks: &[Playbook], faults: &mut Faults) {
    faults.unique(
        "a playbook",
        playbooks.iter().enumerate().map(|(i, p)| (format!("playbooks[{i}].name"), p.name.as_str())),
    );
    for (i, playbook) in playbooks.iter().enumerate() {
        let at = |key: &str| format!("playbooks[{i}].{key}");
        faults.name(at("name"), &playbook.name);
        faults.name(at("title"), &playbook.title);
        for (name, kind) in &playbook.parameters {
            let wrong = match kind {
                ParameterType::Int { min, max } if min > max => Some("min is greater than max"),
                ParameterType::Enum { values } if values.is_empty() => Some("an enum needs a word"),
                ParameterType::PathUnder { root } if !root.starts_with('/') => Some("a root is an absolute path"),
                _ => None,
            };
            if let Some(wrong) = wrong {
                faults.add(at(&format!("parameters.{name}")), wrong);
            }
        }
        if playbook.steps.is_empty() {
            faults.add(at("steps"), "a playbook has at least one step");
        }
        let undo = playbook.undo.iter().enumerate().map(|(j, step)| (format!("undo[{j}]"), step));
        for (place, step) in
            playbook.steps.iter().enumerate().map(|(j, step)| (format!("steps[{j}]"), step)).chain(undo)
        {
            faults.name(at(&format!("{place}.title")), &step.title);
            if !(1..=86_400).contains(&step.limit_secs) {
                faults.add(at(&format!("{place}.limit_secs")), "a step may take 1 s to one day");
            }
            if step.argv.is_empty() {
                faults.add(at(&format!("{place}.argv")), "a step needs a program");
            }
            for (k, word) in step.argv.iter().enumerate() {
                if let Some(wrong) = placeholder(playbook, word, k == 0) {
                    faults.add(at(&format!("{place}.argv[{k}]")), wrong);
                }
            }
        }
    }
}

/// What is wrong with a word of an argv.
fn placeholder(playbook: &Playbook, word: &str, is_program: bool) -> Option<String> {
    let Some(inner) = word.strip_prefix('{').and_then(|w| w.strip_suffix('}')) else {
        return (is_program && !word.starts_with('/')).then(|| "a program is an absolute path".to_owned());
    };
    let (name, command) = inner.split_once('.').map_or((inner, None), |(n, c)| (n, Some(c)));
    match (playbook.parameters.get(name), command) {
        (None, _) => Some(format!("there is no parameter {name:?}")),
        (Some(ParameterType::ServiceName), Some("start" | "stop" | "status")) => None,
        (Some(_), Some(other)) => Some(format!("{other:?} is no command of parameter {name:?}")),
        (Some(_), None) if is_program => Some("a parameter may not name the program".to_owned()),
        (Some(_), None) => None,
    }
}

/// A check or a mapping that names a client or a host names one that is there.
fn selected(document: &Document, path: &str, client: Option<&str>, host: Option<&str>, faults: &mut Faults) {
    let known = |c: &&Client| client.is_none_or(|name| name == c.name);
    if !document.clients.iter().any(|c| known(&c)) && client.is_some() {
        faults.add(format!("{path}.client"), format!("there is no client {:?}", client.unwrap_or_default()));
    } else if let Some(host) = host
        && !document.clients.iter().filter(known).any(|c| c.hosts.iter().any(|h| h.name == host))
    {
        faults.add(format!("{path}.host"), format!("there is no host {host:?}"));
    }
}

fn checks(document: &Document, faults: &mut Faults) {
    let checks = &document.checks;
    faults.unique("a check", checks.iter().enumerate().map(|(i, c)| (format!("checks[{i}].name"), c.name.as_str())));
    for (i, check) in checks.iter().enumerate() {
        if let Err(error) = check.clone().complete() {
            faults.add(format!("checks[{i}].{}", error.field), error.problem);
        }
        let select = &check.selector;
        let path = format!("checks[{i}].selector");
        selected(document, &path, select.client.as_deref(), select.host.as_deref(), faults);
    }
}

fn mappings(document: &Document, faults: &mut Faults) {
    let mappings = &document.mappings;
    faults.unique(
        "a mapping",
        mappings.iter().enumerate().map(|(i, m)| (format!("mappings[{i}].name"), m.name.as_str())),
    );
    for (i, mapping) in mappings.iter().enumerate() {
        let path = format!("mappings[{i}]");
        for fault in mapping.definition().faults() {
            faults.add(path.clone(), fault);
        }
        if let Some(check) =
            mapping.when.check.as_ref().filter(|name| !document.checks.iter().any(|c| c.name == **name))
        {
            faults.add(format!("{path}.when.check"), format!("there is no check {check:?}"));
        }
        let when = format!("{path}.when");
        selected(document, &when, mapping.when.client.as_deref(), mapping.when.host.as_deref(), faults);
        rungs(document, &path, mapping, faults);
    }
}

fn rungs(document: &Document, path: &str, mapping: &MappingEntry, faults: &mut Faults) {
    for (j, rung) in mapping.ladder.iter().enumerate() {
        let at = |key: &str| format!("{path}.ladder[{j}].{key}");
        if rung.digest.is_some() {
            faults.add(at("digest"), "the digest is written when the mapping is published; leave it out");
        }
        let Some(playbook) = document.playbooks.iter().find(|p| p.name == rung.playbook) else {
            faults.add(at("playbook"), format!("there is no playbook {:?}", rung.playbook));
            continue;
        };
        match (playbook.risk, mapping.mode) {
            (Risk::E, _) => faults.add(at("playbook"), "a playbook of risk E is never run"),
            (Risk::H, Mode::Auto) => {
                faults.add(
                    format!("{path}.mode"),
                    format!("playbook {:?} has risk H: it may not run by itself", playbook.name),
                );
            }
            _ => {}
        }
        for (name, wrong) in parameters(playbook, &rung.parameters) {
            faults.add(at(&format!("parameters.{name}")), wrong);
        }
    }
}

/// What is wrong with `values` as parameters of `playbook`, as (parameter, sentence).
fn parameters(playbook: &Playbook, values: &BTreeMap<String, Parameter>) -> Vec<(String, String)> {
    let mut wrong = Vec::new();
    for name in values.keys().filter(|name| !playbook.parameters.contains_key(*name)) {
        wrong.push((name.clone(), format!("playbook {:?} has no such parameter", playbook.name)));
    }
    for (name, kind) in &playbook.parameters {
        let sentence = match values.get(name) {
            None => Some("is missing".to_owned()),
            Some(value) => parameter(kind, value),
        };
        wrong.extend(sentence.map(|s| (name.clone(), s)));
    }
    wrong
}

fn parameter(kind: &ParameterType, value: &Parameter) -> Option<String> {
    if let Parameter::Text(text) = value
        && (text.is_empty() || text.starts_with('-') || text.chars().any(char::is_control))
    {
        return Some("a value is not empty, does not begin with - and holds no control character".into());
    }
    let fits = match (kind, value) {
        // The alert's target: typed again when it is bound, by the server and by the agent.
        (ParameterType::ServiceName, Parameter::Text(text)) if text == "{target}" => true,
        (ParameterType::ServiceName, Parameter::Text(text)) => {
            text.chars().all(|c| c.is_ascii_alphanumeric() || "._@-".contains(c))
        }
        (ParameterType::PathUnder { root }, Parameter::Text(text)) => {
            std::path::Path::new(text).starts_with(root) && !text.split('/').any(|part| part == "..")
        }
        (ParameterType::Int { min, max }, Parameter::Number(n)) => (min..=max).contains(&n),
        (ParameterType::Enum { values }, Parameter::Text(text)) => values.contains(text),
        _ => false,
    };
    (!fits).then(|| match kind {
        ParameterType::ServiceName => "is no service name (letters, digits and . _ @ -)".into(),
        ParameterType::PathUnder { root } => format!("is no path below {root}"),
        ParameterType::Int { min, max } => format!("is no whole number from {min} to {max}"),
        ParameterType::Enum { values } => format!("is none of {}", values.join(", ")),
    })
}

fn limits(limits: &Limits, faults: &mut Faults) {
    let mut least_one = |path: &str, value: Option<i32>| {
        if value.is_some_and(|v| v < 1) {
            faults.add(path, "a limit is a whole number of at least 1");
        }
    };
    let mut windows = Vec::new();
    for (key, scope) in [("tenant", &limits.tenant), ("client", &limits.client)] {
        let Some(scope) = scope else { continue };
        least_one(&format!("limits.{key}.runs_per_window"), scope.runs_per_window);
        least_one(&format!("limits.{key}.window_secs"), scope.window_secs);
        least_one(&format!("limits.{key}.in_flight"), scope.in_flight);
        if scope.runs_per_window.is_some() != scope.window_secs.is_some() {
            windows.push(format!("limits.{key}"));
        }
    }
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
