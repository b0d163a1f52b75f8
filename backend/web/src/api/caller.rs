//! Who asks: a token, with its maker's rights of this moment.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::{header, request::Parts};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use domain::access::Act;
use domain::token::Scopes;
use keys::token::{self, Kind, Token};
use store::auth::{self, Bearer};
use uuid::Uuid;

use super::Problem;
use super::limits::{Left, Limits};
use crate::member::Member;
use crate::{App, Failure, peer};

/// A token that works.
#[derive(Clone)]
pub struct Caller {
    /// Its maker, who may through it what its scopes say.
    pub member: Arc<Member>,
    /// The token.
    pub token_id: Uuid,
    /// Its hash.
    pub hash: [u8; 32],
    /// A digest of its text, which is stored nowhere: what is digested with it cannot be guessed at by whoever reads the rows.
    pub pepper: [u8; 32],
    /// From where it is used.
    pub from: Option<IpAddr>,
}

impl Caller {
    /// Goes on only if the token's scopes and its maker's role allow it.
    pub fn must(&self, act: Act) -> Result<(), Problem> {
        Ok(self.member.must(act)?)
    }
}

impl FromRequestParts<App> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Caller, Problem> {
        parts.extensions.get::<Caller>().cloned().ok_or(Problem::UNAUTHORIZED)
    }
}

/// Lets in who shows a token, as often as it may, and says what is left. There are no cookies here.
pub async fn gate(State((app, limits)): State<(App, Limits)>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let address = peer::address(&parts);
    let (bearer, token) = match known(&app, &limits, &parts, address).await {
        Ok(known) => known,
        Err(problem) => {
            let strange = problem.is_unauthorized().then_some(address).flatten();
            if let Some(left @ Left::None(_)) = strange.map(|address| limits.take_strange(address)) {
                let mut response = Problem::TOO_MANY.into_response();
                left.tell(response.headers_mut());
                return response;
            }
            return problem.into_response();
        }
    };
    let left = limits.take(bearer.token_id);
    let mut response = match left {
        Left::None(_) => Problem::TOO_MANY.into_response(),
        Left::Some(_) => {
            let scopes = Scopes::of(bearer.scopes.iter().map(String::as_str));
            let (token_id, hash) = (bearer.token_id, token.hash());
            let pepper = keys::digest(format!("answers of {}", token.reveal()).as_bytes()).0;
            let member = Arc::new(Member::by_token(bearer.member, scopes, peer::origin(&parts)));
            parts.extensions.insert(Caller { member, token_id, hash, pepper, from: address });
            next.run(Request::from_parts(parts, body)).await
        }
    };
    left.tell(response.headers_mut());
    response
}

/// The token of a request, if it works from where it comes.
async fn known(app: &App, limits: &Limits, parts: &Parts, address: Option<IpAddr>) -> Result<(Bearer, Token), Problem> {
    let said = parts.headers.get(header::AUTHORIZATION).and_then(|said| said.to_str().ok());
    let text = said.and_then(|said| said.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    // What is mistyped is known by its checksum, without a look-up.
    let token = text.and_then(|(_, text)| token::parse(text.trim()).ok()).filter(|token| token.kind() == Kind::Api);
    let token = token.ok_or(Problem::UNAUTHORIZED)?;
    let hash = token.hash();
    let turn = limits.turn(&hash).await.ok_or(Failure::BUSY)?;
    let found = auth::by_api_token(&app.store, &hash).await?;
    drop(turn);
    let Some(bearer) = found else {
        limits.forget(&hash);
        return Err(Problem::UNAUTHORIZED);
    };
    limits.mark_worked(hash);
    if !super::networks::contain(&bearer.networks, address) {
        return Err(Problem::UNAUTHORIZED);
    }
    if !bearer.is_marked {
        let mut tx = app.store.begin(&bearer.member.scope).await?;
        tx.commit_soon().await?;
        store::tokens::mark_used(&mut tx, bearer.token_id, address).await?;
        tx.commit().await?;
    }
    Ok((bearer, token))
}
