//! An organization's own provider of sign-on: OpenID Connect by the crate of that name, over the guarded connector.
//!
//! A tenant writes the issuer, and the issuer's answers name further addresses. So everything that is asked for goes through
//! `probe`, which judges each address, and over TLS unless the operator allows a loopback address.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use jiff::{SignedDuration, Timestamp};
use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreJwsSigningAlgorithm as Algorithm, CoreProviderMetadata, CoreUserInfoClaims,
};
use openidconnect::{
    AccessToken, AccessTokenHash, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndUserEmail, EndpointMaybeSet,
    EndpointNotSet, EndpointSet, HttpRequest, HttpResponse, IssuerUrl, Nonce, OAuth2TokenResponse as _,
    PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope, SubjectIdentifier, TokenResponse as _,
};
use probe::Connector;
use serde::{Deserialize, Serialize};
use url::{Host, Url};

/// How long one question to a provider may take.
const LIMIT: Duration = Duration::from_secs(4);
/// What a token may be signed with: keys whose private half only the provider has.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RsaSsaPkcs1V15Sha256,
    Algorithm::RsaSsaPkcs1V15Sha384,
    Algorithm::RsaSsaPkcs1V15Sha512,
    Algorithm::RsaSsaPssSha256,
    Algorithm::RsaSsaPssSha384,
    Algorithm::RsaSsaPssSha512,
    Algorithm::EcdsaP256Sha256,
    Algorithm::EcdsaP384Sha384,
    Algorithm::EdDsa,
];

/// How long what an issuer says of itself will do for leading somebody there.
const REMEMBERED: SignedDuration = SignedDuration::from_mins(5);
/// Of so many issuers it is kept at most.
const ISSUERS: usize = 200;

/// What issuers said of themselves, and when. It is the same whoever asks, so organizations may share it.
static KNOWN: LazyLock<Mutex<HashMap<String, (Timestamp, CoreProviderMetadata)>>> = LazyLock::new(Mutex::default);

type Client =
    CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointMaybeSet, EndpointMaybeSet>;

/// Why somebody could not be signed in, as whoever set the provider up wants to know it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub String);

fn refused(what: &str, error: &dyn std::error::Error) -> Refused {
    let mut why = format!("{what}: {error}");
    let mut source = error.source();
    while let Some(error) = source {
        why += &format!(": {error}");
        source = error.source();
    }
    Refused(why.chars().take(400).collect())
}

/// Whether what goes there cannot be read on its way: by TLS, or not leaving this machine.
fn is_private(url: &Url) -> bool {
    match (url.scheme(), url.host()) {
        ("https", Some(_)) => true,
        ("http", Some(Host::Ipv4(ip))) => ip.is_loopback(),
        ("http", Some(Host::Ipv6(ip))) => ip.is_loopback(),
        ("http", Some(Host::Domain(name))) => name == "localhost",
        _ => false,
    }
}

/// An issuer as it is stored, if it can be one.
///
/// # Errors
/// Why it cannot.
pub fn check_issuer(text: &str) -> Result<String, &'static str> {
    let text = text.trim();
    match Url::parse(text) {
        Ok(url) if text.len() > 300 || url.query().is_some() || url.fragment().is_some() => {
            Err("The issuer is an address without ? and #.")
        }
        Ok(url) if !url.username().is_empty() || url.password().is_some() => Err("The issuer holds no password."),
        Ok(url) if is_private(&url) => Ok(text.to_owned()),
        _ => Err("The issuer is an address like https://login.example.com."),
    }
}

/// What is asked of a provider: where it is and what it knows us by.
#[derive(Debug)]
pub struct Provider {
    client: Client,
    connector: Connector,
}

fn remembered(issuer: &str, now: Timestamp) -> Option<CoreProviderMetadata> {
    let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let (at, metadata) = known.get(issuer)?;
    let age = now.duration_since(*at);
    (age >= SignedDuration::ZERO && age < REMEMBERED).then(|| metadata.clone())
}

fn remember(issuer: &str, now: Timestamp, metadata: &CoreProviderMetadata) {
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if known.len() >= ISSUERS && !known.contains_key(issuer) {
        let oldest = known.iter().min_by_key(|(_, (at, _))| *at).map(|(issuer, _)| issuer.clone());
        if let Some(oldest) = oldest {
            known.remove(&oldest);
        }
    }
    known.insert(issuer.to_owned(), (now, metadata.clone()));
}

