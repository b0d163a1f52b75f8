//! What a job has written so far.

use base64::Engine as _;
use store::{Store, remediate::progress};
use wire::v1::{MAX_PROGRESS_BYTES, Progress};

use crate::convert;
use crate::hello::Begun;
use crate::socket::End;

/// Stores a piece. One that fits nowhere is dropped: the result carries the whole.
pub async fn take(store: &Store, link: &Begun, piece: &Progress) -> Result<(), End> {
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(&piece.bytes)
        .ok()
        .filter(|bytes| bytes.len() <= MAX_PROGRESS_BYTES)
        .ok_or_else(|| End::malformed("a piece of output cannot be read, or is too long"))?;
    let Ok(offset) = i32::try_from(piece.offset) else { return Ok(()) };
    let (key, host_id) = (convert::stored_key(&piece.job), link.identity.host_id);
    let mut tx = store.begin(&link.identity.scope).await?;
    if progress::append(&mut tx, &key, host_id, piece.fence, i64::from(offset), &bytes).await? {
        tx.commit().await?;
    }
    Ok(())
}
