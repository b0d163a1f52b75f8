//! Every route of the console on one screen.

use std::time::Duration;

use axum::{
    Extension, Router,
    handler::Handler,
    http::StatusCode,
    middleware,
    routing::{MethodRouter, get, post},
};
use tower::ServiceBuilder;
use tower_http::compression::{
    CompressionLayer,
    predicate::{NotForContentType, Predicate as _, SizeAbove},
};
use tower_http::{catch_panic::CatchPanicLayer, csrf::CsrfLayer, limit::RequestBodyLimitLayer, timeout::TimeoutLayer};

use crate::{App, api, layers, pages, sessions, streams::Streams, trends::Trends};

/// The longest form we take: a few fields of text.
const BODY_LIMIT: usize = 64 * 1024;
/// The longest a page may take; nothing here waits for hosts.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Where the demo's pages begin; the navigation leads there when they are among the routes.
const DEMO: &str = "/demo";

/// One route: how and where it is asked for, and what answers.
pub struct Route {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// The path, with its parameters in braces.
    pub path: &'static str,
    handler: MethodRouter<App>,
}

/// A page to be read.
pub fn read<H: Handler<T, App>, T: 'static>(path: &'static str, handler: H) -> Route {
    Route { method: "GET", path, handler: get(handler) }
}

/// A form that is sent.
pub fn write<H: Handler<T, App>, T: 'static>(path: &'static str, handler: H) -> Route {
    Route { method: "POST", path, handler: post(handler) }
}

