//! Sites, contacts, hosts' places and metrics, and enrolment tokens over the API.

use axum::http::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use super::api::ALL;
use super::program::{Program, UNPROCESSABLE};

#[tokio::test]
async fn a_site_is_added_renamed_and_removed_once_nothing_stands_there() {
    let mut p = Program::new().await;
    let sites = format!("clients/{}/sites", p.console.ours.client);
    let (status, made) = p.post(&sites, json!({ "name": " Dock " })).await;
    assert_eq!(status, StatusCode::OK, "{made}");
    let id = made["id"].as_str().unwrap().to_owned();
    let dock = json!([{ "id": id, "name": "Dock", "hosts": 0 }]);
    assert_eq!(p.get(&sites).await.1["items"], dock);
    let wrong = [
        (json!({}), "name"),
        (json!({ "name": "" }), "name"),
        (json!({ "name": "dock" }), "name"),
        (json!({ "name": "x".repeat(201) }), "name"),
        (json!({ "name": "x", "hosts": 1 }), "hosts"),
    ];
    p.refuses(&sites, &wrong).await;
    let one = format!("{sites}/{id}");
    assert_eq!(p.post(&one, json!({ "name": "Quay" })).await.1, json!({ "changed": true }));
    assert_eq!(p.post(&one, json!({ "name": "Quay" })).await.1, json!({ "changed": false }));
    assert_eq!(p.post(&format!("{sites}/{}", Uuid::nil()), json!({ "name": "X" })).await.0, StatusCode::NOT_FOUND);

    let place = format!("hosts/{}/place", p.console.ours.host);
    assert_eq!(p.post(&place, json!({ "site": id, "tags": {} })).await.1["changed"], true);
    let (status, problem) = p.post(&format!("{one}/remove"), json!({})).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(problem["detail"].as_str().unwrap().contains("hosts stand there"), "{problem}");
    assert_eq!(p.post(&place, json!({ "tags": {} })).await.1["changed"], true);
    assert_eq!(p.post(&format!("{one}/remove"), json!({})).await.1, json!({ "changed": true }));
    assert_eq!(p.post(&format!("{one}/remove"), json!({})).await.0, StatusCode::NOT_FOUND);
    let told = "audit WHERE action IN ('site.added', 'site.renamed', 'site.removed') AND actor LIKE 'token %'";
    assert_eq!(p.console.count(told).await, 3);
}

#[tokio::test]
async fn a_contact_is_added_changed_and_removed_with_each_wrong_field_named() {
    let mut p = Program::new().await;
    let contacts = format!("clients/{}/contacts", p.console.ours.client);
    let ana = json!({ "name": "Ana", "email": "ana@acme.example", "phone": "+49 30 1", "told": true });
    let (status, made) = p.post(&contacts, ana.clone()).await;
    assert_eq!(status, StatusCode::OK, "{made}");
    let id = made["id"].as_str().unwrap().to_owned();
    let with = |field: &str, value: Value| {
        let mut body = json!({ "name": "Bo", "email": "bo@acme.example", "told": false });
        body[field] = value;
        body
    };
    let wrong = [
        (with("name", json!("")), "name"),
        (with("email", json!("bo")), "email"),
        (with("email", json!("ANA@acme.example")), "email"),
        (with("phone", json!("call me")), "phone"),
        (with("told", json!("yes")), "told"),
        (json!({ "name": "Bo", "email": "bo@acme.example" }), "told"),
    ];
    p.refuses(&contacts, &wrong).await;
    let (_, list) = p.get(&contacts).await;
    let mut shown = ana;
    shown["id"] = json!(id);
    assert_eq!(list, json!({ "items": [shown], "next": null }));
    let one = format!("{contacts}/{id}");
    let quiet = json!({ "name": "Ana", "email": "ana@acme.example", "told": false });
    assert_eq!(p.post(&one, quiet.clone()).await.1, json!({ "changed": true }));
    assert_eq!(p.post(&one, quiet).await.1, json!({ "changed": false }));
    assert_eq!(p.console.count("contacts WHERE NOT is_told AND phone IS NULL").await, 1);
    assert_eq!(p.post(&format!("{one}/remove"), json!({})).await.1, json!({ "changed": true }));
    assert_eq!(p.post(&format!("{one}/remove"), json!({})).await.0, StatusCode::NOT_FOUND);
    assert_eq!(p.console.count("audit WHERE action LIKE 'contact.%' AND actor LIKE 'token %'").await, 3);
}

