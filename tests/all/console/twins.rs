//! What the console can do and the API can do: each form of the console stands here with its twin, or with why there is
//! none. A form that is added without either fails.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::StatusCode;
use domain::token::Scopes;
use jiff::SignedDuration;

use super::Console;
use super::api::ROUTES as API;
use super::matrix::api::scope_of;
use super::strangers::ROUTES;

/// A form of the console, and what of the API does the same; or why nothing does.
#[derive(Clone, Copy)]
enum Twin {
    /// These, below `/api/v1`.
    Is(&'static [&'static str]),
    /// It begins, ends or proves somebody's own session, or changes their own account.
    Own,
    /// It is of the platform, which has no tokens.
    Platform,
    /// It is a bundle of what the API does one by one.
    OneByOne(&'static [&'static str]),
}
use Twin::{Is, OneByOne, Own, Platform};

const TWINS: &[(&str, Twin)] = &[
    ("/sign-in", Own),
    ("/sign-in/second", Own),
    ("/sign-in/second/passkey", Own),
    ("/sign-in/second/passkey/begin", Own),
    ("/sign-in/passkey", Own),
    ("/sign-in/passkey/begin", Own),
    ("/sign-up", Own),
    ("/sign-up/{token}", Own),
    ("/reset", Own),
    ("/reset/{token}", Own),
    ("/invitation/{token}", Own),
    ("/confirm-address/{token}", Own),
    ("/confirm", Own),
    ("/confirm/passkey", Own),
    ("/confirm/passkey/begin", Own),
    ("/sign-out", Own),
    ("/settings/password", Own),
    ("/settings/address", Own),
    ("/settings/organization", Own),
    ("/settings/sessions/end", Own),
    ("/settings/sessions/{session}/end", Own),
    ("/settings/second-factor", Own),
    ("/settings/second-factor/off", Own),
    ("/settings/passkeys", Own),
    ("/settings/passkeys/begin", Own),
    ("/settings/passkeys/{id}/remove", Own),
    ("/settings/codes", Own),
    ("/support/{token}", Platform),
    ("/operator/{token}", Platform),
    ("/platform/second-factor", Platform),
    ("/platform/brake", Platform),
    ("/platform/storm", Platform),
    ("/platform/organizations/{id}/plan", Platform),
    ("/platform/organizations/{id}/suspend", Platform),
    ("/platform/organizations/{id}/resume", Platform),
    ("/incidents/owners", OneByOne(&["incidents/{id}/owner"])),
    ("/hosts/newcomers", OneByOne(&["hosts/{id}/accept", "hosts/{id}/refuse"])),
    ("/clients/import", OneByOne(&["clients", "clients/{id}/sites", "clients/{id}/contacts"])),
    ("/incidents/{id}/owner", Is(&["incidents/{id}/owner"])),
    ("/incidents/{id}/approval", Is(&["approvals/{id}"])),
    ("/incidents/{id}/doubt", Is(&["incidents/{id}/doubt"])),
    ("/clients", Is(&["clients"])),
    ("/clients/{id}", Is(&["clients/{id}"])),
    ("/clients/{id}/sites", Is(&["clients/{id}/sites"])),
    ("/clients/{id}/sites/{site}", Is(&["clients/{id}/sites/{site}", "clients/{id}/sites/{site}/remove"])),
    ("/clients/{id}/contacts", Is(&["clients/{id}/contacts"])),
    (
        "/clients/{id}/contacts/{contact}",
        Is(&["clients/{id}/contacts/{contact}", "clients/{id}/contacts/{contact}/remove"]),
    ),
    ("/clients/{id}/groups", Is(&["clients/{id}/groups"])),
    ("/clients/{id}/groups/{group}", Is(&["clients/{id}/groups/{group}", "clients/{id}/groups/{group}/remove"])),
    ("/clients/{id}/archive", Is(&["clients/{id}/archive"])),
    ("/clients/{id}/restore", Is(&["clients/{id}/restore"])),
    ("/hosts/{id}/claim", Is(&["hosts/{id}/claim"])),
    ("/hosts/{id}/edit", Is(&["hosts/{id}/place"])),
    ("/hosts/{id}/hands-off", Is(&["hosts/{id}/hands-off"])),
    ("/hosts/{id}/release", Is(&["hosts/{id}/release"])),
    ("/hosts/{id}/same-machine", Is(&["hosts/{id}/same-machine"])),
    ("/hosts/{id}/retire", Is(&["hosts/{id}/retire"])),
    ("/hosts/{id}/watch", Is(&["hosts/{id}/watch"])),
    ("/guardrails/stop", Is(&["guardrails/stop"])),
    ("/guardrails/go", Is(&["guardrails/go"])),
    ("/guardrails/breaker", Is(&["guardrails/breaker"])),
    ("/guardrails/interlocks/{id}/release", Is(&["guardrails/interlocks/{id}/release"])),
    ("/guardrails/{id}/stop", Is(&["guardrails/stop"])),
    ("/guardrails/{id}/go", Is(&["guardrails/go"])),
    ("/guardrails/{id}/hands-off", Is(&["clients/{id}/hands-off"])),
    ("/guardrails/{id}/hands-on", Is(&["clients/{id}/release"])),
    ("/changes/{id}", Is(&["changes/{id}"])),
    ("/settings/tokens", Is(&["tokens"])),
    ("/settings/tokens/{id}/revoke", Is(&["tokens/{id}/revoke"])),
    ("/settings/enrolment", Is(&["enrolment-tokens"])),
    ("/settings/enrolment/{id}/revoke", Is(&["enrolment-tokens/{id}/revoke"])),
    ("/settings/people", Is(&["invitations"])),
    ("/settings/people/second-factor", Is(&["organization/second-factor"])),
    ("/settings/people/services", Is(&["service-accounts"])),
    ("/settings/people/services/{id}/remove", Is(&["service-accounts/{id}/remove"])),
    ("/settings/people/{id}", Is(&["members/{id}"])),
    ("/settings/people/{id}/remove", Is(&["members/{id}/remove"])),
    ("/settings/invitations/{id}/revoke", Is(&["invitations/{id}/revoke"])),
    ("/settings/data/delete", Is(&["organization/delete"])),
    ("/settings/data/keep", Is(&["organization/keep"])),
    ("/clients/{id}/delete", Is(&["clients/{id}/delete", "clients/{id}/keep"])),
    ("/settings/data/file", Is(&["organization/file"])),
    ("/settings/limits", Is(&["limits/{limit}"])),
    ("/settings/organization/details", Is(&["organization"])),
    ("/settings/checks/{id}/archive", Is(&["checks/{id}/archive"])),
    ("/settings/calls", Is(&["channels"])),
    ("/settings/calls/{id}/remove", Is(&["channels/{id}/remove"])),
    ("/settings/mail", Is(&["mail-relay"])),
    ("/settings/mail/remove", Is(&["mail-relay/remove"])),
    ("/settings/secrets", Is(&["secrets"])),
    ("/settings/secrets/{id}/replace", Is(&["secrets/{id}/replace"])),
    ("/settings/secrets/{id}/delete", Is(&["secrets/{id}/delete"])),
    ("/settings/secrets/sealing-key", Is(&["secrets/sealing-key"])),
    ("/settings/sign-on", Is(&["sign-on"])),
    ("/settings/sign-on/remove", Is(&["sign-on/remove"])),
    ("/settings/support", Is(&["support-grants"])),
    ("/settings/support/end", Is(&["support-grants/end"])),
];