/// Routes that know who asks, or learn it.
fn members() -> Vec<Route> {
    vec![
        read("/", pages::board::show),
        read("/sign-in", pages::sign_in::show),
        write("/sign-in", pages::sign_in::submit),
        read("/sign-in/second", pages::sign_in::show_second),
        write("/sign-in/second", pages::sign_in::submit_second),
        write("/sign-in/second/passkey", pages::sign_in::second_by_passkey),
        write("/sign-in/second/passkey/begin", pages::sign_in::begin_second),
        write("/sign-in/passkey", pages::sign_in::passkey::submit),
        write("/sign-in/passkey/begin", pages::sign_in::passkey::begin),
        read("/support/{token}", pages::support::show),
        write("/support/{token}", pages::support::begin),
        read("/sso/{id}", pages::sign_on::show),
        read("/sso/{id}/begin", pages::sign_on::begin),
        read("/sso/{id}/callback", pages::sign_on::finish),
        read("/confirm", pages::sign_in::ask_proof),
        write("/confirm", pages::sign_in::prove),
        write("/confirm/passkey", pages::sign_in::prove_by_passkey),
        write("/confirm/passkey/begin", pages::sign_in::begin_proof),
        read("/sign-up", pages::letters::sign_up::show),
        write("/sign-up", pages::letters::sign_up::submit),
        read("/sign-up/{token}", pages::letters::sign_up::choose),
        write("/sign-up/{token}", pages::letters::sign_up::finish),
        read("/reset", pages::letters::reset::show),
        write("/reset", pages::letters::reset::submit),
        read("/reset/{token}", pages::letters::reset::choose),
        write("/reset/{token}", pages::letters::reset::finish),
        read("/invitation/{token}", pages::letters::invitation::show),
        write("/invitation/{token}", pages::letters::invitation::submit),
        read("/confirm-address/{token}", pages::letters::address::show),
        write("/confirm-address/{token}", pages::letters::address::submit),
        write("/sign-out", pages::sign_out::submit),
        read("/incidents", pages::incident::list),
        write("/incidents/owners", pages::incident::answer_owners),
        read("/incidents/{id}", pages::incident::show),
        write("/incidents/{id}/owner", pages::incident::answer_owner),
        write("/incidents/{id}/approval", pages::incident::answer_approval),
        write("/incidents/{id}/doubt", pages::incident::answer_doubt),
        read("/approvals", pages::approval::list),
        read("/clients", pages::client::list),
        write("/clients", pages::client::add),
        read("/clients/import", pages::client::show_import),
        write("/clients/import", pages::client::import),
        read("/clients/{id}", pages::client::show),
        write("/clients/{id}", pages::client::change),
        read("/clients/{id}/edit", pages::client::edit),
        write("/clients/{id}/sites", pages::client::add_site),
        write("/clients/{id}/sites/{site}", pages::client::answer_site),
        write("/clients/{id}/contacts", pages::client::add_contact),
        write("/clients/{id}/contacts/{contact}", pages::client::answer_contact),
        write("/clients/{id}/groups", pages::client::add_group),
        write("/clients/{id}/groups/{group}", pages::client::answer_group),
        write("/clients/{id}/archive", pages::client::archive),
        write("/clients/{id}/delete", pages::client::delete),
        write("/clients/{id}/restore", pages::client::restore),
        read("/hosts", pages::host::list),
        write("/hosts/newcomers", pages::enrolment::newcomers),
        read("/hosts/{id}", pages::host::show),
        write("/hosts/{id}/claim", pages::enrolment::claim),
        read("/hosts/{id}/edit", pages::host::edit),
        write("/hosts/{id}/edit", pages::host::place),
        write("/hosts/{id}/hands-off", pages::host::start_hands_off),
        write("/hosts/{id}/release", pages::host::release),
        write("/hosts/{id}/same-machine", pages::host::same_machine),
        write("/hosts/{id}/retire", pages::host::retire),
        write("/hosts/{id}/watch", pages::host::watch),
        read("/settings/enrolment", pages::enrolment::show),
        write("/settings/enrolment", pages::enrolment::make),
        write("/settings/enrolment/{id}/revoke", pages::enrolment::revoke),
        read("/guardrails", pages::guardrails::show),
        read("/guardrails/{id}", pages::guardrails::of_client),
        write("/guardrails/stop", pages::guardrails::stop),
        write("/guardrails/go", pages::guardrails::go),
        write("/guardrails/breaker", pages::guardrails::close_breaker),
        write("/guardrails/interlocks/{id}/release", pages::guardrails::release),
        write("/guardrails/{id}/stop", pages::guardrails::stop_client),
        write("/guardrails/{id}/go", pages::guardrails::go_client),
        write("/guardrails/{id}/hands-off", pages::guardrails::hands_off),
        write("/guardrails/{id}/hands-on", pages::guardrails::hands_on),
        read("/events", pages::events::stream),
        read("/settings", pages::settings::you::show),
        write("/settings/password", pages::settings::you::change_password),
        write("/settings/address", pages::settings::you::change_address),
        write("/settings/organization", pages::settings::you::choose_organization),
        write("/settings/sessions/end", pages::settings::you::end_sessions),
        write("/settings/sessions/{session}/end", pages::settings::you::end_session),
        read("/settings/second-factor", pages::settings::second_factor::show),
        write("/settings/second-factor", pages::settings::second_factor::turn_on),
        write("/settings/second-factor/off", pages::settings::second_factor::turn_off),
        write("/settings/passkeys", pages::settings::passkeys::add),
        write("/settings/passkeys/begin", pages::settings::passkeys::begin),
        write("/settings/passkeys/{id}/remove", pages::settings::passkeys::remove),
        write("/settings/codes", pages::settings::second_factor::new_codes),
        read("/settings/people", pages::settings::people::show),
        write("/settings/people", pages::settings::people::invite),
        write("/settings/people/second-factor", pages::settings::people::require_second_factor),
        write("/settings/people/services", pages::settings::people::make_service),
        write("/settings/people/services/{id}/remove", pages::settings::people::take_service_away),
        write("/settings/people/{id}", pages::settings::people::change),
        write("/settings/people/{id}/remove", pages::settings::people::remove),
        write("/settings/invitations/{id}/revoke", pages::settings::people::revoke),
        read("/settings/tokens", pages::settings::tokens::show),
        write("/settings/tokens", pages::settings::tokens::make),
        write("/settings/tokens/{id}/revoke", pages::settings::tokens::revoke),
        read("/settings/support", pages::settings::support::show),
        write("/settings/support", pages::settings::support::grant),
        write("/settings/support/end", pages::settings::support::end),
        read("/settings/limits", pages::settings::limits::show),
        write("/settings/limits", pages::settings::limits::set),
        read("/settings/organization", pages::settings::organization::show),
        write("/settings/organization/details", pages::settings::organization::change),
        read("/settings/checks", pages::settings::checks::show),
        write("/settings/checks/{id}/archive", pages::settings::checks::archive),
        read("/settings/calls", pages::settings::calls::show),
        write("/settings/calls", pages::settings::calls::add),
        write("/settings/calls/{id}/remove", pages::settings::calls::remove),
        read("/settings/mail", pages::settings::mail::show),
        write("/settings/mail", pages::settings::mail::set),
        write("/settings/mail/remove", pages::settings::mail::remove),
        read("/settings/secrets", pages::settings::secrets::show),
        write("/settings/secrets", pages::settings::secrets::add),
        write("/settings/secrets/sealing-key", pages::settings::secrets::rotate),
        write("/settings/secrets/{id}/replace", pages::settings::secrets::replace),
        write("/settings/secrets/{id}/delete", pages::settings::secrets::delete),
        read("/settings/sign-on", pages::settings::sign_on::show),
        write("/settings/sign-on", pages::settings::sign_on::set),
        write("/settings/sign-on/remove", pages::settings::sign_on::remove),
        read("/settings/audit", pages::settings::audit::list),
        read("/settings/audit/file", pages::settings::audit::download),
        read("/settings/usage", pages::settings::usage::show),
        read("/settings/usage/months.csv", pages::settings::usage::file),
        read("/settings/data", pages::settings::data::show),
        write("/settings/data/file", pages::settings::data::export),
        write("/settings/data/delete", pages::settings::data::delete),
        write("/settings/data/keep", pages::settings::data::keep),
        read("/operator/{token}", pages::platform::choose),
        write("/operator/{token}", pages::platform::finish),
        read("/platform", pages::platform::show),
        read("/platform/second-factor", pages::platform::show_second),
        write("/platform/second-factor", pages::platform::turn_on),
        write("/platform/brake", pages::platform::brake),
        write("/platform/storm", pages::platform::storm),
        write("/platform/organizations/{id}/plan", pages::platform::plan),
        write("/platform/organizations/{id}/suspend", pages::platform::suspend),
        write("/platform/organizations/{id}/resume", pages::platform::resume),
        read("/changes", pages::change::list),
        write("/changes/{id}", pages::change::answer),
    ]
}

