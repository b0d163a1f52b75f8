//! A playbook version is named by the digest of its canonical text, and signatures stand on that text: neither may
//! ever come out otherwise for the same playbook.

use serde_json::json;

#[test]
fn the_digest_of_a_known_playbook_is_the_known_one() {
    let playbook: wire::v1::Playbook = serde_json::from_value(json!({
        "title": "Starts a service – if it is down",
        "name": "restart-service",
        "effect": "idempotent",
        "risk": "L",
        "steps": [{"title": "Start it", "limit_secs": 30, "argv": ["{service.start}", "--now"]}],
        "parameters": {"service": {"type": "service_name"}, "log": {"root": "/var/log", "type": "path_under"}},
    }))
    .unwrap();
    let canonical = keys::to_canonical(&playbook).unwrap();
    let known = concat!(
        r#"{"effect":"idempotent","name":"restart-service","#,
        r#""parameters":{"log":{"root":"/var/log","type":"path_under"},"service":{"type":"service_name"}},"#,
        r#""risk":"L","steps":[{"argv":["{service.start}","--now"],"limit_secs":30,"title":"Start it"}],"#,
        r#""title":"Starts a service – if it is down"}"#,
    );
    assert_eq!(canonical, known);
    let digest = "3e9d5d9771ed47a45f51036e61f9b77a36e4b4086ee14e6941a777bcd0fbca8b";
    assert_eq!(keys::digest(canonical.as_bytes()).to_string(), digest);
    let read: wire::v1::Playbook = serde_json::from_str(&canonical).unwrap();
    assert_eq!(keys::to_canonical(&read).unwrap(), canonical, "what is read back is the same text");
}

#[test]
fn the_digest_of_a_playbook_with_a_script_is_the_known_one() {
    let playbook: wire::v1::Playbook = serde_json::from_value(json!({
        "name": "trim-logs", "title": "Trims logs", "effect": "once", "risk": "M",
        "parameters": {"days": {"type": "int", "min": 1, "max": 90}},
        "steps": [
            {"title": "Trim", "limit_secs": 60, "script": {"text": "find /var/log/app -mtime +\"$MW_DAYS\"\n", "interpreter": "/bin/sh"}},
            {"title": "Look", "limit_secs": 5, "argv": ["/bin/true"]},
        ],
    }))
    .unwrap();
    let canonical = keys::to_canonical(&playbook).unwrap();
    let known = concat!(
        r#"{"effect":"once","name":"trim-logs","parameters":{"days":{"max":90,"min":1,"type":"int"}},"risk":"M","#,
        r#""steps":[{"limit_secs":60,"script":{"interpreter":"/bin/sh","text":"find /var/log/app -mtime +\"$MW_DAYS\"\n"},"#,
        r#""title":"Trim"},{"argv":["/bin/true"],"limit_secs":5,"title":"Look"}],"title":"Trims logs"}"#,
    );
    assert_eq!(canonical, known);
    assert_eq!(
        keys::digest(canonical.as_bytes()).to_string(),
        "4a8c36ee3387997bb23e32efe2f41e47d4d10dd24f813e8ab2659beb8e888886"
    );
    let read: wire::v1::Playbook = keys::parse_canonical(&canonical).unwrap();
    assert_eq!(read, playbook, "what is read back is the same");
}
