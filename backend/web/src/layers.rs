//! What is done around every request: an id, headers, and a page for whatever failed without one.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use store::Store;
use tracing::Instrument as _;
use uuid::Uuid;
use views::{
    Template as _,
    error::{ErrorPage, Kind},
};

use crate::{App, api, api::Problem, failure::RETRY_SECS, pages::sign_in::Destination};

/// No inline script or style, nothing from elsewhere, forms to ourselves only, framed by nobody.
const CONTENT_SECURITY_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; \
     form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
);

/// The id of a request: ours, never one that came along.
#[derive(Clone, Copy, Debug)]
pub struct RequestId(pub Uuid);

/// Says that an answer has a page of its own although its status is an error's.
#[derive(Clone, Copy, Debug)]
pub struct Dressed;

/// Gives the request its id, for the log, the answer and its page.
pub async fn identify(mut request: Request, next: Next) -> Response {
    let id = Store::new_id();
    request.extensions_mut().insert(RequestId(id));
    // The query is left out.
    let span = tracing::info_span!("request", %id, method = %request.method(), path = told(request.uri().path()));
    let mut response = next.run(request).instrument(span.clone()).await;
    span.in_scope(|| tracing::debug!(status = response.status().as_u16(), "answered"));
    if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
        response.headers_mut().insert(HeaderName::from_static("x-request-id"), value);
    }
    response
}

