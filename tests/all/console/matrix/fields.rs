//! A field too many: whoever may do something adds the name of a column to it. No route takes one that is no field of its
//! own, and nothing has changed.

use axum::http::StatusCode;
use web::{Config, router};

use super::api::{ROWS, path as api_path};
use super::origins::OURS;
use super::{Rows, Target, Whose};
use crate::console::api::ALL;
use crate::console::strangers::{Gives, ROUTES, Seat};
use crate::console::{Console, Organization};

/// Columns that say whose a row is, what somebody may, or what was decided about it.
const COLUMNS: [&str; 24] = [
    "tenant_id",
    "client_ids",
    "login_id",
    "role",
    "state",
    "actor",
    "frozen",
    "frozen_by",
    "set_by",
    "invited_by",
    "created_by",
    "requires_second_factor",
    "requires_sign_on",
    "password_hash",
    "totp_sealed",
    "failed_count",
    "public_key",
    "token_id",
    "secret_hash",
    "uses_left",
    "accepted_at",
    "revoked_at",
    "admitted_at",
    "seen_at",
];

#[tokio::test]
async fn no_route_takes_a_column_that_is_no_field_of_its_own() {
    let mut console = Console::new().await;
    console.execute("UPDATE platform_state SET sign_up = 'open'".to_owned()).await;
    let run = console.run("unknown", "unknown").await;
    console.proposed().await;
    let known: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT column_name::text FROM information_schema.columns WHERE table_schema = 'public'",
    )
    .fetch_all(&mut console.rows)
    .await
    .unwrap();
    for column in COLUMNS {
        assert!(known.iter().any(|name| name == column), "{column} is no column any more");
    }
    let Seat { cookie, csrf } = console.member("owner@ours.example").await;
    let (_, token) = console.token("owner@ours.example", &ALL, &[]).await;
    let organization = Organization { ..console.ours };
    let whose = Whose::Rows { tenant: organization.tenant, client: organization.client };
    let target = Target { whose, organization, run };
    let mut rows = Rows::look(&mut console.rows).await;
    let mut tried = 0;

    let mine: &[(&str, &str)] = &[("cookie", &cookie)];
    let headers = [OURS, mine].concat();
    for (_, path, form, gives) in ROUTES.iter().filter(|(method, ..)| *method == "POST") {
        // What is the operators' is not there for an owner.
        if *gives == Gives::Operators {
            continue;
        }
        let (real, _) = console.paths(path);
        let form = form
            .replace("{run}", &target.run.to_string())
            .replace("{host}", &target.organization.host.to_string())
            .replace("{client}", &target.organization.client.to_string())
            .replace("{incident}", &target.organization.incident.to_string());
        let form = if form.is_empty() || form.starts_with('&') { format!("csrf={csrf}{form}") } else { form };
        for column in COLUMNS.iter().filter(|column| !form.contains(&format!("{column}="))) {
            let status = console.sent(&real, &headers, &format!("{form}&{column}=x")).await;
            assert!(status.is_client_error(), "POST {real} with {column}: {status}");
            tried += 1;
        }
        let changed = rows.changed(&mut console.rows).await;
        assert!(changed.is_empty(), "POST {real}: a field too many changed rows of {changed:?}");
    }
    for (_, of, _, _, _, body) in ROWS.iter().filter(|(method, ..)| *method == "POST") {
        // Nobody is slowed down here: the allowances are those of a router.
        console.router = router(console.app(Config::new("https://mend.example")));
        let real = api_path(of, &target);
        for column in COLUMNS {
            let mut body = body(&target);
            if body.get(column).is_some() {
                continue;
            }
            body[column] = "x".into();
            let (status, _, problem) = console.api("POST", &real, &token, &[], Some(body)).await;
            assert!(status.is_client_error(), "POST {real} with {column}: {status}");
            assert_ne!(status, StatusCode::TOO_MANY_REQUESTS, "POST {real}: {problem}");
            tried += 1;
        }
        let changed = rows.changed(&mut console.rows).await;
        assert!(changed.is_empty(), "POST {real}: a field too many changed rows of {changed:?}");
    }
    assert!(tried > 2_500, "only {tried} fields were tried");
}
