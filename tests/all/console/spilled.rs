//! Whatever lets somebody in is in clear text where it is shown, and nowhere else: in no row, no mail and no line of the log
//! (security.md 20).

use std::io::{Result, Write};
use std::sync::{Arc, Mutex};

use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

use super::people::{Letter, encoded, leads_to, turn_on};
use super::{Console, PASSWORD};

/// What is logged by default, and more of our own.
const FILTER: &str = "info,sqlx=warn,web=debug,store=debug,engine=debug,keys=debug,mail=debug";

/// Something that lets in, and what it is.
pub(super) type Known = (String, String);

/// The lines of a log.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, part: &[u8]) -> Result<usize> {
        self.0.lock().unwrap().extend_from_slice(part);
        Ok(part.len())
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

/// What of it stands in a text: as it is, or as a row shows bytes.
pub(super) fn found(text: &str, known: &[Known]) -> Vec<String> {
    let stands = |(_, value): &&Known| text.contains(value.as_str()) || text.contains(&hex::encode(value));
    known.iter().filter(stands).map(|(what, _)| what.clone()).collect()
}

/// A session's id, as its cookie says it, and as bytes from either end.
pub(super) fn of_cookie(whose: &str, cookie: &str) -> Vec<Known> {
    let id = cookie.split_once('=').expect("a name and a value").1;
    let mut known = vec![(format!("the session of {whose}"), id.to_owned())];
    if let Ok(mut bytes) = URL_SAFE_NO_PAD.decode(id) {
        known.push((format!("the bytes of the session of {whose}"), hex::encode(&bytes)));
        bytes.reverse();
        known.push((format!("the bytes of the session of {whose}, backwards"), hex::encode(&bytes)));
    }
    known
}

/// What a page shows this once: a word that begins so.
fn shown(page: &str, begins: &str) -> String {
    let rest = page.split_once(begins).unwrap_or_else(|| panic!("{begins} is shown")).1;
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
    format!("{begins}{}", &rest[..end])
}

