//! The same file again changes nothing, and what is exported is the same file.

use super::{Desk, lines};
use crate::stages::world::{Setup, World, document};
use crate::support::TestDb;

/// Everything a file can hold, with names that YAML would read as something else.
const ODD: &str = r##"
tenant: {name: "yes: [no]", time_zone: Europe/Berlin}
members:
  - {name: "O'Neil \"the\" owner", email: owner@odd.example, role: owner, password_env: PASSWORD}
  - {name: "~", email: viewer@odd.example, role: client_viewer, clients: ["null", "#5"], password: a long password}
notify: [oncall@odd.example]
mail: {host: smtp.odd.example, port: 465, tls: implicit, sender: alerts@odd.example, login: {user: "yes: no", secret: relay}}
clients:
  - name: "null"
    sites: ["off", "- x"]
    contacts: [{name: "on: call", email: "yes@odd.example", phone: "+49 (30) 1", told: true}, {name: "~", email: "no@odd.example"}]
    hosts:
      - {name: "0x1F", site: "off", tags: {"12": "true", "a: b": " lead", "été": "☃"}}
      - {name: "1e3"}
  - {name: "#5", time_zone: UTC}
checks:
  - {name: "*x", kind: service, target: "a #b", selector: {tags: {"12": "true"}}, critical_when: ["state = failed", "load >= 2.5"], hold_secs: 9}
  - {name: "&y", kind: heartbeat}
  - {name: "%z", kind: http, target: "https://odd.example/", selector: {host: "1e3"}, headers: {Authorization: {secret: status, prefix: "Bearer: "}, X-Key: {secret: "1e3"}}}
  - {name: "?s", kind: ssh, target: "[::1]:22", selector: {host: "1e3"}, host_key: "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU", user: "on: #1", key: {secret: "0x1f"}}
playbooks:
  - name: "no"
    title: "{start: it}, \"now\""
    risk: H
    effect: once
    parameters: {service: {type: service_name}, tries: {type: int, min: -3, max: 7}, how: {type: enum, values: ["on", "off"]}, file: {type: path_under, root: /var}}
    steps:
      - {title: "one: two", argv: ["{service.start}", "--x", "{how}", "multi\nline\t"], limit_secs: 5}
      - title: "a script"
        script:
          interpreter: /usr/bin/python3
          text: |
            # {service.start} stays as it is: "#", 'é', \ and tabs	too
            import os

            if os.environ["MW_HOW"] == "on":
                print("multi: line")
        limit_secs: 6
    undo: [{title: back, script: {interpreter: /bin/sh, text: "exit 0"}, limit_secs: 1}]
mappings:
  - name: "@m"
    mode: approve
    when: {check: "*x", tags: {"a: b": " lead"}, severity: critical}
    ladder: [{playbook: "no", parameters: {service: "{target}", tries: -2, how: "off", file: "/var/log/%x"}}]
    verify: {settle_secs: 1, stable_secs: 3}
maintenance:
  - {name: "on: {x}", client: "null", host: "1e3", weekly: ["sat 22:00-04:00", "daily 12:00-12:15"]}
  - {name: "~ all", once: {from: "2099-12-05T22:00", to: "2099-12-06T04:00"}, active: false}
limits:
  tenant: {runs_per_window: 10, window_secs: 600, in_flight: 5}
  client: {in_flight: 2}
  host: {runs_per_hour: 3, in_flight: 1}
  host_playbook: {cooldown_secs: 600, per_day: 3}
"##;

#[tokio::test]
async fn the_same_file_again_is_no_difference() {
    let db = TestDb::new().await;
    let desk = Desk::fresh(&db);
    let made = desk.apply(ODD).await;
    assert_eq!(made.hosts.len(), 2);
    assert!(lines(&made).contains(&"+ mapping \"@m\" (approve)".to_owned()), "{:?}", lines(&made));
    for seeded in [desk.plan(ODD).await, desk.apply(ODD).await] {
        assert_eq!(lines(&seeded), Vec::<String>::new());
        assert!(seeded.hosts.is_empty() && seeded.tenant_id == made.tenant_id);
    }
}

