//! What comes in: parameters and bodies, read strictly, with the field named where they cannot be.

use axum::body::{Bytes, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::{StatusCode, header, request::Parts};
use keys::digest;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use store::TenantTx;
use utoipa::IntoParams;
use uuid::Uuid;

use super::{Caller, Problem, cursor, limit};
use crate::App;

/// The longest body.
const BODY: usize = 64 * 1024;
/// The longest Idempotency-Key.
const KEY: usize = 255;

/// The parameters of an address; one that the route does not know is refused.
pub struct Asked<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<App> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Asked<T>, Problem> {
        let query = parts.uri.query().unwrap_or_default();
        let pairs: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
        // Empty ones are as if they were not there; the database's texts have no NUL.
        if let Some((name, _)) = pairs.iter().find(|(name, value)| name.contains('\0') || value.contains('\0')) {
            return Err(Problem::invalid(name.replace('\0', ""), "it contains a NUL"));
        }
        if query.contains("%")
            && pairs.iter().any(|(name, value)| name.contains('\u{fffd}') || value.contains('\u{fffd}'))
        {
            return Err(Problem::invalid("?", "it is not UTF-8"));
        }
        let fields = serde_urlencoded::Deserializer::new(form_urlencoded::parse(query.as_bytes()));
        serde_path_to_error::deserialize(fields).map(Asked).map_err(wrong)
    }
}

/// Which page of a list that stands in the order of ids.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ById {
    /// How many, 50 unless said.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u16>,
    /// `next` of the page before.
    cursor: Option<String>,
}

impl ById {
    /// How many, and after which id.
    pub fn place(&self) -> Result<(i64, Option<Uuid>), Problem> {
        let after = cursor::read(self.cursor.as_deref(), |[id]: [String; 1]| cursor::id(&id));
        Ok((limit(self.limit)?, after?))
    }
}

/// An id in the path; what is none is not found.
pub struct Id(pub Uuid);

impl FromRequestParts<App> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Id, Problem> {
        let path = axum::extract::Path::<Uuid>::from_request_parts(parts, app).await;
        path.map(|axum::extract::Path(id)| Id(id)).map_err(|_| Problem::NOT_FOUND)
    }
}

/// Two ids in the path: of a client, and of something of it.
pub struct Ids(pub (Uuid, Uuid));

impl FromRequestParts<App> for Ids {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Ids, Problem> {
        let path = axum::extract::Path::<(Uuid, Uuid)>::from_request_parts(parts, app).await;
        path.map(|axum::extract::Path(ids)| Ids(ids)).map_err(|_| Problem::NOT_FOUND)
    }
}

/// A body, and what makes it one request and no other.
pub struct Sent<T> {
    /// What was said.
    pub said: T,
    key: Option<String>,
    digest: [u8; 32],
}

impl<T: DeserializeOwned> FromRequest<App> for Sent<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Sent<T>, Problem> {
        let (mut parts, body) = request.into_parts();
        // What a request changes by is all in its body.
        Asked::<Nothing>::from_request_parts(&mut parts, app).await?;
        let pepper = parts.extensions.get::<Caller>().ok_or(Problem::UNAUTHORIZED)?.pepper;
        let key = match parts.headers.get("idempotency-key") {
            None => None,
            Some(key) => {
                Some(key.to_str().ok().filter(|key| (1..=KEY).contains(&key.len())).map(str::to_owned).ok_or_else(
                    || Problem::invalid("Idempotency-Key", format!("it must be 1 to {KEY} printable ASCII characters")),
                )?)
            }
        };
        let bytes = to_bytes(body, BODY).await.map_err(|_| Problem::of_status(StatusCode::PAYLOAD_TOO_LARGE))?;
        let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let is_json = kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"));
        if !is_json {
            return Err(Problem::of_status(StatusCode::UNSUPPORTED_MEDIA_TYPE));
        }
        let said = read(&bytes)?;
        let request = [parts.method.as_str(), "\n", parts.uri.path(), "\n"].concat();
        // A body may carry a password, and a digest of it alone would let who reads the rows try words.
        Ok(Sent { said, key, digest: digest(&[&pepper, request.as_bytes(), &bytes].concat()).0 })
    }
}

fn read<T: DeserializeOwned>(bytes: &Bytes) -> Result<T, Problem> {
    let value: Value = serde_json::from_slice(bytes).map_err(|error| {
        Problem::of_status(StatusCode::BAD_REQUEST).because(format!("the body is no JSON: {error}"))
    })?;
    if !value.is_object() {
        return Err(Problem::invalid("", "the body must be an object"));
    }
    if let Some(field) = nul(&value, "") {
        return Err(Problem::invalid(field, "it contains a NUL"));
    }
    serde_path_to_error::deserialize(value).map_err(wrong)
}

