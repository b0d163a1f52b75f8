use std::collections::BTreeMap;
use std::path::Path;

use super::*;

const HEAD: &str =
    "tenant: {name: Acme}\nmembers:\n  - {name: A, email: a@acme.test, role: owner, password: longenough1}\n";

fn faults(rest: &str) -> String {
    let text = format!("{HEAD}{rest}");
    Seed::parse(Path::new("seed.yaml"), &text, &|_| None).err().map(|e| e.to_string()).unwrap_or_default()
}

#[test]
fn an_unknown_key_is_refused_with_its_path() {
    let text = faults("clients:\n  - name: Dock\n    hosts:\n      - {name: h1, tagz: {}}\n");
    assert!(text.contains("seed.yaml:7:20: clients[0].hosts[0].tagz: "), "{text}");
    assert!(text.contains("unknown field"), "{text}");
}

#[test]
fn a_bad_value_and_a_bad_reference_are_refused_together() {
    let text = faults(
        "clients:\n  - name: Dock\n    time_zone: Mars/North\n    hosts: [{name: h1, site: Quay}]\nlimits:\n  host: {runs_per_hour: 0}\n",
    );
    assert!(text.contains("seed.yaml:6:16: clients[0].time_zone: \"Mars/North\" is no time zone"), "{text}");
    assert!(text.contains("clients[0].hosts[0].site: Dock has no site \"Quay\""), "{text}");
    assert!(text.contains("limits.host.runs_per_hour: "), "{text}");
}

#[test]
fn everything_that_is_wrong_is_told_at_once_at_its_line() {
    let text = faults(
        "clients:\n  - name: Dock\n    tiem_zone: UTC\n    hosts:\n      - {name: [h1]}\n      - {name: h2, tagz: {}}\n\
         \x20     - {name: '', tags: {rack: 12}}\n  - hosts: []\nchecks:\n  - {name: web, kind: servce, target: shop}\n\
         \x20 - {name: api, kind: service, target: shop, interval_secs: 0, selector: {client: Nobody}}\nclinets: []\n",
    );
    let told: Vec<&str> = text.lines().skip(1).map(str::trim).collect();
    let expected = [
        "seed.yaml:6:5: clients[0].tiem_zone: unknown field `tiem_zone`",
        "seed.yaml:8:16: clients[0].hosts[0].name: invalid type: sequence",
        "seed.yaml:9:20: clients[0].hosts[1].tagz: unknown field `tagz`",
        "seed.yaml:10:33: clients[0].hosts[2].tags.rack: invalid type: integer `12`, expected a string",
        "seed.yaml:11:5: clients[1]: missing field `name`",
        "seed.yaml:13:23: checks[0].kind: unknown variant `servce`",
        "seed.yaml:14:61: checks[1].interval_secs: between 1 and 3600",
        "seed.yaml:15:1: clinets: unknown field `clinets`",
    ];
    assert_eq!(told.len(), expected.len(), "{text}");
    for (told, expected) in told.iter().zip(expected) {
        assert!(told.starts_with(expected), "{told}\n{expected}");
    }
}

#[test]
fn what_is_no_yaml_is_told_with_its_place() {
    let text = faults("notify: [a@b.test\nclients: []\n");
    assert!(text.contains("seed.yaml:5:"), "{text}");
}

#[test]
fn a_password_from_the_environment_must_be_there() {
    let text = "tenant: {name: Acme}\nmembers: [{name: A, email: a@acme.test, role: owner, password_env: PW}]\n";
    let error = Seed::parse(Path::new("s"), text, &|_| None).unwrap_err().to_string();
    assert!(error.contains("members[0].password_env: the environment has no variable PW"), "{error}");
    assert!(Seed::parse(Path::new("s"), text, &|_| Some("longenough1".into())).is_ok());
}

#[test]
fn a_step_may_only_name_declared_parameters() {
    let text = faults(
        "playbooks:\n  - name: p\n    title: t\n    risk: L\n    effect: idempotent\n    parameters: {service: {type: service_name}}\n    steps: [{title: s, argv: ['{other.start}', '{service}'], limit_secs: 5}]\n",
    );
    assert!(text.contains("playbooks[0].steps[0].argv[0]: there is no parameter \"other\""), "{text}");
}