#[tokio::test]
async fn a_hosts_tags_are_replaced_and_what_could_not_be_typed_is_none() {
    let mut p = Program::new().await;
    let place = format!("hosts/{}/place", p.console.ours.host);
    let many: serde_json::Map<String, Value> = (0..51).map(|n| (format!("k{n}"), json!("v"))).collect();
    let wrong = [
        (json!({}), "tags"),
        (json!({ "tags": { "a=b": "c" } }), "tags"),
        (json!({ "tags": { "a": "b,c=d" } }), "tags"),
        (json!({ "tags": { "a": "" } }), "tags"),
        (json!({ "tags": { "a": 1 } }), "tags.a"),
        (json!({ "tags": many }), "tags"),
        (json!({ "tags": {}, "site": "Dock" }), "site"),
    ];
    p.refuses(&place, &wrong).await;
    assert_eq!(p.post(&place, json!({ "tags": {}, "site": Uuid::nil() })).await.0, StatusCode::NOT_FOUND);
    assert_eq!(p.post(&place, json!({ "tags": { "role": "web" } })).await.1, json!({ "changed": true }));
    assert_eq!(p.post(&place, json!({ "tags": { "role": "web" } })).await.1, json!({ "changed": false }));
    let (_, host) = p.get(&format!("hosts/{}", p.console.ours.host)).await;
    assert_eq!(host["tags"], json!({ "role": "web" }));
    assert_eq!(p.console.count("audit WHERE action = 'host.placed' AND actor LIKE 'token %'").await, 1);
    let organization = &p.console.ours;
    let pool = format!(
        "INSERT INTO service_groups (tenant_id, client_id, group_id, name, tags) VALUES ('{}', '{}', '{}', 'pool', '{{\"role\": \"web\"}}')",
        organization.tenant, organization.client, organization.host
    );
    p.console.execute(pool).await;
    let stays = json!({ "tags": { "role": "web", "tier": "a" } });
    assert_eq!(p.post(&place, stays.clone()).await.1, json!({ "changed": true }));
    // Out of a service group it takes a second person, who is told why.
    let leaves = |why: &str| json!({ "tags": { "role": "db" }, "why": why });
    p.refuses(&place, &[(leaves(" "), "why"), (leaves(&"x".repeat(201)), "why")]).await;
    let key = [("idempotency-key", "one")];
    let (status, waits) = p.post_with(&place, &key, leaves("It moved")).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{waits}");
    assert_eq!((&waits["state"], &waits["wanted"]), (&json!("proposed"), &json!({ "tags": { "role": "db" } })));
    let again = p.post_with(&place, &key, leaves("It moved")).await;
    assert_eq!(again, (StatusCode::ACCEPTED, waits.clone()), "answered as before");
    assert_eq!(p.post(&place, leaves("As I said")).await.1["change"], waits["change"], "exactly this waits already");
    let open = "proposed_changes WHERE kind = 'host_tags' AND state = 'proposed' AND why = 'It moved'";
    assert_eq!(p.console.count(open).await, 1);
    assert_eq!(p.get(&format!("hosts/{}", p.console.ours.host)).await.1["tags"], stays["tags"], "nothing changed yet");
    let told = "tenant_audit WHERE action = 'change.proposed' AND actor LIKE 'token % of member %'";
    assert_eq!(p.console.count(told).await, 1);
    let answer = format!("changes/{}", waits["change"].as_str().unwrap());
    assert_eq!(p.post(&answer, json!({ "answer": "yes" })).await.0, StatusCode::FORBIDDEN, "it is the maker's own");

    // What the console asks a fresh proof for takes a token that ends soon; what leaves no group does not.
    p = p.with("owner@ours.example", &["clients"]).await;
    assert_eq!(p.post(&place, leaves("It moved")).await.0, StatusCode::FORBIDDEN);
    assert_eq!(p.post(&place, json!({ "tags": { "role": "web" } })).await.1, json!({ "changed": true }));
    p = p.with("sam@ours.example", &ALL).await;
    assert_eq!(p.post(&place, leaves("It moved")).await.0, StatusCode::FORBIDDEN, "a technician");
    let theirs = format!("hosts/{}/place", p.console.theirs.host);
    p = p.with("owner@ours.example", &ALL).await;
    assert_eq!(p.post(&theirs, leaves("It moved")).await.0, StatusCode::NOT_FOUND);
    assert_eq!(p.console.count(open).await, 1, "what was refused proposes nothing");
}