#[tokio::test]
async fn what_is_exported_plans_nothing_and_holds_no_secret() {
    let db = TestDb::new().await;
    let desk = Desk::fresh(&db);
    desk.apply(ODD).await;
    let file = desk.export().await;
    assert_eq!(lines(&desk.plan(&file).await), Vec::<String>::new(), "{file}");
    assert_eq!(desk.export().await, file, "an export is the same twice");
    assert!(file.contains("No secret is in it"), "it says so");
    for secret in ["a long password", "password_env:", "password:", "argon2", "mwe_", "digest"] {
        assert!(!file.replace("password or password_env", "").contains(secret), "{secret}: {file}");
    }
}

#[tokio::test]
async fn a_world_that_was_seeded_exports_to_an_empty_plan() {
    let w = World::new(Setup {
        hosts: 2,
        limits: "  client: {runs_per_window: 4, window_secs: 600}\n",
        ..Setup::default()
    })
    .await;
    let desk = Desk::in_world(&w);
    let file = desk.export().await;
    assert_eq!(lines(&desk.plan(&file).await), Vec::<String>::new(), "{file}");
}

#[tokio::test]
async fn a_plan_changes_nothing_and_an_apply_makes_exactly_what_it_said() {
    let mut w = World::new(Setup::default()).await;
    let desk = Desk::in_world(&w);
    let file = document(&Setup::default())
        .replace("interval_secs: 2", "interval_secs: 5")
        .replacen("title: Start it", "title: Start it again", 1)
        .replace("      - {name: h1, tags: {role: web}}", "      - {name: h1, tags: {role: db}}\n      - {name: h2}")
        + "notify: []\n";
    let file = file.replace("notify: [oncall@harbour.example]\n", "");
    let before = w.list("SELECT version::text || definition::text FROM checks").await;
    let planned = desk.plan(&file).await;
    let expected = [
        "  notify oncall@harbour.example: not in the file, stays as it is",
        "~ client \"Alder\": host \"h1\": tags.role: \"web\" → \"db\"",
        "+ client \"Alder\": host \"h2\"",
        "~ playbook \"restart-service\": steps[0].title: \"Start it\" → \"Start it again\"",
    ];
    assert_eq!(lines(&planned)[..4], expected, "{:?}", lines(&planned));
    assert!(lines(&planned).iter().any(|l| l.starts_with("~ mapping \"Shop is started again\": ladder[0].digest:")));
    assert!(lines(&planned).contains(&"~ check \"Shop runs\": interval_secs: 2 → 5".to_owned()));
    assert_eq!(w.list("SELECT version::text || definition::text FROM checks").await, before);
    assert_eq!(w.one::<i64>("SELECT count(*) FROM playbook_versions").await, 2);

    let applied = desk.apply(&file).await;
    assert_eq!(lines(&applied), lines(&planned));
    assert_eq!(applied.hosts.iter().map(|h| h.host.as_str()).collect::<Vec<_>>(), ["h2"]);
    assert_eq!(w.one::<i64>("SELECT count(*) FROM playbook_versions").await, 3);
    assert_eq!(w.one::<i32>("SELECT version FROM mappings").await, 2);
    assert_eq!(w.one::<i64>("SELECT config_version FROM hosts").await, 2, "other checks select the host now");
    assert_eq!(w.one::<i64>("SELECT count(*) FROM tenant_audit WHERE action = 'configuration.applied'").await, 2);
    assert!(desk.plan(&file).await.report.is_empty());

    // Back: the old version is published already, and means the playbook again.
    desk.apply(&document(&Setup::default())).await;
    assert_eq!(w.one::<i64>("SELECT count(*) FROM playbook_versions").await, 3);
    assert!(desk.plan(&document(&Setup::default())).await.report.is_empty());
}

#[tokio::test]
async fn what_the_file_does_not_tell_stays_and_its_names_may_be_used() {
    let mut w = World::new(Setup::default()).await;
    let desk = Desk::in_world(&w);
    let part = "tenant: {name: Harbour}\nmappings:\n  - name: Another\n    mode: observe\n    when: {check: Shop runs, client: Alder, host: h1}\n    \
        ladder: [{playbook: restart-service, parameters: {service: shop}}]\n    verify: {settle_secs: 1, stable_secs: 3}\n";
    let applied = desk.apply(part).await;
    let stay = lines(&applied).iter().filter(|line| line.ends_with("not in the file, stays as it is")).count();
    assert_eq!(stay, lines(&applied).len() - 1, "{:?}", lines(&applied));
    assert_eq!(w.one::<i64>("SELECT count(*) FROM mappings WHERE archived_at IS NULL").await, 2);
    assert!(desk.plan(part).await.report.is_empty());
}