/// A path as the log tells it: what a mail's link carries opens an account, so it is left out.
fn told(path: &str) -> String {
    let parts = path.split('/').map(|part| if part.starts_with("mw_") { "…" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

/// What takes a cookie away has the attributes that it was set with: a browser takes nothing of a `__Host-` name that is not
/// `Secure`, and would keep the dead one. By https alone: by http no cookie has that name, and a browser may take none that is
/// `Secure`. What sets a cookie has its attributes already.
fn take_away_cookies(headers: &mut HeaderMap) {
    let cookies: Vec<HeaderValue> = headers.get_all(header::SET_COOKIE).iter().cloned().collect();
    headers.remove(header::SET_COOKIE);
    for cookie in cookies {
        let whole = cookie.to_str().ok().filter(|text| has(text, "Max-Age=0") && !has(text, "Secure"));
        let whole =
            whole.and_then(|text| HeaderValue::from_str(&format!("{text}; HttpOnly; SameSite=Lax; Secure")).ok());
        headers.append(header::SET_COOKIE, whole.unwrap_or(cookie));
    }
}

/// Whether a cookie has this attribute.
fn has(cookie: &str, attribute: &str) -> bool {
    cookie.split(';').skip(1).any(|part| part.trim().eq_ignore_ascii_case(attribute))
}

/// Security headers on every answer, errors too.
pub async fn protect(State(app): State<App>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    if app.config.is_https() {
        take_away_cookies(headers);
    }
    // A page that shows a frame, or is shown in one, says so itself.
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(CONTENT_SECURITY_POLICY);
    headers.entry(header::X_FRAME_OPTIONS).or_insert(HeaderValue::from_static("DENY"));
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
        (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
        (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
        (
            HeaderName::from_static("permissions-policy"),
            HeaderValue::from_static("camera=(), geolocation=(), microphone=()"),
        ),
    ] {
        headers.insert(name, value);
    }
    if app.config.is_https() {
        headers
            .insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=63072000; includeSubDomains"));
    }
    // What is not said to be cacheable is not cached, not even by the browser's back button after sign out.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Makes a page of every error that has none: unknown paths, refusals, time-outs, panics.
pub async fn dress(request: Request, next: Next) -> Response {
    let id = request.extensions().get::<RequestId>().map_or_else(Uuid::nil, |id| id.0);
    let is_head = request.method() == Method::HEAD;
    let is_api = request.uri().path().starts_with(api::PREFIX);
    // A form hangs below the page that shows it, or is that page's own: what was refused is looked at there.
    let form = (request.method() == Method::POST).then(|| request.uri().path().to_owned());
    let shown_by = form.and_then(|path| {
        let mut above = std::iter::successors(Some(path.as_str()), |path| path.rsplit_once('/').map(|(page, _)| page));
        above.find_map(Destination::parse)
    });
    let response = next.run(request).await;
    let Some(kind) = kind(response.status()) else { return response };
    if response.extensions().get::<Dressed>().is_some() {
        return response;
    }
    if is_api {
        return problem(response);
    }
    // A page that is not theirs, or not there, is nothing to go on with.
    let shown_by = shown_by.filter(|_| kind != Kind::NotFound);
    let page = ErrorPage { kind, request_id: id.to_string(), back: shown_by.map(|page| page.to_string()) };
    let body = page.render().unwrap_or_else(|_| kind.title().to_owned());
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    if matches!(kind, Kind::Busy | Kind::TooMany) {
        parts.headers.insert(header::RETRY_AFTER, RETRY_SECS);
    }
    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    Response::from_parts(parts, if is_head { Body::empty() } else { Body::from(body) })
}

/// What no handler of the API answered, as the API says it.
fn problem(response: Response) -> Response {
    let (parts, _) = response.into_parts();
    let mut problem = Problem::of_status(parts.status).into_response();
    if let Some(allow) = parts.headers.get(header::ALLOW) {
        problem.headers_mut().insert(header::ALLOW, allow.clone());
    }
    problem
}

fn kind(status: StatusCode) -> Option<Kind> {
    Some(match status.as_u16() {
        404 | 405 => Kind::NotFound,
        401 | 403 => Kind::Forbidden,
        409 => Kind::Conflict,
        413 => Kind::TooLarge,
        428 => Kind::Stale,
        429 => Kind::TooMany,
        408 | 502..=504 => Kind::Busy,
        400..500 => Kind::BadRequest,
        500.. => Kind::Broken,
        _ => return None,
    })
}

/// A rendered page, or the mistake that it could not be rendered.
pub fn page(template: &impl views::Template) -> Response {
    match template.render() {
        Ok(body) => Html(body).into_response(),
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "a page could not be rendered");
            crate::Failure::BROKEN.into_response()
        }
    }
}

/// A form that is shown again with what was wrong with it.
pub fn refusing(template: &impl views::Template) -> Response {
    let mut response = page(template);
    if response.status().is_success() {
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
        response.extensions_mut().insert(Dressed);
    }
    response
}

/// A page that panicked: the process lives, the cause is in the log, the reader gets the request's id.
pub fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    tracing::error!("a page panicked");
    crate::Failure::BROKEN.into_response()
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue, header};

    use super::{take_away_cookies, told};

    #[test]
    fn what_takes_a_cookie_away_is_made_whole_and_no_other_cookie_is_touched() {
        let whole = |cookie: &'static str| {
            let mut headers = HeaderMap::new();
            headers.append(header::SET_COOKIE, HeaderValue::from_static(cookie));
            take_away_cookies(&mut headers);
            assert_eq!(headers.get_all(header::SET_COOKIE).iter().count(), 1);
            headers[header::SET_COOKIE].to_str().unwrap().to_owned()
        };
        let taken = whole("__Host-session=; Path=/; Max-Age=0");
        assert_eq!(taken, "__Host-session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure");
        for cookie in [
            "Secure=x; Path=/",
            "__Host-session=a; Path=/; Max-Age=3600",
            "__Host-session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure",
        ] {
            assert_eq!(whole(cookie), cookie);
        }
    }

    #[test]
    fn the_log_tells_no_token() {
        assert_eq!(told("/sign-up/mw_setup_pgCMwDJIjAkpgTHh"), "/sign-up/…");
        assert_eq!(told("/incidents/0193/approval"), "/incidents/0193/approval");
    }
}
