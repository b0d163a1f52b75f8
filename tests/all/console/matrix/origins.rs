//! What another site makes a browser send: every route that changes something refuses it, also where the cookie, the
//! form's token or the API's token are those of an owner.

use axum::body::Body;
use axum::http::{Request, StatusCode};

use super::Rows;
use crate::console::Console;
use crate::console::api::ALL;
use crate::console::strangers::{ROUTES, Seat};

/// As our own pages send it.
pub(super) const OURS: &[(&str, &str)] = &[("origin", "https://mend.example"), ("sec-fetch-site", "same-origin")];

/// As other pages send it, or have it sent.
const ELSEWHERE: [&[(&str, &str)]; 8] = [
    &[("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")],
    // A browser that says nothing of the site.
    &[("origin", "https://evil.example")],
    &[("origin", "https://mend.example.evil.example")],
    &[("origin", "https://mend.example:8443")],
    // A frame in a sandbox, a file, a redirect through another site.
    &[("origin", "null"), ("sec-fetch-site", "cross-site")],
    &[("origin", "null")],
    &[("sec-fetch-site", "cross-site")],
    // Another name of the same domain.
    &[("origin", "https://other.mend.example"), ("sec-fetch-site", "same-site")],
];

impl Console {
    /// What is answered to a form, or to the API's body, that comes with these headers.
    pub(super) async fn sent(&self, path: &str, headers: &[(&str, &str)], body: &str) -> StatusCode {
        let kind = match path.starts_with("/api/") {
            true => "application/json",
            false => "application/x-www-form-urlencoded",
        };
        let mut request = Request::post(path).header("host", "mend.example").header("content-type", kind);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Body::from(body.to_owned())).unwrap()).await.0
    }
}

#[tokio::test]
async fn every_route_that_changes_something_refuses_what_another_site_sends() {
    let mut console = Console::new().await;
    console.execute("UPDATE platform_state SET sign_up = 'open'".to_owned()).await;
    let run = console.run("unknown", "unknown").await.to_string();
    console.proposed().await;
    let Seat { cookie, csrf } = console.member("owner@ours.example").await;
    let (_, token) = console.token("owner@ours.example", &ALL, &[]).await;
    let bearer = format!("Bearer {token}");
    let ids = [
        ("{run}", run),
        ("{host}", console.ours.host.to_string()),
        ("{client}", console.ours.client.to_string()),
        ("{incident}", console.ours.incident.to_string()),
    ];
    let incident = console.ours.incident.to_string();

    let mut writes = Vec::new();
    for route in web::routes().iter().filter(|route| route.method == "POST") {
        let form = ROUTES.iter().find(|(method, path, ..)| (*method, *path) == ("POST", route.path));
        let (path, body) = match form {
            Some((_, path, form, _)) => {
                let form = ids.iter().fold((*form).to_owned(), |form, (name, id)| form.replace(name, id));
                let begin =
                    if form.is_empty() || form.starts_with('&') { format!("csrf={csrf}") } else { String::new() };
                (console.paths(path).0, format!("{begin}{form}"))
            }
            None => {
                let path = ["{id}", "{site}", "{contact}", "{limit}", "{group}"]
                    .iter()
                    .fold(route.path.to_owned(), |path, name| path.replace(name, &incident));
                (path, "{}".to_owned())
            }
        };
        // From our own pages a stranger is led to sign-in, told that nothing is there, or answered: what is refused below
        // is refused for where it comes from.
        assert_ne!(console.sent(&path, OURS, &body).await, StatusCode::FORBIDDEN, "POST {path} as a stranger");
        writes.push((path, body));
    }
    assert!(writes.len() > 80, "only {} routes change something", writes.len());

    let mut rows = Rows::look(&mut console.rows).await;
    let owner: &[(&str, &str)] = &[("cookie", &cookie), ("authorization", &bearer)];
    for (path, body) in &writes {
        for headers in ELSEWHERE {
            for who in [owner, &[]] {
                let headers = [headers, who].concat();
                let status = console.sent(path, &headers, body).await;
                assert_eq!(status, StatusCode::FORBIDDEN, "POST {path} with {headers:?}");
            }
        }
    }
    assert_eq!(rows.changed(&mut console.rows).await, [""; 0], "what was refused changed something");
}
