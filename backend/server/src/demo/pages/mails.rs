//! `GET /demo/mails`, `GET /demo/mails/{n}` and what its frame shows.

use std::sync::Arc;

use axum::Extension;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::{Html, IntoResponse as _, Response};
use domain::access::Act;
use uuid::Uuid;
use views::Nav;
use views::demo::{Mail, MailPage, MailsPage};
use web::{App, Failure, Member, clock, page as rendered};

use super::Theatre;
use crate::demo::sink::Received;

/// As every page's, and a frame of ours may be shown.
const WITH_FRAME: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; \
     frame-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
);
/// A mail's page: its own styles and nothing else; no script, no form, no origin, framed by ourselves only. Its links
/// open beside us.
const FRAMED: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; frame-ancestors 'self'; \
     base-uri 'none'; sandbox allow-popups allow-popups-to-escape-sandbox",
);

/// The mailbox, newest first.
pub async fn list(
    State(app): State<App>,
    Extension(theatre): Extension<Arc<Theatre>>,
    member: Member,
) -> Result<Response, Failure> {
    member.must(Act::Read)?;
    let mut tx = member.begin(&app).await?;
    let shell = member.shell(&mut tx, Nav::Demo).await?;
    let now = tx.now().await?;
    let mails = theatre.sink.messages();
    let mails = mails.iter().enumerate().map(|(index, mail)| head(index + 1, mail)).rev().collect();
    Ok(rendered(&MailsPage { shell, clock: clock(&app, now), mails }))
}

/// One mail.
pub async fn show(
    State(app): State<App>,
    Extension(theatre): Extension<Arc<Theatre>>,
    member: Member,
    n: Result<Path<usize>, PathRejection>,
) -> Result<Response, Failure> {
    member.must(Act::Read)?;
    let (number, mail) = find(&theatre, n)?;
    let mut tx = member.begin(&app).await?;
    let shell = member.shell(&mut tx, Nav::Demo).await?;
    let now = tx.now().await?;
    let incident = incident(&mail.text, &app.config.public_url);
    let head = head(number, &mail);
    let mut response = rendered(&MailPage { shell, clock: clock(&app, now), mail: head, text: mail.text, incident });
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, WITH_FRAME);
    Ok(response)
}

/// Its page as it came, for the frame, but that its links open in a tab of their own.
pub async fn page(
    Extension(theatre): Extension<Arc<Theatre>>,
    member: Member,
    n: Result<Path<usize>, PathRejection>,
) -> Result<Response, Failure> {
    member.must(Act::Read)?;
    let (_, mail) = find(&theatre, n)?;
    let mut response = Html(mail.html.replacen("<head>", "<head><base target=\"_blank\">", 1)).into_response();
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, FRAMED);
    response.headers_mut().insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("SAMEORIGIN"));
    Ok(response)
}

fn find(theatre: &Theatre, n: Result<Path<usize>, PathRejection>) -> Result<(usize, Received), Failure> {
    let Path(number) = n.map_err(|_| Failure::NOT_FOUND)?;
    let index = number.checked_sub(1).ok_or(Failure::NOT_FOUND)?;
    let mail = theatre.sink.messages().into_iter().nth(index).ok_or(Failure::NOT_FOUND)?;
    Ok((number, mail))
}

fn head(number: usize, mail: &Received) -> Mail {
    Mail {
        number,
        subject: mail.subject.clone(),
        from: mail.from.clone(),
        to: mail.to.join(", "),
        sent_at: mail.sent_at,
    }
}

/// The incident that its text leads to.
fn incident(text: &str, public_url: &str) -> Option<Uuid> {
    let (_, rest) = text.split_once(&format!("{}/incidents/", public_url.trim_end_matches('/')))?;
    rest.get(..36)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_leads_to_an_incident_of_ours_only() {
        let id = "019abcde-0000-7000-8000-000000000001";
        let at = "http://127.0.0.1:8080";
        assert_eq!(incident(&format!("Story:\n{at}/incidents/{id}\n"), at), id.parse().ok());
        assert_eq!(incident(&format!("http://elsewhere.example/incidents/{id}"), at), None);
        assert_eq!(incident(&format!("{at}/incidents/evil"), at), None);
    }
}
