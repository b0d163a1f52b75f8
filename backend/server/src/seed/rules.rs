//! What a parser cannot know of checks, playbooks and mappings.

use std::collections::BTreeMap;

use domain::classify::mapping::{Mode, Parameter};
use wire::v1::{MAX_SCRIPT_BYTES, ParameterType, Playbook, Risk, script_variable};

use super::document::{Client, Document, Maintenance, MappingEntry};
use super::known::Known;
use super::validate::{Faults, Names};

/// The file beside what the tenant has: names may mean either.
#[derive(Clone, Copy)]
pub(super) struct Both<'a> {
    pub(super) file: &'a Document,
    pub(super) known: &'a Known,
    pub(super) names: Names,
}

impl<'a> Both<'a> {
    pub(super) fn clients(self) -> impl Iterator<Item = &'a Client> {
        self.file.clients.iter().chain(&self.known.document.clients)
    }

    fn has_check(self, name: &str) -> bool {
        self.file.checks.iter().chain(&self.known.document.checks).any(|check| check.name == name)
    }

    /// The version of a playbook that a rung means.
    fn playbook(self, name: &str, digest: Option<&str>) -> Option<&'a Playbook> {
        match digest {
            None => self.file.playbooks.iter().chain(&self.known.document.playbooks).find(|p| p.name == name),
            Some(digest) => self.known.version(name, digest).map(|version| &version.playbook),
        }
    }
}

pub(super) fn playbooks(playbooks: &[Playbook], faults: &mut Faults) {
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
        scripts(playbook, i, faults);
        if playbook.steps.is_empty() {
            faults.add(at("steps"), "a playbook has at least one step");
        }
        if !(1..=1_000).contains(&playbook.weight) {
            faults.add(at("weight"), "a playbook touches 1 to 1000 things");
        }
        let undo = playbook.undo.iter().enumerate().map(|(j, step)| (format!("undo[{j}]"), step));
        for (place, step) in
            playbook.steps.iter().enumerate().map(|(j, step)| (format!("steps[{j}]"), step)).chain(undo)
        {
            faults.name(at(&format!("{place}.title")), &step.title);
            if !(1..=86_400).contains(&step.limit_secs) {
                faults.add(at(&format!("{place}.limit_secs")), "a step may take 1 s to one day");
            }
            match &step.script {
                None if step.argv.is_empty() => faults.add(at(&place), "a step needs a program (argv) or a script"),
                None => {}
                Some(_) if !step.argv.is_empty() => {
                    faults.add(at(&format!("{place}.script")), "a step is a program or a script, not both");
                }
                Some(script) => {
                    if let Some(wrong) = script_text(&script.text) {
                        faults.add(at(&format!("{place}.script.text")), wrong);
                    }
                }
            }
            for (k, word) in step.argv.iter().enumerate() {
                if let Some(wrong) = placeholder(playbook, word, k == 0) {
                    faults.add(at(&format!("{place}.argv[{k}]")), wrong);
                }
            }
        }
    }
}

/// What is wrong with the scripts of a playbook, beside each one's text.
fn scripts(playbook: &Playbook, i: usize, faults: &mut Faults) {
    if !playbook.has_script() {
        return;
    }
    for name in playbook.parameters.keys().filter(|name| script_variable(name).is_none()) {
        faults.add(
            format!("playbooks[{i}].parameters.{name}"),
            "a script reads it as MW_NAME: a name has lower-case letters, digits and _, a letter first, 64 at most",
        );
    }
    for (key, steps) in [("steps", &playbook.steps), ("undo", &playbook.undo)] {
        let bytes: usize = steps.iter().filter_map(|step| step.script.as_ref()).map(|script| script.text.len()).sum();
        if bytes > MAX_SCRIPT_BYTES {
            let wrong = format!("its scripts have {bytes} bytes together; {MAX_SCRIPT_BYTES} are the most");
            faults.add(format!("playbooks[{i}].{key}"), wrong);
        }
    }
}