fn scripted(parameters: &str, step: &str) -> String {
    faults(&format!(
        "playbooks:\n  - name: p\n    title: t\n    risk: M\n    effect: once\n    parameters: {parameters}\n    steps:\n      - {step}\n"
    ))
}

#[test]
fn a_script_is_told_what_is_wrong_with_it_at_its_line() {
    assert_eq!(scripted("{}", "{title: s, script: {interpreter: /bin/sh, text: 'exit 0'}, limit_secs: 5}"), "");
    for (parameters, step, told) in [
        ("{}", "{title: s, limit_secs: 5}", "seed.yaml:11:9: playbooks[0].steps[0]: a step needs a program"),
        (
            "{}",
            "{title: s, argv: [/bin/true], script: {interpreter: /bin/sh, text: x}, limit_secs: 5}",
            "seed.yaml:11:47: playbooks[0].steps[0].script: a step is a program or a script, not both",
        ),
        (
            "{}",
            "{title: s, script: {interpreter: /bin/zsh, text: x}, limit_secs: 5}",
            "seed.yaml:11:42: playbooks[0].steps[0].script.interpreter: unknown variant `/bin/zsh`",
        ),
        (
            "{}",
            "{title: s, script: {interpreter: /bin/sh, text: x, env: {}}, limit_secs: 5}",
            "playbooks[0].steps[0].script.env: unknown field `env`",
        ),
        (
            "{}",
            "{title: s, script: {interpreter: /bin/sh, text: ' '}, limit_secs: 5}",
            "playbooks[0].steps[0].script.text: a script has a text",
        ),
        (
            "{}",
            "{title: s, script: {interpreter: /bin/sh, text: \"a\\r\\nb\"}, limit_secs: 5}",
            "playbooks[0].steps[0].script.text: a script's lines end with a line feed alone",
        ),
        (
            "{Word: {type: enum, values: [a]}}",
            "{title: s, script: {interpreter: /bin/sh, text: x}, limit_secs: 5}",
            "playbooks[0].parameters.Word: a script reads it as MW_NAME",
        ),
    ] {
        let text = scripted(parameters, step);
        assert!(text.contains(told), "{told}\n{text}");
    }
    let long = format!("{{title: s, script: {{interpreter: /bin/sh, text: '{}'}}, limit_secs: 5}}", "x".repeat(8193));
    let text = scripted("{}", &long);
    assert!(text.contains("playbooks[0].steps: its scripts have 8193 bytes together; 8192 are the most"), "{text}");
}

#[test]
fn a_plan_is_told_what_is_wrong_with_it_at_its_line() {
    let text = faults(
        "clients: [{name: Dock, hosts: [{name: h1}]}]\nmaintenance:\n  - {name: a, client: Deck, weekly: [sat 22-04]}\n  - {name: b, host: h1, once: {from: 2026-12-05T22:00, to: 2026-12-05T21:00}}\n  - {name: A, client: Dock, host: h1}\n",
    );
    for told in [
        "seed.yaml:6:23: maintenance[0].client: there is no client \"Deck\"",
        "maintenance[0].weekly[0]: \"sat 22-04\" is no stretch of a week",
        "seed.yaml:7:21: maintenance[1].host: say whose host it is: client",
        "maintenance[1].once.to: it ends before it begins",
        "maintenance[2].name: there is already a maintenance \"A\"",
        "seed.yaml:8:5: maintenance[2]: say either weekly or once",
    ] {
        assert!(text.contains(told), "{told}\n{text}");
    }
}

const WEB: &str = "clients: [{name: Dock, hosts: [{name: h1}]}]\nchecks: [{name: web, kind: service, target: shop}]\nplaybooks:\n  - name: p\n    title: t\n    risk: H\n    effect: idempotent\n    parameters: {service: {type: service_name}, tries: {type: int, min: 1, max: 3}}\n    steps: [{title: s, argv: ['{service.start}'], limit_secs: 5}]\n";

