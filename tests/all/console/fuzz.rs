//! `make api-fuzz`: requests made from the API's own document, at a server on loopback, by schemathesis.

use std::process::Stdio;

use axum::extract::Request;
use tokio::net::TcpListener;

use super::Console;
use super::api::ALL;

/// What schemathesis holds each answer against. Refusing what a schema does not say is left out: strings are looked at when
/// they are used, and a filter that finds nothing is no error.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,\
    response_schema_conformance,unsupported_method,allow_header_conformance,ignored_auth";

#[tokio::test]
#[ignore = "needs schemathesis: make api-fuzz"]
async fn the_api_holds_against_what_its_document_makes_up() {
    let Ok(program) = std::env::var("MENDWRIGHT_SCHEMATHESIS") else { panic!("say where schemathesis is") };
    let mut console = Console::new().await;
    console.run("unknown", "unknown").await;
    let (_, token) = console.token("owner@ours.example", &ALL, &[]).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = console.router.clone().layer(axum::middleware::map_request(async |mut request: Request| {
        request.extensions_mut().insert(web::Peer("192.0.2.7:4000".parse().unwrap()));
        request
    }));
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let folder = tempfile::tempdir().unwrap();
    let status = tokio::process::Command::new(program)
        .args(["run", &format!("{url}/api/v1/openapi.json"), "--url", &url, "--checks", CHECKS])
        .args(["--header", &format!("Authorization: Bearer {token}"), "--rate-limit", "18/s"])
        .args(["--phases", "examples,coverage,fuzzing", "--max-examples", "20", "--continue-on-failure"])
        // A stream has no end to wait for. Who asks everybody for a second factor and has none is shut out with it.
        .args(["--exclude-path", "/api/v1/events", "--exclude-path", "/api/v1/organization/second-factor"])
        .args(["--suppress-health-check", "all", "--no-color"])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .status()
        .await
        .expect("schemathesis runs");
    server.abort();
    assert!(status.success(), "schemathesis found something");
}