#[tokio::test]
async fn an_enrolment_tokens_text_is_in_one_answer_and_nowhere_else() {
    let mut p = Program::new().await;
    let client = p.console.ours.client;
    let wanted = json!({ "client": client, "host": "web-09", "days": 3, "tags": { "role": "web" }, "networks": ["192.0.2.9/24"] });
    let with = |field: &str, value: Value| {
        let mut body = json!({ "client": client, "uses": 5, "days": 3 });
        body[field] = value;
        body
    };
    let wrong = [
        (json!({ "client": client, "days": 3 }), "host"),
        (with("host", json!("web-09")), "uses"),
        (with("uses", json!(0)), "uses"),
        (with("uses", json!(501)), "uses"),
        (with("days", json!(31)), "days"),
        (with("days", json!(0)), "days"),
        (with("networks", json!(["office"])), "networks"),
        (with("tags", json!({ "a,b": "c" })), "tags"),
        (json!({ "client": client, "host": " ", "days": 3 }), "host"),
    ];
    p.refuses("enrolment-tokens", &wrong).await;
    assert_eq!(p.post("enrolment-tokens", with("site", json!(Uuid::nil()))).await.0, StatusCode::NOT_FOUND);
    assert_eq!(
        p.console.count("enrolment_tokens").await + p.console.count("enrolments WHERE created_by IS NOT NULL").await,
        0
    );

    let key = [("idempotency-key", "one")];
    let (status, made) = p.post_with("enrolment-tokens", &key, wanted.clone()).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let text = made["token"].as_str().unwrap().to_owned();
    assert!(keys::token::parse(&text).is_ok() && made["server"] == "https://mend.example", "{made}");
    let row = format!(
        "credentials WHERE kind = 'enrolment_token' AND secret_hash = '\\x{}'",
        hex::encode(keys::token::hash(&text))
    );
    assert_eq!(p.console.count(&row).await, 1);
    // The same request is answered as before, without the text; another one with this key is refused.
    let (status, again) = p.post_with("enrolment-tokens", &key, wanted.clone()).await;
    let mut kept = made.clone();
    kept["token"] = Value::Null;
    assert_eq!((status, &again), (StatusCode::CREATED, &kept));
    assert_eq!(p.post_with("enrolment-tokens", &key, with("uses", json!(2))).await.0, UNPROCESSABLE);
    assert_eq!(p.console.count("credentials WHERE kind = 'enrolment_token'").await, 1, "one token");
    let secret = &text["mw_enroll_".len() + 4..];
    for table in ["api_answers", "audit", "tenant_audit", "enrolments", "credentials"] {
        assert_eq!(p.console.count(&format!("{table} t WHERE t::text LIKE '%{secret}%'")).await, 0, "{table}");
    }

    let (_, list) = p.get("enrolment-tokens").await;
    let listed = &list["items"][0];
    assert_eq!((&listed["id"], &listed["host"], &listed["uses_left"]), (&made["id"], &json!("web-09"), &json!(1)));
    assert_eq!((&listed["networks"], &listed["begins"]), (&json!(["192.0.2.0/24"]), &json!(text[..14])));
    let revoke = format!("enrolment-tokens/{}/revoke", made["id"].as_str().unwrap());
    assert_eq!(p.post(&revoke, json!({})).await.1, json!({ "changed": true }));
    assert_eq!(p.post(&revoke, json!({})).await.1, json!({ "changed": false }));
    assert!(p.get("enrolment-tokens").await.1["items"][0]["revoked_at"].is_string());
    assert_eq!(p.console.count("audit WHERE action LIKE 'enrolment_token.%' AND actor LIKE 'token %'").await, 2);
    let (_, reads) = p.console.token("owner@ours.example", &["read", "clients"], &[]).await;
    let refused = p.console.api("GET", "/api/v1/enrolment-tokens", &reads, &[], None).await.0;
    assert_eq!(refused, StatusCode::FORBIDDEN, "it is a scope of its own");
}