/// Where a text with a NUL is, which the database's texts do not have.
fn nul(value: &Value, at: &str) -> Option<String> {
    match value {
        Value::String(text) => text.contains('\0').then(|| at.to_owned()),
        Value::Array(items) => items.iter().find_map(|item| nul(item, at)),
        Value::Object(fields) => {
            fields.iter().find_map(
                |(name, value)| {
                    if name.contains('\0') { Some(name.replace('\0', "")) } else { nul(value, name) }
                },
            )
        }
        _ => None,
    }
}

fn wrong<E: std::error::Error>(error: serde_path_to_error::Error<E>) -> Problem {
    let path = error.path().to_string();
    let said = error.into_inner().to_string();
    // A field that is missing or not known stands in the message, not in the path.
    let named = said.split('`').nth(1).filter(|_| {
        said.starts_with("unknown field") || said.starts_with("missing field") || said.starts_with("duplicate field")
    });
    let field = match (named, path.as_str()) {
        (Some(name), _) => name.to_owned(),
        (None, ".") => String::new(),
        (None, path) => path.to_owned(),
    };
    Problem::invalid(field, said)
}

/// A transaction for what was asked, or the answer that it got before.
enum Begun {
    /// Do it.
    Now(TenantTx),
    /// It was done: this was answered.
    Before(axum::response::Response),
}

impl<T> Sent<T> {
    /// Does what was asked for, in one transaction with the answer that is kept; or gives the answer that it got before.
    pub async fn act<B: serde::Serialize>(
        &self,
        app: &App,
        caller: &Caller,
        act: impl AsyncFnOnce(&mut TenantTx) -> Result<B, Problem>,
    ) -> Result<axum::response::Response, Problem> {
        self.act_as(app, caller, async |tx| Ok((StatusCode::OK, act(tx).await?))).await
    }

    /// The same for what may come out in more than one way, each with its status.
    pub async fn act_as<B: serde::Serialize>(
        &self,
        app: &App,
        caller: &Caller,
        act: impl AsyncFnOnce(&mut TenantTx) -> Result<(StatusCode, B), Problem>,
    ) -> Result<axum::response::Response, Problem> {
        let mut tx = match self.begin(app, caller).await? {
            Begun::Now(tx) => tx,
            Begun::Before(answer) => return Ok(answer),
        };
        let (status, body) = act(&mut tx).await?;
        self.end(tx, caller, status, &body).await
    }

    /// The same for what makes a secret, which is in the first answer alone: the answer that is kept has null in its place.
    pub async fn mint<B: serde::Serialize>(
        &self,
        app: &App,
        caller: &Caller,
        field: &str,
        act: impl AsyncFnOnce(&mut TenantTx) -> Result<(B, String), Problem>,
    ) -> Result<axum::response::Response, Problem> {
        let mut tx = match self.begin(app, caller).await? {
            Begun::Now(tx) => tx,
            Begun::Before(answer) => return Ok(answer),
        };
        let (body, secret) = act(&mut tx).await?;
        let mut body = serde_json::to_value(body).map_err(|_| Problem::of_status(StatusCode::INTERNAL_SERVER_ERROR))?;
        body[field] = Value::Null;
        self.end(tx, caller, StatusCode::CREATED, &body).await?;
        body[field] = Value::String(secret);
        Ok(super::answer(StatusCode::CREATED, &body))
    }

    /// What this request was answered before, for what asks somebody else before anything is done; none: it is new.
    pub async fn answered(&self, app: &App, caller: &Caller) -> Result<Option<axum::response::Response>, Problem> {
        match self.begin(app, caller).await? {
            Begun::Now(tx) => {
                tx.rollback().await?;
                Ok(None)
            }
            Begun::Before(answer) => Ok(Some(answer)),
        }
    }

    /// Begins: with an Idempotency-Key that was used, the request was answered before.
    async fn begin(&self, app: &App, caller: &Caller) -> Result<Begun, Problem> {
        let mut tx = caller.member.begin(app).await?;
        let Some(key) = &self.key else { return Ok(Begun::Now(tx)) };
        match store::tokens::claim_key(&mut tx, caller.token_id, key, &self.digest).await? {
            None => Ok(Begun::Now(tx)),
            Some(answer) if answer.digest != self.digest => Err(Problem::key_reused()),
            Some(answer) => {
                let status = u16::try_from(answer.status).ok().and_then(|status| StatusCode::from_u16(status).ok());
                Ok(Begun::Before(super::answer(status.unwrap_or(StatusCode::OK), &answer.body)))
            }
        }
    }

    /// Keeps the answer with what was done, and gives it.
    async fn end(
        &self,
        mut tx: TenantTx,
        caller: &Caller,
        status: StatusCode,
        body: &impl serde::Serialize,
    ) -> Result<axum::response::Response, Problem> {
        let body = serde_json::to_value(body).map_err(|_| Problem::of_status(StatusCode::INTERNAL_SERVER_ERROR))?;
        if let Some(key) = &self.key {
            store::tokens::keep_answer(&mut tx, caller.token_id, key, status.as_u16(), &body).await?;
        }
        tx.commit().await?;
        Ok(super::answer(status, &body))
    }
}

/// A body, or the parameters of an address, without anything in it.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}
