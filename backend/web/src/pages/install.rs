//! `GET /install.sh` and `GET /install/{file}`: what a machine needs to become a host. For everybody: there is no secret in it.

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use tokio::fs::File;
use tokio::io::AsyncReadExt as _;

use crate::{App, Failure, install};

/// A part of the program as it is sent.
const PART: usize = 64 * 1024;

/// The script.
pub async fn script() -> Response {
    ([(CONTENT_TYPE, "text/x-shellscript; charset=utf-8"), (CACHE_CONTROL, "no-cache")], install::script())
        .into_response()
}

/// The agent's program.
pub async fn program(State(app): State<App>, Path(file): Path<String>) -> Result<Response, Failure> {
    let agent = app.config.agent.filter(|agent| agent.file() == file).ok_or(Failure::NOT_FOUND)?;
    let opened = File::open(&agent.path).await.map_err(|error| {
        tracing::error!(%error, path = %agent.path.display(), "the agent's program cannot be read");
        Failure::BROKEN
    })?;
    // In parts: nobody's download holds the whole of it in memory.
    let parts = stream::try_unfold(opened, async |mut file| {
        let mut part = vec![0; PART];
        let n = file.read(&mut part).await?;
        part.truncate(n);
        Ok::<_, std::io::Error>((n > 0).then_some((Bytes::from(part), file)))
    });
    let headers = [
        (CONTENT_TYPE, "application/octet-stream".to_owned()),
        (CONTENT_LENGTH, agent.size.to_string()),
        (CACHE_CONTROL, "no-cache".to_owned()),
    ];
    Ok((headers, Body::from_stream(parts)).into_response())
}