#[tokio::test]
async fn a_hosts_figures_are_read_by_time_and_step_as_they_are_kept() {
    let mut p = Program::new().await;
    let (tenant, client, host) = (p.console.ours.tenant, p.console.ours.client, p.console.ours.host);
    store::migrate::ensure_days(&p.console.store).await.unwrap();
    for (table, step) in [("host_metrics", "1 minute"), ("host_metrics_5m", "5 minutes")] {
        let rows = format!(
            "INSERT INTO {table} (tenant_id, client_id, host_id, at, layout, samples)
               SELECT '{tenant}', '{client}', '{host}', date_trunc('minute', clock_timestamp()) - n * interval '{step}', 1, ARRAY[n, NULL]::real[] FROM generate_series(1, 5) n;"
        );
        p.console.execute(rows).await;
    }
    let of = format!("hosts/{host}/metrics");
    let (status, hour) = p.get(&of).await;
    assert_eq!(status, StatusCode::OK, "{hour}");
    assert_eq!(
        (&hour["step_secs"], hour["at"].as_array().unwrap().len(), &hour["newest"]),
        (&json!(60), 5, &Value::Null)
    );
    let busy = &hour["series"][0];
    assert_eq!((&busy["name"], &busy["unit"]), (&json!("cpu_busy"), &json!("percent")));
    assert_eq!(busy["values"], json!([5.0, 4.0, 3.0, 2.0, 1.0]), "the oldest first");
    assert_eq!(hour["series"].as_array().unwrap().len(), 14);
    assert_eq!(hour["series"][1]["values"], json!([null, null, null, null, null]), "what was not read is none");
    let from = hour["at"][1].as_str().unwrap();
    let to = hour["at"][3].as_str().unwrap();
    let (_, part) = p.get(&format!("{of}?from={from}&to={to}")).await;
    assert_eq!(part["series"][0]["values"], json!([4.0, 3.0]), "the end is not in it");
    let (_, coarse) = p.get(&format!("{of}?step=300")).await;
    assert_eq!(coarse["series"][0]["values"], json!([5.0, 4.0, 3.0, 2.0, 1.0]));
    for (asked, field) in [
        ("step=61", "step"),
        ("step=x", "step"),
        ("from=yesterday", "from"),
        (&format!("from={to}&to={from}"), "from"),
        ("from=2026-01-01T00:00:00Z", "step"),
        ("range=day", "range"),
    ] {
        let (status, problem) = p.get(&format!("{of}?{asked}")).await;
        assert_eq!((status, &problem["field"]), (UNPROCESSABLE, &json!(field)), "{asked}: {problem}");
    }
}

