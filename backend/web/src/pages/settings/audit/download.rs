//! `GET /settings/audit/file`: the whole chain as JSON lines, as `mendwright audit verify` reads them.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use domain::access::Act;
use futures_util::stream;
use serde_json::json;
use store::audit::{self, Entry, Export};

use crate::downloads::{LASTS, Place, Places};
use crate::member::Member;
use crate::{App, Failure};

/// Files that a node writes at once: each reads its organization's whole audit.
static PLACES: Places = Places::new(16);

/// A file on its way: each part is read in a transaction of its own, as its reader takes it.
struct Writing {
    app: App,
    member: Arc<Member>,
    export: Export,
    place: Place,
}

/// Sends the file.
pub async fn download(State(app): State<App>, member: Member) -> Result<Response, Failure> {
    send(app, Arc::new(member)).await
}

/// Sends the file. That it was taken is an entry too, which stands in the next one.
pub async fn send(app: App, member: Arc<Member>) -> Result<Response, Failure> {
    member.must_for_all(Act::ReadAudit)?;
    let place = PLACES.enter(member.seat().scope.tenant_id(), LASTS).ok_or(Failure::BUSY)?;
    let mut tx = member.begin(&app).await?;
    let export = Export::begin(&mut tx).await?.ok_or(Failure::NOT_FOUND)?;
    let entry = Entry::done("audit.exported", ("tenant", tx.tenant_id()));
    audit::insert(&mut tx, None, entry.with(json!({ "entries": export.entries() }))).await?;
    tx.commit().await?;
    let writing = Writing { app, member, export, place };
    let parts = stream::try_unfold(writing, async |mut writing| {
        let part = next(&mut writing).await.map_err(|_| std::io::Error::other("the audit could not be read"))?;
        Ok::<_, std::io::Error>(part.map(|part| (part, writing)))
    });
    let headers = [
        (header::CONTENT_TYPE, "application/x-ndjson"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"audit.jsonl\""),
    ];
    Ok((headers, Body::from_stream(parts)).into_response())
}

/// The next part; a failure is logged and cuts the file off, which its reader sees by the missing head.
async fn next(writing: &mut Writing) -> Result<Option<String>, Failure> {
    if writing.place.is_over() {
        return Err(Failure::BUSY);
    }
    let mut tx = writing.member.begin(&writing.app).await?;
    writing.member.must_still(&mut tx, Act::ReadAudit).await?;
    Ok(writing.export.next(&mut tx).await?)
}