#[test]
fn what_the_console_can_do_the_api_can_or_here_stands_why_not() {
    let twins: BTreeMap<&str, Twin> = TWINS.iter().copied().collect();
    let forms: BTreeSet<&str> =
        ROUTES.iter().filter(|(method, ..)| *method == "POST").map(|(_, path, ..)| *path).collect();
    assert_eq!(twins.keys().copied().collect::<BTreeSet<_>>(), forms);
    // What only reads is a twin too where the console asks for it by a form.
    let below = |method: Option<&str>| -> BTreeSet<&str> {
        let asked = API.iter().filter(|(of, _)| method.is_none_or(|method| method == *of));
        asked.map(|(_, path)| path.trim_start_matches("/api/v1/")).collect()
    };
    let (all, acts) = (below(None), below(Some("POST")));
    let mut done = BTreeSet::new();
    for (form, twin) in twins {
        let (Is(of) | OneByOne(of)) = twin else { continue };
        for act in of {
            assert!(all.contains(act), "{form}: there is no {act}");
            done.insert(*act);
        }
    }
    assert_eq!(acts.difference(&done).collect::<Vec<_>>(), Vec::<&&str>::new(), "what the console cannot do");
}

/// What a token does that lives a year though a person is asked to prove it is them: what it makes ends within 30 days, lets in
/// what waits for a person's yes unless it is for one host, and stands in docs/api.md.
const LIVE_A_YEAR: &[&str] = &["enrolment-tokens"];
/// What asks each token itself whether it ends soon: beside `clients` it must have such a scope.
const ASK_THE_TOKEN: &[&str] =
    &["checks/{id}/archive", "clients/{id}/groups/{group}", "clients/{id}/groups/{group}/remove", "hosts/{id}/place"];

#[tokio::test]
async fn what_a_person_is_asked_to_prove_it_is_them_for_no_token_does_that_lives_a_year() {
    let mut console = Console::new().await;
    let run = console.run("awaiting_approval", "none").await.to_string();
    console.proposed().await;
    let seat = console.member("owner@ours.example").await;
    console.clock.advance(SignedDuration::from_mins(11));
    let (host, client) = (console.ours.host.to_string(), console.ours.client.to_string());
    let (incident, check) = (console.ours.incident.to_string(), console.ours.check);
    let twins: BTreeMap<&str, Twin> = TWINS.iter().copied().collect();
    let mut asked = BTreeSet::new();
    for (_, path, form, _) in ROUTES.iter().filter(|(method, ..)| *method == "POST") {
        let (Is(of) | OneByOne(of)) = twins[path] else { continue };
        let form = form.replace("{run}", &run).replace("{host}", &host).replace("{client}", &client);
        let (real, _) = console.paths(path);
        let (status, ..) = console.ask(&seat, "POST", &real, &form.replace("{incident}", &incident)).await;
        if status != StatusCode::PRECONDITION_REQUIRED {
            continue;
        }
        asked.insert(*path);
        for act in of.iter().filter(|act| !LIVE_A_YEAR.contains(*act) && !ASK_THE_TOKEN.contains(*act)) {
            let scope = scope_of(act).unwrap_or_else(|| panic!("no row has {act}"));
            assert!(Scopes::of([scope]).stand_for_proof(), "{path}: a token with {scope} lives a year");
        }
    }
    for path in ["/hosts/{id}/same-machine", "/settings/enrolment", "/settings/checks/{id}/archive", "/settings/calls"]
    {
        assert!(asked.contains(path), "{path}: {asked:?}");
    }
    let (_, token) = console.token("owner@ours.example", &["clients"], &[]).await;
    let why = Some(serde_json::json!({ "why": "x" }));
    let (status, ..) = console.api("POST", &format!("/api/v1/checks/{check}/archive"), &token, &[], why).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
}
