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
