//! Every route of the console on one screen.

use std::time::Duration;

use axum::{
    Router,
    http::StatusCode,
    middleware,
    routing::{get, post},
};
use tower::ServiceBuilder;
use tower_http::compression::{
    CompressionLayer,
    predicate::{NotForContentType, Predicate as _, SizeAbove},
};
use tower_http::{catch_panic::CatchPanicLayer, csrf::CsrfLayer, limit::RequestBodyLimitLayer, timeout::TimeoutLayer};

use crate::{App, layers, pages, sessions};

/// The longest form we take: a few fields of text.
const BODY_LIMIT: usize = 64 * 1024;
/// The longest a page may take; nothing here waits for hosts.
const TIMEOUT: Duration = Duration::from_secs(15);

/// The console's service.
pub fn router(app: App) -> Router {
    let members = Router::new()
        .route("/", get(pages::home))
        .route("/sign-in", get(pages::sign_in::show).post(pages::sign_in::submit))
        .route("/sign-out", post(pages::sign_out::submit))
        .route("/incidents", get(pages::incident::list))
        .route("/incidents/{id}", get(pages::incident::show))
        .route("/incidents/{id}/doubt", post(pages::incident::answer_doubt))
        .route("/hosts", get(pages::host::list))
        .route("/hosts/{id}", get(pages::host::show))
        .route("/hosts/{id}/hands-off", post(pages::host::start_hands_off))
        .route("/hosts/{id}/release", post(pages::host::release))
        .route("/hosts/{id}/same-machine", post(pages::host::same_machine))
        .layer(sessions::layer(&app));

    // Pages carry the session's token, and what is compressed beside a guess tells the guess: only assets are compressed.
    let compress = CompressionLayer::new().compress_when(SizeAbove::new(512).and(NotForContentType::new("text/html")));
    // Outermost first.
    let around = ServiceBuilder::new()
        .layer(middleware::from_fn(layers::identify))
        .layer(middleware::from_fn_with_state(app.clone(), layers::protect))
        .layer(compress)
        .layer(middleware::from_fn(layers::dress))
        .layer(CatchPanicLayer::custom(layers::panicked))
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, TIMEOUT))
        .layer(RequestBodyLimitLayer::new(BODY_LIMIT))
        .layer(origin(&app));
    Router::new().merge(members).route("/assets/{file}", get(pages::asset::show)).layer(around).with_state(app)
}

/// Refuses what other sites send: by the browser's word on where a request comes from.
fn origin(app: &App) -> CsrfLayer {
    CsrfLayer::new().add_trusted_origin(&app.config.public_url).unwrap_or_else(|error| {
        tracing::warn!(%error, "the public URL is no origin; only the Host header is compared");
        CsrfLayer::new()
    })
}
