use super::*;

fn found() -> ToLease {
    let playbook = json!({"name": "restart-service", "title": "t", "risk": "L", "effect": "idempotent",
        "parameters": {"service": {"type": "service_name"}},
        "steps": [{"title": "a", "argv": ["{service.start}"], "limit_secs": 30}, {"title": "b", "argv": ["/bin/true"], "limit_secs": 5}]});
    ToLease {
        job: jobs::Job {
            key: jobs::JobKey { run_id: Uuid::from_u128(1), purpose: "fix".into(), leg: 1, attempt: 1 },
            client_id: Uuid::nil(),
            host_id: Uuid::nil(),
            state: "queued".into(),
            fence: None,
            instance_id: None,
            envelope_digest: None,
            lease_expires_at: None,
            expires_at: jiff::Timestamp::UNIX_EPOCH,
            permitted_at: None,
        },
        playbook_digest: vec![1; 32],
        playbook: keys::to_canonical(&playbook).unwrap(),
        playbook_signature: String::new(),
        parameters: json!({"service": "web"}),
        check_id: Uuid::from_u128(2),
        target: "web".into(),
        server_looks: false,
    }
}

#[test]
fn an_envelope_selects_all_steps_and_is_the_same_text_each_time() {
    let make = |found: &ToLease| envelope(Uuid::nil(), Uuid::nil(), Uuid::nil(), 7, found);
    let text = make(&found()).unwrap();
    assert_eq!(make(&found()).unwrap(), text);
    let envelope: Envelope = keys::parse_canonical(&text).unwrap();
    assert_eq!((envelope.steps, envelope.limit_secs, envelope.fence), ((1, 2), 35, 7));
}

#[test]
fn a_playbook_that_is_not_canonical_makes_no_envelope() {
    let mut job = found();
    job.playbook.push(' ');
    assert_eq!(envelope(Uuid::nil(), Uuid::nil(), Uuid::nil(), 7, &job), None);
}
