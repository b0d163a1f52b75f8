//! The one statement that asks for the time, and the watch that sees the database's clock jump.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::remediate::clock::{Reading, jump};
use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx;
use sqlx::PgConnection;

use crate::{Result, Store};

/// Where a transaction's "now" comes from.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The database's clock: one clock for all nodes.
    #[default]
    Database,
    /// The database's clock moved by hand; for tests.
    Moved(Moved),
}

/// Hand-moved offsets of the wall clock and the node's own clock, shared by all clones.
#[derive(Clone, Debug, Default)]
pub struct Moved(Arc<Mutex<(SignedDuration, SignedDuration)>>);

impl Moved {
    /// Lets time pass: moves both clocks by `by`, forwards or backwards.
    pub fn advance(&self, by: SignedDuration) {
        let mut offsets = self.0.lock().unwrap_or_else(|e| e.into_inner());
        *offsets = (offsets.0.saturating_add(by), offsets.1.saturating_add(by));
    }

    /// Sets the wall clock by `by`; no time passes.
    pub fn jump(&self, by: SignedDuration) {
        let mut offsets = self.0.lock().unwrap_or_else(|e| e.into_inner());
        offsets.0 = offsets.0.saturating_add(by);
    }

    /// Of the wall clock, and of the node's own.
    fn offsets(&self) -> (SignedDuration, SignedDuration) {
        *self.0.lock().unwrap_or_else(|e| e.into_inner())
    }
}

impl Clock {
    /// Asks for the time, in microseconds, on `conn`; the watch, if there is one, sees it.
    pub(crate) async fn now(&self, conn: &mut PgConnection, watch: Option<&Watch>) -> Result<Timestamp> {
        let (wall, own) = match self {
            Clock::Database => Default::default(),
            Clock::Moved(moved) => moved.offsets(),
        };
        let asked = watch.map(Watch::elapsed);
        let now = sqlx::query_scalar!(r#"SELECT clock_timestamp() AS "now!""#).fetch_one(conn).await?.to_jiff() + wall;
        if let (Some(watch), Some(asked)) = (watch, asked) {
            let answered = watch.elapsed();
            watch.see(Reading { wall: now, asked: asked.saturating_add(own), answered: answered.saturating_add(own) });
        }
        Ok(now)
    }
}

/// The time since some instant, by a clock that nobody can set and that counts while the machine sleeps.
pub type Elapsed = Arc<dyn Fn() -> Duration + Send + Sync>;

/// Compares the database's clock with this node's own; clones share.
#[derive(Clone)]
pub(crate) struct Watch {
    elapsed: Elapsed,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug, Default)]
struct Seen {
    last: Option<Reading>,
    /// A jump that is not written down yet: when the clock showed what, and how far it jumped.
    jump: Option<(Timestamp, SignedDuration)>,
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("seen", &self.seen).finish_non_exhaustive()
    }
}

impl Watch {
    pub(crate) fn new(elapsed: Elapsed) -> Watch {
        Watch { elapsed, seen: Arc::default() }
    }

    fn elapsed(&self) -> SignedDuration {
        SignedDuration::try_from((self.elapsed)()).unwrap_or(SignedDuration::MAX)
    }

    fn see(&self, reading: Reading) {
        let mut seen = self.seen.lock().unwrap_or_else(|e| e.into_inner());
        if seen.last.is_some_and(|last| last.answered > reading.answered) {
            return; // a slower one that began earlier
        }
        if let Some(by) = seen.last.and_then(|last| jump(&last, &reading)) {
            tracing::error!(?by, "the database's clock jumped forward: nothing is admitted until clock-reset");
            seen.jump = Some((reading.wall, by));
        }
        seen.last = Some(reading);
    }

    /// The jump that is not written down yet.
    pub(crate) fn jumped(&self) -> Option<(Timestamp, SignedDuration)> {
        self.seen.lock().unwrap_or_else(|e| e.into_inner()).jump
    }

    fn written_down(&self, jump: (Timestamp, SignedDuration)) {
        let mut seen = self.seen.lock().unwrap_or_else(|e| e.into_inner());
        if seen.jump == Some(jump) {
            seen.jump = None;
        }
    }
}

/// Writes down a jump that this node saw, for all nodes; until then this node's own admissions wait. A jump that stands
/// there already is kept.
pub async fn write_down_jump(store: &Store) -> Result<()> {
    let Some((watch, jump)) = store.watch().and_then(|watch| Some((watch, watch.jumped()?))) else { return Ok(()) };
    let mut tx = store.system().await?;
    sqlx::query!(
        "UPDATE platform_state SET clock_jumped_at = $1, clock_jump_ms = $2, version = version + 1 WHERE clock_jumped_at IS NULL",
        jump.0.to_sqlx() as _,
        i64::try_from(jump.1.as_millis()).unwrap_or(i64::MAX)
    )
    .execute(tx.conn())
    .await?;
    tx.commit().await?;
    watch.written_down(jump);
    Ok(())
}
