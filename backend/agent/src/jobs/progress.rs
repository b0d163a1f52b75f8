//! What the steps have written so far, told while they run: so that people see it, and for a run whose end nobody
//! knows.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use runner::record::{Record, output_path};
use wire::v1::{MAX_PROGRESS_BYTES, Progress, Up};

use super::{Current, Jobs, Phase};

/// At most so much is told of a job, in bytes; the result carries the whole.
const TOLD: u64 = 64 * 1024;

impl Jobs {
    /// The next piece of the running job's output, if there is more than was told on this link.
    pub fn progress(&mut self) -> Option<Up> {
        let Some(Current { job, fence, phase: Phase::Running { slot, .. }, .. }) = &self.current else { return None };
        let (job, fence, slot) = (*job, *fence, *slot);
        let told = self.told.filter(|(of, _)| *of == fence).map_or(0, |(_, bytes)| bytes);
        let kept = Record::open(&self.pool.dir, slot).and_then(|record| record.kept(fence)).ok()?.min(TOLD);
        let length = kept.checked_sub(told).filter(|more| *more > 0)?.min(MAX_PROGRESS_BYTES as u64);
        let mut bytes = vec![0; usize::try_from(length).ok()?];
        let read = std::fs::File::open(output_path(&self.pool.dir, slot))
            .and_then(|file| std::os::unix::fs::FileExt::read_exact_at(&file, &mut bytes, told));
        if let Err(error) = read {
            tracing::debug!(%error, "the output so far cannot be read");
            return None;
        }
        self.told = Some((fence, told + length));
        Some(Up::Progress(Progress { job, fence, offset: told, bytes: STANDARD.encode(bytes) }))
    }
}