#[tokio::test]
async fn a_claim_is_answered_for_exactly_its_key_and_a_declared_service_is_watched() {
    let mut p = Program::new().await;
    p.console.proposed().await;
    let host = p.console.ours.host;
    let of = |what: &str| format!("hosts/{host}{what}");
    let (_, shown) = p.get(&of("")).await;
    assert_eq!((&shown["services"], &shown["claim"]["hostname"]), (&json!(["shop-web"]), &json!("Ours-host")));
    let key = shown["claim"]["key"].as_str().unwrap().to_owned();
    let wrong = [
        (json!({}), "answer"),
        (json!({ "answer": "yes" }), "answer"),
        (json!({ "answer": "same", "key": "xyz" }), "key"),
        (json!({ "answer": "same", "key": key, "host": "x" }), "host"),
    ];
    p.refuses(&of("/claim"), &wrong).await;
    for another in ["", "0a0b"] {
        let body = json!({ "answer": "same", "key": another });
        assert_eq!(p.post(&of("/claim"), body).await.0, StatusCode::CONFLICT, "{another}");
    }
    assert_eq!(p.post(&of("/claim"), json!({ "answer": "same", "key": key })).await.1, json!({ "changed": true }));
    assert_eq!(p.get(&of("")).await.1["claim"], Value::Null);
    assert_eq!(p.post(&of("/claim"), json!({ "answer": "other" })).await.0, StatusCode::CONFLICT, "none waits");
    assert_eq!(p.console.count("audit WHERE action = 'host.enrolled_again' AND actor LIKE 'token %'").await, 1);

    let wrong = [(json!({}), "service"), (json!({ "service": "sshd" }), "service")];
    p.refuses(&of("/watch"), &wrong).await;
    let key = [("idempotency-key", "one")];
    let (status, made) = p.post_with(&of("/watch"), &key, json!({ "service": "shop-web" })).await;
    assert_eq!(status, StatusCode::OK, "{made}");
    assert_eq!(p.post_with(&of("/watch"), &key, json!({ "service": "shop-web" })).await.1, made);
    let check = format!(
        "checks WHERE check_id = {} AND name = 'shop-web on Ours-host (Ours client)'",
        made["id"].to_string().replace('"', "'")
    );
    assert_eq!(p.console.count(&check).await, 1);
    let (status, problem) = p.post(&of("/watch"), json!({ "service": "shop-web" })).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(
        problem.to_string().contains("There is a check “shop-web on Ours-host (Ours client)” already"),
        "{problem}"
    );
    assert_eq!(p.console.count("audit WHERE action = 'check.made' AND actor LIKE 'token %'").await, 1);
    p = p.with("sam@ours.example", &ALL).await;
    assert_eq!(p.post(&of("/watch"), json!({ "service": "shop-web" })).await.0, StatusCode::FORBIDDEN);
    assert_eq!(p.post(&of("/claim"), json!({ "answer": "other" })).await.0, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_service_group_is_declared_at_once_and_what_loosens_it_waits() {
    let mut p = Program::new().await;
    let groups = format!("clients/{}/groups", p.console.ours.client);
    let pool = json!({ "name": "Pool", "tags": { "pool": "web" }, "targets": ["shop-web"] });
    let with = |field: &str, value: Value| {
        let mut body = pool.clone();
        body[field] = value;
        body
    };
    let wrong = [
        (with("name", json!(" ")), "name"),
        (with("tags", json!({})), "tags"),
        (with("tags", json!({ "a,b": "c" })), "tags"),
        (with("targets", json!(["a,b"])), "targets"),
        (with("targets", json!((0..51).map(|n| n.to_string()).collect::<Vec<_>>())), "targets"),
        (with("active", json!(true)), "active"),
    ];
    p.refuses(&groups, &wrong).await;
    let key = [("idempotency-key", "one")];
    let (status, made) = p.post_with(&groups, &key, pool.clone()).await;
    assert_eq!(status, StatusCode::OK, "{made}");
    assert_eq!(p.post_with(&groups, &key, pool.clone()).await.1, made, "answered as before");
    p.refuses(&groups, &[(with("name", json!("pool")), "name")]).await;
    let one = format!("{groups}/{}", made["id"].as_str().unwrap());
    let same = json!({ "tags": { "pool": "web" }, "targets": ["shop-web"] });
    assert_eq!(p.post(&one, same).await.1, json!({ "outcome": "same" }));
    let other = |why: &str| json!({ "tags": { "pool": "db" }, "why": why });
    p.refuses(&one, &[(other(" "), "why"), (other(&"x".repeat(201)), "why"), (json!({}), "tags")]).await;
    p.refuses(&format!("{one}/remove"), &[(json!({}), "why")]).await;
    assert_eq!(p.post(&one, other("They moved")).await.1, json!({ "outcome": "proposed" }));
    let remove = json!({ "why": "It is one host now" });
    assert_eq!(p.post(&format!("{one}/remove"), remove.clone()).await.1, json!({ "outcome": "proposed" }));
    let open = "proposed_changes WHERE kind = 'service_group' AND state = 'proposed' AND proposed_login_id IS NOT NULL";
    assert_eq!(p.console.count(open).await, 1, "the newest word counts");
    assert_eq!(p.get("service-groups").await.1["items"][0]["tags"], json!({ "pool": "web" }), "nothing changed yet");
    assert_eq!(p.console.count("audit WHERE action = 'service_group.declared' AND actor LIKE 'token %'").await, 1);
    let nobodys = format!("{groups}/{}", Uuid::nil());
    assert_eq!(p.post(&nobodys, other("x")).await.0, StatusCode::NOT_FOUND);

    // What the console asks a fresh proof for takes a token that ends soon; what tightens does not.
    p = p.with("owner@ours.example", &["read", "clients"]).await;
    assert_eq!(p.post(&format!("{one}/remove"), remove).await.0, StatusCode::FORBIDDEN);
    assert_eq!(p.post(&groups, with("name", json!("Second"))).await.0, StatusCode::OK);
    p = p.with("sam@ours.example", &ALL).await;
    assert_eq!(p.post(&groups, with("name", json!("Third"))).await.0, StatusCode::FORBIDDEN, "a technician");
}

#[tokio::test]
async fn hours_that_are_not_of_the_list_and_a_breaker_that_is_none_are_refused_with_the_field_named() {
    let mut p = Program::new().await;
    let (host, client) = (p.console.ours.host, p.console.ours.client);
    for off in [format!("hosts/{host}/hands-off"), format!("clients/{client}/hands-off")] {
        let wrong = [
            (json!({ "hours": 2 }), "hours"),
            (json!({ "hours": 0, "reason": "x" }), "hours"),
            (json!({ "hours": 1, "reason": "x".repeat(201) }), "reason"),
        ];
        p.refuses(&off, &wrong).await;
    }
    let wrong = [
        (json!({ "breaker": "host", "reason": "x" }), "breaker"),
        (json!({ "breaker": "everything:1", "reason": "x" }), "breaker"),
        (json!({ "breaker": format!("host:{host}"), "reason": " " }), "reason"),
    ];
    p.refuses("guardrails/breaker", &wrong).await;
    assert_eq!(p.console.count("hands_off").await, 0);
}