/// Routes that give everybody the same.
fn everybodys() -> Vec<Route> {
    let own = vec![
        read("/assets/{file}", pages::asset::show),
        read("/install.sh", pages::install::script),
        read("/install/{file}", pages::install::program),
    ];
    own.into_iter().chain(api::everybodys()).collect()
}

/// Every route there is: the console is made of this table, and a test tries each as a stranger.
pub fn routes() -> Vec<Route> {
    members().into_iter().chain(everybodys()).chain(api::routes()).collect()
}

fn made_of(routes: Vec<Route>) -> Router<App> {
    routes.into_iter().fold(Router::new(), |router, route| router.route(route.path, route.handler))
}

/// The console's service.
pub fn router(app: App) -> Router {
    router_with(app, Vec::new())
}

/// The console's service with `more`: routes that only some commands have, and what is done around all is done around them.
pub fn router_with(mut app: App, more: Vec<Route>) -> Router {
    app.config.demo = more.iter().any(|route| route.path == DEMO);
    let not_for = NotForContentType::new;
    // Events are to be read as they come. Pages carry the session's token, and what is compressed beside a guess tells the guess: only assets are compressed.
    let compress = CompressionLayer::new().compress_when(
        SizeAbove::new(512)
            .and(not_for("text/html"))
            .and(not_for("text/event-stream"))
            .and(not_for("application/octet-stream")),
    );
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
    // A fallback of our own: what no route knows is dressed too when other routers are merged in.
    let unknown = async || StatusCode::NOT_FOUND;
    let streams = Streams::default();
    let routes = made_of(members().into_iter().chain(more).collect())
        .layer(sessions::layer(&app))
        .layer(Extension(streams.clone()))
        .layer(Extension(Trends::default()))
        .merge(
            made_of(api::routes())
                .layer(Extension(streams))
                .layer(middleware::from_fn_with_state((app.clone(), api::Limits::default()), api::gate)),
        )
        .merge(made_of(everybodys()));
    routes.fallback(unknown).layer(around).with_state(app)
}

/// Refuses what other sites send: by the browser's word on where a request comes from.
fn origin(app: &App) -> CsrfLayer {
    CsrfLayer::new().add_trusted_origin(&app.config.public_url).unwrap_or_else(|error| {
        tracing::warn!(%error, "the public URL is no origin; only the Host header is compared");
        CsrfLayer::new()
    })
}