/// What an issuer says of itself: where it is to be reached, and its keys.
async fn ask(connector: &Connector, issuer: &str) -> Result<CoreProviderMetadata, Refused> {
    let issuer = IssuerUrl::new(issuer.to_owned()).map_err(|error| refused("the issuer", &error))?;
    let metadata = CoreProviderMetadata::discover_async(issuer, &asking(connector.clone()))
        .await
        .map_err(|error| refused("the provider does not say how it is used", &error))?;
    if !is_private(metadata.authorization_endpoint().url()) {
        return Err(Refused("the provider leads to an address without TLS".to_owned()));
    }
    Ok(metadata)
}

/// What somebody takes along to their provider; what was begun with it stays here.
#[derive(Debug, Serialize, Deserialize)]
pub struct Journey {
    state: String,
    nonce: String,
    verifier: String,
}

/// Whom a provider names.
#[derive(Debug)]
pub struct Named {
    /// The provider's own name for them.
    pub subject: String,
    /// Their address, which the provider has verified.
    pub email: String,
    /// When they last proved to the provider who they are, where it says so: seconds since 1970.
    pub proven_at: Option<i64>,
}

type Answer = Pin<Box<dyn Future<Output = Result<HttpResponse, probe::Failure>> + Send>>;

/// Asks for one thing by the connector.
fn asking(connector: Connector) -> impl Fn(HttpRequest) -> Answer + Send + Sync {
    move |request| {
        let connector = connector.clone();
        Box::pin(async move {
            let url = Url::parse(&request.uri().to_string());
            if !url.is_ok_and(|url| is_private(&url)) {
                return Err(probe::Failure::NotMade("the provider names an address without TLS".to_owned()));
            }
            connector.send(request, LIMIT).await
        })
    }
}

impl Provider {
    /// Asks the issuer where it is to be reached. Whatever its keys are to judge is judged after this: a key counts from when
    /// it is published, and no longer than that.
    ///
    /// # Errors
    /// It does not answer as an issuer does.
    pub async fn discover(
        connector: &Connector,
        issuer: &str,
        client_id: &str,
        secret: &str,
        back: String,
    ) -> Result<Provider, Refused> {
        let metadata = ask(connector, issuer).await?;
        Provider::of(connector, metadata, (client_id, secret), back)
    }

    /// As [`discover`](Provider::discover), for leading somebody there: what the issuer said minutes ago will do, so that
    /// whoever only begins does not make us ask it each time.
    ///
    /// # Errors
    /// It does not answer as an issuer does.
    pub async fn recall(
        connector: &Connector,
        issuer: &str,
        (client_id, secret): (&str, &str),
        back: String,
        now: Timestamp,
    ) -> Result<Provider, Refused> {
        let metadata = match remembered(issuer, now) {
            Some(metadata) => metadata,
            None => {
                let metadata = ask(connector, issuer).await?;
                remember(issuer, now, &metadata);
                metadata
            }
        };
        Provider::of(connector, metadata, (client_id, secret), back)
    }

    fn of(
        connector: &Connector,
        metadata: CoreProviderMetadata,
        (client_id, secret): (&str, &str),
        back: String,
    ) -> Result<Provider, Refused> {
        let back = RedirectUrl::new(back).map_err(|error| refused("the way back", &error))?;
        let (id, secret) = (ClientId::new(client_id.to_owned()), ClientSecret::new(secret.to_owned()));
        let client = CoreClient::from_provider_metadata(metadata, id, Some(secret)).set_redirect_uri(back);
        Ok(Provider { client, connector: connector.clone() })
    }

