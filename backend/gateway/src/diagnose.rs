//! How the host looks, asked when a person is called.

use serde_json::json;
use store::{Store, diagnostics};
use wire::v1::{Diagnosed, MAX_SECTION_LINES, MAX_SECTIONS};

use crate::hello::Begun;
use crate::socket::End;

/// The most letters of a line that are kept; an agent sends fewer.
const LETTERS: usize = 400;

/// Stores an answer. One that nobody waits for is dropped: it may have come too late.
pub async fn answered(store: &Store, link: &Begun, diagnosed: &Diagnosed) -> Result<(), End> {
    if diagnosed.sections.len() > MAX_SECTIONS
        || diagnosed.sections.iter().any(|section| section.lines.len() > MAX_SECTION_LINES)
    {
        return Err(End::malformed("diagnostics have more sections or lines than the protocol allows"));
    }
    // What a text column cannot hold, and nobody wants to read, is left out.
    let shown = |text: &str| text.chars().filter(|c| !c.is_control()).take(LETTERS).collect::<String>();
    let sections = diagnosed.sections.iter().map(|section| {
        let lines: Vec<_> = section.lines.iter().map(|line| shown(line)).collect();
        json!({ "title": shown(&section.title), "lines": lines })
    });
    let sections = sections.collect();
    let mut tx = store.begin(&link.identity.scope).await?;
    if diagnostics::mark_answered(&mut tx, link.identity.host_id, diagnosed.request_id, &sections).await? {
        tx.commit().await?;
    }
    Ok(())
}
