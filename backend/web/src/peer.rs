//! From where a request comes: the address at the other end of the connection, or whom a trusted proxy there names. Whoever
//! accepts connections has decided that; no header is read here.

use std::net::{IpAddr, SocketAddr};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use store::Origin;

use crate::layers::RequestId;

/// Who a request comes from: the other end of a connection, or whom a trusted proxy there names; whoever accepts connections puts it into each request's extensions.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// That the server was told which proxies there are: an address of the machine itself is then a source like any other, and
/// not everybody. Whoever accepts connections puts it into each request's extensions.
#[derive(Clone, Copy, Debug)]
pub struct ProxiesNamed;

/// The address of whoever sent the request; none where it came by no network.
pub fn address(parts: &Parts) -> Option<IpAddr> {
    parts.extensions.get::<Peer>().map(|Peer(peer)| peer.ip().to_canonical())
}

/// Whether the server was told which proxies there are.
pub fn are_proxies_named(parts: &Parts) -> bool {
    parts.extensions.get::<ProxiesNamed>().is_some()
}

/// What audit rows say of where a request comes from.
pub fn origin(parts: &Parts) -> Origin {
    Origin { address: address(parts), request_id: parts.extensions.get::<RequestId>().map(|id| id.0) }
}

/// Where a request comes from, for handlers of those who are not signed in.
#[derive(Clone, Copy, Debug)]
pub struct Came(pub Origin);

impl<S: Sync> FromRequestParts<S> for Came {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Came, Self::Rejection> {
        Ok(Came(origin(parts)))
    }
}