/// What is wrong with a script's text.
fn script_text(text: &str) -> Option<&'static str> {
    if text.trim().is_empty() {
        return Some("a script has a text");
    }
    let odd = text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t'));
    odd.then_some("a script's lines end with a line feed alone, and hold no other control character but tabs")
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
fn selected(both: Both<'_>, path: &str, client: Option<&str>, host: Option<&str>, faults: &mut Faults) {
    let fits = |c: &&Client| client.is_none_or(|name| name == c.name);
    match (client, host) {
        (Some(name), _) if !both.clients().any(|c| fits(&c)) => {
            faults.missing(both.names, format!("{path}.client"), format!("there is no client {name:?}"));
        }
        (_, Some(host)) if !both.clients().filter(fits).any(|c| c.hosts.iter().any(|h| h.name == host)) => {
            faults.missing(both.names, format!("{path}.host"), format!("there is no host {host:?}"));
        }
        _ => {}
    }
}

pub(super) fn checks(both: Both<'_>, faults: &mut Faults) {
    let checks = &both.file.checks;
    faults.unique("a check", checks.iter().enumerate().map(|(i, c)| (format!("checks[{i}].name"), c.name.as_str())));
    for (i, check) in checks.iter().enumerate() {
        if let Err(error) = check.clone().complete() {
            faults.add(format!("checks[{i}].{}", error.field), error.problem);
        }
        if both.known.document.checks.iter().any(|c| c.name == check.name && c.kind != check.kind) {
            faults.add(format!("checks[{i}].kind"), "a check keeps its kind; give the new one another name");
        }
        let select = &check.selector;
        let path = format!("checks[{i}].selector");
        selected(both, &path, select.client.as_deref(), select.host.as_deref(), faults);
    }
}

pub(super) fn mappings(both: Both<'_>, faults: &mut Faults) {
    let mappings = &both.file.mappings;
    faults.unique(
        "a mapping",
        mappings.iter().enumerate().map(|(i, m)| (format!("mappings[{i}].name"), m.name.as_str())),
    );
    for (i, mapping) in mappings.iter().enumerate() {
        let path = format!("mappings[{i}]");
        for fault in mapping.definition().faults() {
            faults.add(path.clone(), fault);
        }
        if let Some(check) = mapping.when.check.as_ref().filter(|name| !both.has_check(name)) {
            faults.missing(both.names, format!("{path}.when.check"), format!("there is no check {check:?}"));
        }
        let when = format!("{path}.when");
        selected(both, &when, mapping.when.client.as_deref(), mapping.when.host.as_deref(), faults);
        rungs(both, &path, mapping, faults);
    }
}

pub(super) fn maintenance(both: Both<'_>, faults: &mut Faults) {
    let plans = &both.file.maintenance;
    let named = |(i, plan): (usize, &'_ Maintenance)| (format!("maintenance[{i}].name"), plan.name.clone());
    let names: Vec<(String, String)> = plans.iter().enumerate().map(named).collect();
    faults.unique("a maintenance", names.iter().map(|(path, name)| (path.clone(), name.as_str())));
    for (i, plan) in plans.iter().enumerate() {
        let path = format!("maintenance[{i}]");
        faults.name(format!("{path}.name"), &plan.name);
        if plan.host.is_some() && plan.client.is_none() {
            faults.add(format!("{path}.host"), "say whose host it is: client");
        }
        selected(both, &path, plan.client.as_deref(), plan.host.as_deref(), faults);
        for (field, wrong) in plan.times().faults() {
            faults.add(if field.is_empty() { path.clone() } else { format!("{path}.{field}") }, wrong);
        }
    }
}

fn rungs(both: Both<'_>, path: &str, mapping: &MappingEntry, faults: &mut Faults) {
    for (j, rung) in mapping.ladder.iter().enumerate() {
        let at = |key: &str| format!("{path}.ladder[{j}].{key}");
        let Some(playbook) = both.playbook(&rung.playbook, rung.digest.as_deref()) else {
            let (key, wrong) = match &rung.digest {
                None => ("playbook", format!("there is no playbook {:?}", rung.playbook)),
                Some(_) => ("digest", format!("no published version of {:?} has it; leave it out", rung.playbook)),
            };
            faults.missing(both.names, at(key), wrong);
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