fn mapping(when: &str, playbook: &str, parameters: &str) -> String {
    faults(&format!(
        "{WEB}mappings:\n  - name: m\n    mode: auto\n    when: {when}\n    ladder: [{{playbook: {playbook}, parameters: {parameters}}}]\n    verify: {{settle_secs: 1, stable_secs: 3}}\n"
    ))
}

#[test]
fn a_mapping_names_what_is_there_and_binds_what_fits() {
    let text = mapping("{check: wob, client: Dick, host: h2}", "q", "{}");
    for part in [
        "when.check: there is no check \"wob\"",
        "when.client: there is no client \"Dick\"",
        "ladder[0].playbook: there is no playbook \"q\"",
    ] {
        assert!(text.contains(&format!("mappings[0].{part}")), "{text}");
    }
    let text = mapping("{check: web, host: h2}", "p", "{service: -x, tries: 4, more: 1}");
    for part in [
        "when.host: there is no host",
        "ladder[0].parameters.service: ",
        "ladder[0].parameters.tries: is no whole number from 1 to 3",
        "ladder[0].parameters.more: ",
    ] {
        assert!(text.contains(&format!("mappings[0].{part}")), "{text}");
    }
}

#[test]
fn a_playbook_of_risk_h_may_not_run_by_itself() {
    let text = mapping("{check: web}", "p", "{service: '{target}', tries: 2}");
    assert!(text.contains("mappings[0].mode: playbook \"p\" has risk H"), "{text}");
    assert_eq!(text.matches("seed.yaml:").count(), 1, "{text}");
}

#[test]
fn the_demos_seed_is_sound() {
    let text = include_str!("../../../../infra/demo.yaml");
    let seed = Seed::parse(Path::new("infra/demo.yaml"), text, &|_| Some("longenough1".into()));
    assert!(seed.is_ok(), "{}", seed.unwrap_err());
}

/// Texts that YAML would read as something else, or that break a line.
const ODD: &[&str] = &[
    "yes",
    "No",
    "on",
    "OFF",
    "null",
    "~",
    "true",
    "12",
    "0x1F",
    "1e3",
    "1_000",
    ".5",
    "-",
    "- x",
    "? x",
    ": x",
    "a: b",
    "a #b",
    "#b",
    " lead",
    "trail ",
    "{target}",
    "[x]",
    "&x",
    "*x",
    "!x",
    "|",
    ">",
    "%x",
    "@x",
    "`x",
    "'x'",
    "\"x\"",
    "back\\slash",
    "2024-01-01",
    "12:30:45",
    "<<",
    "=",
    "été ☃",
    "\u{feff}x",
    "a\u{85}b",
    "a\u{2028}b",
    "0o17",
    "+1",
    "\u{202e}x",
    "---",
    "...",
    "x:",
    "NaN",
    ".inf",
];

#[test]
fn odd_texts_come_back_from_a_written_file() {
    let mut document = Document::empty();
    document.tenant.name = "yes".to_owned();
    for (i, odd) in ODD.iter().enumerate() {
        document.clients.push(document::Client {
            name: (*odd).to_owned(),
            time_zone: None,
            contacts: vec![document::Contact {
                name: (*odd).to_owned(),
                email: (*odd).to_owned(),
                phone: Some((*odd).to_owned()),
                told: true,
            }],
            sites: vec![(*odd).to_owned()],
            service_groups: vec![document::Group {
                name: (*odd).to_owned(),
                tags: BTreeMap::from([((*odd).to_owned(), (*odd).to_owned())]),
                targets: vec![(*odd).to_owned()],
                active: true,
            }],
            hosts: vec![document::Host {
                name: (*odd).to_owned(),
                site: Some((*odd).to_owned()),
                tags: [((*odd).to_owned(), format!("{odd}\n{i}\t\r\n x\n"))].into(),
            }],
        });
    }
    let text = export::write(&document).unwrap();
    let read = tree::Tree::of(&text).unwrap_or_else(|e| panic!("{e}\n{text}")).value();
    assert_eq!(serde_json::from_value::<Document>(read).unwrap(), document, "{text}");
}
