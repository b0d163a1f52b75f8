//! `GET /api/v1/openapi.json`: what there is, made from the code that answers.

use std::collections::BTreeMap;

use axum::Json;
use axum::http::StatusCode;
use serde_json::{Value, json};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Content, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{IntoParams, IntoResponses, Modify, OpenApi};

use super::Problem;

/// What a request that changes something may carry, so that sending it again does nothing twice.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it only says what the document says")]
pub struct Key {
    /// A text of your own. Within 24 hours the same key with the same request is answered as before, and nothing is done
    /// again; with another request it is refused.
    #[param(rename = "Idempotency-Key", max_length = 255, min_length = 1, pattern = "^[!-~]+$", required = false)]
    key: Option<String>,
}

impl IntoResponses for Problem {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        const ALL: [(StatusCode, &str); 10] = [
            (StatusCode::BAD_REQUEST, "The body is no JSON"),
            (StatusCode::UNAUTHORIZED, "There is no such token, it works no more, or not from this network"),
            (StatusCode::FORBIDDEN, "The token's scopes or its maker's role do not allow it"),
            (StatusCode::NOT_FOUND, "There is no such thing, or it is somebody else's"),
            (StatusCode::CONFLICT, "What is there stands against it, or changed meanwhile"),
            (StatusCode::PAYLOAD_TOO_LARGE, "The body is too long"),
            (StatusCode::UNSUPPORTED_MEDIA_TYPE, "The body is not application/json"),
            (StatusCode::UNPROCESSABLE_ENTITY, "A field or parameter cannot be used; `field` names it"),
            (StatusCode::TOO_MANY_REQUESTS, "Too many requests; `Retry-After` says when to come again"),
            (StatusCode::SERVICE_UNAVAILABLE, "The server is busy; `Retry-After` says when to come again"),
        ];
        let response = |what: &str| {
            let content = Content::new(Some(Ref::from_schema_name("Problem")));
            RefOr::T(ResponseBuilder::new().description(what).content("application/problem+json", content).build())
        };
        ALL.iter().map(|(status, what)| (status.as_str().to_owned(), response(what))).collect()
    }
}

struct Token;

impl Modify for Token {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("mw_api_…")
            .description(Some(
                "A token of *Settings*, *API tokens*. It may what its scopes say and its maker may at that moment.",
            ))
            .build();
        if let Some(components) = &mut api.components {
            components.add_security_scheme("token", SecurityScheme::Http(scheme));
        }
    }
}

#[derive(OpenApi)]
#[openapi(
    info(title = "Mendwright", version = "1", description = "What the console can do, for programs."),
    paths(
        super::incident::list::list,
        super::incident::show::show,
        super::incident::owner::answer,
        super::incident::doubt::answer,
        super::run::list::list,
        super::run::show::show,
        super::approval::list::list,
        super::approval::answer::answer,
        super::host::list::list,
        super::host::show::show,
        super::host::act::hands_off,
        super::host::act::release,
        super::host::act::same_machine,
        super::host::act::retire,
        super::host::act::accept,
        super::host::act::refuse,
        super::host::act::claim,
        super::host::act::watch,
        super::guardrail::show::show,
        super::guardrail::act::stop,
        super::guardrail::act::go,
        super::guardrail::act::close_breaker,
        super::guardrail::act::release,
        super::guardrail::act::hands_off,
        super::guardrail::act::hands_on,
        super::change::list::list,
        super::change::answer::answer,
        super::audit::list::list,
        super::client::list::list,
        super::client::show::show,
        super::client::edit::add,
        super::client::edit::change,
        super::client::edit::archive,
        super::client::edit::restore,
        super::site::list::list,
        super::site::edit::add,
        super::site::edit::rename,
        super::site::edit::remove,
        super::contact::list::list,
        super::contact::edit::add,
        super::contact::edit::change,
        super::contact::edit::remove,
        super::host::place::place,
        super::host::metrics::show,
        super::events::stream,
        super::enrolment::list::list,
        super::enrolment::edit::make,
        super::enrolment::edit::revoke,
        super::member::list::list,
        super::member::edit::change,
        super::member::edit::remove,
        super::invitation::list::list,
        super::invitation::edit::invite,
        super::invitation::edit::revoke,
        super::service::list::list,
        super::service::edit::make,
        super::service::edit::remove,
        super::token::list::list,
        super::token::edit::make,
        super::token::edit::revoke,
        super::organization::show::show,
        super::organization::edit::change,
        super::organization::edit::second_factor,
        super::guardrail::limit::list,
        super::guardrail::limit::set,
        super::group::list::list,
        super::group::edit::declare,
        super::group::edit::change,
        super::group::edit::remove,
        super::secret::list::list,
        super::secret::edit::add,
        super::secret::edit::replace,
        super::secret::edit::delete,
        super::check::list::list,
        super::check::archive::archive,
        super::channel::list::list,
        super::channel::edit::add,
        super::channel::edit::remove,
        super::secret::key::replace,
        super::organization::relay::show,
        super::organization::relay::set,
        super::organization::relay::remove,
        super::organization::usage::show,
        super::organization::support::list,
        super::organization::support::grant,
        super::organization::support::end,
        super::organization::sign_on::show,
        super::organization::sign_on::set,
        super::organization::sign_on::remove,
        super::audit::file::download,
        super::organization::deletion::list,
        super::organization::deletion::delete,
        super::organization::deletion::keep,
        super::organization::deletion::delete_client,
        super::organization::deletion::keep_client,
        super::organization::file::download,
    ),
    components(schemas(Problem)),
    modifiers(&Token)
)]
struct Document;

/// The document as it is sent: no operation has anything that is not in the code.
pub fn document() -> Value {
    serde_json::to_value(Document::openapi()).unwrap_or_else(|_| json!({}))
}

/// Tells everybody what there is.
pub async fn show() -> Json<Value> {
    Json(document())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_route_stands_in_the_document_and_nothing_else_does() {
        let document = document();
        let mut told = BTreeSet::new();
        for (path, methods) in document["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                told.insert((method.to_uppercase(), path.clone()));
                assert!(operation["security"][0]["token"][0].is_string(), "{method} {path} says which scope it needs");
                assert_eq!(operation["responses"]["401"]["content"].as_object().unwrap().len(), 1);
            }
        }
        let routes = super::super::routes();
        let there: BTreeSet<_> = routes.iter().map(|route| (route.method.to_owned(), route.path.to_owned())).collect();
        assert_eq!(told, there);
        assert_eq!(document["openapi"], "3.1.0");
    }

    #[test]
    fn every_scope_that_the_document_names_can_be_given() {
        for (path, methods) in document()["paths"].as_object().unwrap() {
            for operation in methods.as_object().unwrap().values() {
                let scope = operation["security"][0]["token"][0].as_str().unwrap();
                assert!(domain::token::parse(scope).is_some(), "{path}: {scope}");
            }
        }
    }
}