#[tokio::test]
async fn what_lets_somebody_in_is_shown_once_and_stands_in_no_row_no_mail_and_no_log() {
    let log = Log::default();
    let writer = log.clone();
    let listens = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(FILTER))
        .with_span_events(FmtSpan::NEW)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let listens = tracing::Dispatch::new(listens);
    // As in `accounts`: with one listener alone another test's thread may say that nobody listens.
    let _another = tracing::Dispatch::new(tracing_subscriber::registry());
    let _listening = tracing::dispatcher::set_default(&listens);
    let mut console = Console::new().await;
    let mut known: Vec<Known> = vec![("the password".to_owned(), PASSWORD.to_owned())];
    let mut mails = Vec::new();

    // Passwords: the right one, one that is mistyped, a new one.
    let mistyped = "corrrect horse battery staple 7";
    assert_eq!(console.try_sign_in("owner@ours.example", mistyped).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    known.push(("a password that was mistyped".to_owned(), mistyped.to_owned()));
    let owner = console.sign_in("owner@ours.example").await;
    let sam = console.sign_in("sam@ours.example").await;
    known.extend(of_cookie("the owner", &owner));
    known.extend(of_cookie("the technician", &sam));

    // A second factor with its recovery codes.
    let (seed, codes) = turn_on(&console, &sam).await;
    known.push(("the seed of a second factor".to_owned(), keys::totp::spelled(&seed).replace(' ', "")));
    known.push(("the bytes of that seed".to_owned(), hex::encode(&seed)));
    for code in codes {
        known.push(("a recovery code without its dashes".to_owned(), code.replace('-', "")));
        known.push(("a recovery code".to_owned(), code));
    }

    // Tokens, made by the page and by another token, and used.
    let form = "&name=a&scope=read&scope=people&days=30";
    let (status, _, page) = console.click(&owner, "/settings/tokens", "/settings/tokens", form).await;
    assert_eq!(status, StatusCode::OK, "{page}");
    let token = shown(&page, "mw_api_");
    let body = json!({ "name": "b", "scopes": ["read"] });
    let once = [("idempotency-key", "one")];
    let (status, _, made) = console.api("POST", "/api/v1/tokens", &token, &once, Some(body)).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let minted = made["token"].as_str().expect("a token's text").to_owned();
    for token in [&token, &minted] {
        assert_eq!(console.api("GET", "/api/v1/hosts", token, &[], None).await.0, StatusCode::OK);
        known.push(("a token of the API".to_owned(), token.clone()));
    }
    let form = format!("&place={}&profile=low-risk&days=1&whom=many&uses=5", console.ours.client);
    let (status, _, page) = console.click(&owner, "/settings/enrolment", "/settings/enrolment", &form).await;
    assert_eq!(status, StatusCode::OK, "{page}");
    known.push(("an enrolment token".to_owned(), shown(&page, "mw_enroll_")));

    // A secret, set and replaced.
    let secrets = "/settings/secrets";
    for value in ["Quarterdeck4711", "Forecastle4712"] {
        let (path, form) = match console.count("secrets").await {
            0 => (secrets.to_owned(), format!("&name=status&kind=api_key&value={value}")),
            _ => (format!("{secrets}/{}/replace", console.secret_id("status").await), format!("&value={value}")),
        };
        let (status, ..) = console.click(&owner, secrets, &path, &form).await;
        assert_eq!(status, StatusCode::SEE_OTHER, "{value}");
        known.push(("the value of a secret".to_owned(), value.to_owned()));
    }

    // Links in mails: there, and nowhere else.
    let form = "&email=new%40ours.example&role=viewer&sees=all";
    let (status, ..) = console.click(&owner, "/settings/people", "/settings/people", form).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    console.post("/reset", "", "email=viewer%40ours.example".to_owned()).await;
    mails.extend(console.mails().await);
    let mut links: Vec<Known> = Vec::new();
    for letter in mails.iter().map(Letter::read) {
        let token = letter.path.rsplit_once('/').map(|(_, token)| token.to_owned());
        if let Some(token) = token.filter(|token| token.starts_with("mw_")) {
            let new = "another long enough sentence";
            let form = format!("name=N&password={}", encoded(new));
            assert_eq!(console.get(&letter.path, "").await.0, StatusCode::OK, "{}", letter.subject);
            let form = if letter.path.starts_with("/reset") { form.replace("name=N&", "") } else { form };
            let (status, headers, page) = console.post(&letter.path, "", form).await;
            let is_done = matches!(status, StatusCode::OK | StatusCode::SEE_OTHER);
            assert!(is_done, "{} {status} {}: {page}", letter.subject, leads_to(&headers));
            links.push((format!("the link of “{}”", letter.subject), token));
            known.push(("a new password".to_owned(), new.to_owned()));
        }
    }
    assert_eq!(links.len(), 2, "an invitation and a new password");
    mails.extend(console.mails().await);

    let said: String = mails.iter().map(|mail| format!("{}\n{}\n{}\n", mail.subject, mail.text, mail.html)).collect();
    assert!(mails.len() >= 3 && found(&said, &links).len() == 2, "{said}");
    assert_eq!(found(&said, &known), [""; 0], "in a mail");
    known.extend(links);
    let lines = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(lines.contains("signed in") && lines.contains("/settings/secrets"), "the log is read: {lines}");
    assert_eq!(found(&lines, &known), [""; 0], "in the log");
    let rows = console.everything().await;
    assert_eq!(found(&rows, &known), [""; 0], "in a row");

    // It would be found, as a text and as bytes.
    let tenant = console.ours.tenant;
    for (what, value) in &known {
        let hex = hex::encode(value);
        let spill = format!(
            "UPDATE tenants SET name = '{value}'; UPDATE secrets SET sealed = '\\x00{hex}' WHERE tenant_id = '{tenant}'"
        );
        console.execute(spill).await;
        let rows = console.everything().await;
        assert!(rows.contains(value) && rows.contains(&hex), "{what} is not found where it stands");
    }
}
