//! One GET, with the redirects that are followed; or any one request.

use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue, LOCATION, USER_AGENT};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;
use url::{Position, Url};

use crate::{Connector, Failure, Stage};

/// No more of an answer is read.
pub const BODY_LIMIT: usize = 64 * 1024;
/// An answer's head is no longer than this.
const HEAD_LIMIT: usize = 32 * 1024;
/// What we call ourselves.
const NAME: HeaderValue = HeaderValue::from_static("Mendwright");

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// How long it took, from the name's look-up to the end of what was read.
    pub took: Duration,
    /// Its beginning, up to [`BODY_LIMIT`].
    pub body: Vec<u8>,
}

/// Headers that one origin is sent. They are secrets: no `Debug`.
#[derive(Clone, Default)]
pub struct Headers(HeaderMap);

impl Headers {
    /// Adds one; false: it is none.
    #[must_use]
    pub fn add(&mut self, name: &str, value: &str) -> bool {
        let (Ok(name), Ok(mut value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) else {
            return false;
        };
        value.set_sensitive(true);
        self.0.insert(name, value);
        true
    }
}

impl Connector {
    /// Gets `url` within `limit`, and follows up to `redirects` redirects. `headers` are sent to the origin of `url` alone:
    /// a redirect that leads elsewhere leaves them behind, for good.
    ///
    /// # Errors
    /// It is down, or it cannot be known.
    pub async fn http(&self, url: &Url, headers: &Headers, redirects: u32, limit: Duration) -> Result<Answer, Failure> {
        let began = (self.elapsed)();
        let stage = Stage::default();
        match tokio::time::timeout(limit, self.follow(url.clone(), headers, redirects, limit, &stage)).await {
            Ok(answer) => {
                let (status, body) = answer?;
                Ok(Answer { status, took: (self.elapsed)().saturating_sub(began), body })
            }
            Err(_) => Err(stage.out_of_time(limit)),
        }
    }

    async fn follow(
        &self,
        mut url: Url,
        headers: &Headers,
        redirects: u32,
        limit: Duration,
        stage: &Stage,
    ) -> Result<(u16, Vec<u8>), Failure> {
        let mut left = redirects;
        let mut at_redirect = None;
        let origin = url.origin();
        let mut headers = Some(headers);
        loop {
            headers = headers.filter(|_| url.origin() == origin);
            let answer =
                self.get(&url, headers, limit, stage).await.map_err(|failure| match (&at_redirect, failure) {
                    (Some(to), Failure::NotMade(why)) => Failure::NotMade(format!("it redirects to {to}: {why}")),
                    (Some(to), Failure::Down(why)) => Failure::Down(format!("it redirects to {to}: {why}")),
                    (None, failure) => failure,
                })?;
            let Some(next) = answer.next.filter(|_| redirects > 0) else { return Ok((answer.status, answer.body)) };
            if left == 0 {
                return Err(Failure::Down(format!("more than {redirects} redirects")));
            }
            left -= 1;
            url = url.join(&next).map_err(|_| Failure::Down("it redirects to what is no address".into()))?;
            if !matches!(url.scheme(), "http" | "https") {
                return Err(Failure::Down("it redirects away from the web".into()));
            }
            at_redirect = Some(url[..Position::AfterPath].chars().take(200).collect::<String>());
        }
    }

    async fn get(&self, url: &Url, headers: Option<&Headers>, limit: Duration, stage: &Stage) -> Result<Got, Failure> {
        let mut request = Request::get("/").body(Vec::new());
        if let (Ok(request), Some(Headers(own))) = (&mut request, headers) {
            request.headers_mut().extend(own.clone());
        }
        let answer = self.ask(url, request, limit, stage).await?;
        let status = answer.status();
        let next = answer.headers().get(LOCATION).filter(|_| status.is_redirection());
        let next = next.map(|to| String::from_utf8_lossy(to.as_bytes()).into_owned());
        Ok(Got { status: status.as_u16(), next, body: answer.into_body() })
    }

    /// Sends `request` to its address within `limit`, and follows no redirect. An answer of more than [`BODY_LIMIT`] is none.
    ///
    /// # Errors
    /// It is down, or it cannot be known.
    pub async fn send(&self, request: Request<Vec<u8>>, limit: Duration) -> Result<Response<Vec<u8>>, Failure> {
        let url = Url::parse(&request.uri().to_string()).map_err(|_| Failure::NotMade("that is no address".into()))?;
        let stage = Stage::default();
        let answer = match tokio::time::timeout(limit, self.ask(&url, Ok(request), limit, &stage)).await {
            Ok(answer) => answer?,
            Err(_) => return Err(stage.out_of_time(limit)),
        };
        if answer.body().len() >= BODY_LIMIT {
            return Err(Failure::Down("its answer does not end".into()));
        }
        Ok(answer)
    }

    async fn ask(
        &self,
        url: &Url,
        request: Result<Request<Vec<u8>>, hyper::http::Error>,
        limit: Duration,
        stage: &Stage,
    ) -> Result<Response<Vec<u8>>, Failure> {
        let nowhere = || Failure::NotMade("the address names no host".into());
        let mut request = request.map_err(|_| nowhere())?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(nowhere());
        }
        let unfit = || Failure::NotMade("the address cannot be asked for".into());
        *request.uri_mut() = url[Position::BeforePath..Position::AfterQuery].parse().map_err(|_| unfit())?;
        let headers = request.headers_mut();
        let named = HeaderValue::from_str(&url[Position::BeforeHost..Position::AfterPort]).map_err(|_| unfit())?;
        headers.insert(HOST, named);
        headers.insert(USER_AGENT, NAME);
        headers.entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        let host = url.host().ok_or_else(nowhere)?.to_owned();
        let port = url.port_or_known_default().ok_or_else(nowhere)?;
        let stream = self.connect(&host, port, limit, stage).await?;
        match url.scheme() {
            "https" => exchange(self.tls(&host, stream).await?, request).await,
            _ => exchange(stream, request).await,
        }
    }
}

/// One answer.
struct Got {
    status: u16,
    /// Where a redirect leads.
    next: Option<String>,
    body: Vec<u8>,
}

async fn exchange<S>(stream: S, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(HEAD_LIMIT)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| down(&error))?;
    // Ends with this function, however it ends.
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let request = request.map(|body| Full::new(Bytes::from(body)));
    let answer = sender.send_request(request).await.map_err(|error| down(&error))?;
    let (parts, body) = answer.into_parts();
    Ok(Response::from_parts(parts, beginning(body).await?))
}

/// An answer's body, up to [`BODY_LIMIT`]; one that breaks off before is no whole answer.
async fn beginning(mut answer: Incoming) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    while body.len() < BODY_LIMIT {
        match answer.frame().await {
            None => break,
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    body.extend_from_slice(&data[..data.len().min(BODY_LIMIT - body.len())]);
                }
            }
            Some(Err(_)) => return Err(Failure::Down("its answer breaks off".into())),
        }
    }
    Ok(body)
}

fn down(error: &hyper::Error) -> Failure {
    Failure::Down(if error.is_parse_too_large() {
        "the head of its answer does not end".into()
    } else if error.is_parse() {
        "what it answers is no HTTP".into()
    } else if error.is_incomplete_message() || error.is_closed() {
        "it took the connection and closed it without an answer".into()
    } else {
        format!("no answer: {error}")
    })
}