    /// Where somebody goes to on this journey. `fresh`: they prove anew who they are.
    pub fn send_off(&self, journey: &Journey, fresh: bool) -> String {
        let verifier = PkceCodeVerifier::new(journey.verifier.clone());
        let challenge = PkceCodeChallenge::from_code_verifier_sha256(&verifier);
        let (state, nonce) = (journey.state.clone(), journey.nonce.clone());
        let mut request = self
            .client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                move || CsrfToken::new(state),
                move || Nonce::new(nonce),
            )
            .add_scope(Scope::new("email".to_owned()))
            .set_pkce_challenge(challenge);
        if fresh {
            request = request.add_extra_param("prompt", "login").add_extra_param("max_age", "0");
        }
        request.url().0.to_string()
    }

    /// Whom the provider names in exchange for the code that somebody brought back from this journey.
    ///
    /// # Errors
    /// The provider does not answer, or what it says does not hold.
    pub async fn redeem(&self, journey: Journey, code: String, now: Timestamp) -> Result<Named, Refused> {
        let ask = asking(self.connector.clone());
        let answer = self
            .client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|error| refused("the provider has no token endpoint", &error))?
            .set_pkce_verifier(PkceCodeVerifier::new(journey.verifier))
            .request_async(&ask)
            .await
            .map_err(|error| refused("the provider does not take the code", &error))?;
        let token = answer.id_token().ok_or_else(|| Refused("the provider names nobody".to_owned()))?;
        let at = DateTime::<Utc>::from_timestamp(now.as_second(), 0).unwrap_or_default();
        let verifier = self.client.id_token_verifier().set_allowed_algs(ALGORITHMS).set_time_fn(move || at);
        let claims = token
            .claims(&verifier, &Nonce::new(journey.nonce))
            .map_err(|error| refused("what the provider says does not hold", &error))?;
        if let Some(hash) = claims.access_token_hash() {
            let key = token.signing_key(&verifier).map_err(|error| refused("the token's key", &error))?;
            let alg = token.signing_alg().map_err(|error| refused("the token's signature", &error))?;
            let own = AccessTokenHash::from_token(answer.access_token(), alg, key)
                .map_err(|error| refused("the token's hash", &error))?;
            if own != *hash {
                return Err(Refused("the provider's two tokens do not belong together".to_owned()));
            }
        }
        let (email, is_verified) = match claims.email() {
            Some(email) => (email.clone(), claims.email_verified()),
            None => self.ask_address(answer.access_token(), claims.subject()).await?,
        };
        if is_verified != Some(true) {
            return Err(Refused("the provider has not verified the address".to_owned()));
        }
        Ok(Named {
            subject: claims.subject().to_string(),
            email: email.to_string(),
            proven_at: claims.auth_time().map(|at| at.timestamp()),
        })
    }

    /// The address of `subject`, and whether it is verified, where the provider's token leaves it out: OpenID Connect lets a
    /// provider tell it only to whoever asks for it with the access token.
    async fn ask_address(
        &self,
        access: &AccessToken,
        subject: &SubjectIdentifier,
    ) -> Result<(EndUserEmail, Option<bool>), Refused> {
        let unnamed = || Refused("the provider names no address".to_owned());
        let ask = asking(self.connector.clone());
        let request = self.client.user_info(access.clone(), Some(subject.clone())).map_err(|_| unnamed())?;
        let told: CoreUserInfoClaims = request
            .request_async(&ask)
            .await
            .map_err(|error| refused("the provider does not tell whose token it is", &error))?;
        Ok((told.email().cloned().ok_or_else(unnamed)?, told.email_verified()))
    }
}

impl Journey {
    /// A journey that begins: what stays here until somebody is back from it.
    pub fn new(state: String, nonce: String) -> Journey {
        let (_, verifier) = PkceCodeChallenge::new_random_sha256();
        Journey { state, nonce, verifier: verifier.secret().clone() }
    }

    /// Whether this is the state that was taken along. Digests compare in constant time.
    pub fn is(&self, state: &str) -> bool {
        keys::digest(self.state.as_bytes()) == keys::digest(state.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_is_reached_by_tls_or_on_this_machine() {
        for good in [
            "https://login.example.com",
            "https://a.example/tenant/v2.0",
            "http://127.0.0.1:9000",
            "http://localhost:1/x",
        ] {
            assert_eq!(check_issuer(good).as_deref(), Ok(good));
        }
        for bad in [
            "",
            "login.example.com",
            "http://login.example.com",
            "ftp://a.example",
            "https://a.example?x=1",
            "https://a:b@c.example",
            "http://10.0.0.1",
            "javascript:alert(1)",
        ] {
            assert!(check_issuer(bad).is_err(), "{bad}");
        }
    }
}
