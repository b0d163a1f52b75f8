//! The one statement that asks for the time.

use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};
use sqlx::PgConnection;

use crate::Result;

/// Where a transaction's "now" comes from.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The database's clock: one clock for all nodes.
    #[default]
    Database,
    /// The database's clock moved by hand; for tests.
    Moved(Moved),
}

/// A hand-moved offset, shared by all clones.
#[derive(Clone, Debug, Default)]
pub struct Moved(Arc<Mutex<SignedDuration>>);

impl Moved {
    /// Moves the clock by `by`, forwards or backwards.
    pub fn advance(&self, by: SignedDuration) {
        let mut offset = self.0.lock().unwrap_or_else(|e| e.into_inner());
        *offset = offset.saturating_add(by);
    }

    fn offset(&self) -> SignedDuration {
        *self.0.lock().unwrap_or_else(|e| e.into_inner())
    }
}

impl Clock {
    /// Asks for the time, in microseconds, on `conn`.
    pub(crate) async fn now(&self, conn: &mut PgConnection) -> Result<Timestamp> {
        let now = sqlx::query_scalar!(r#"SELECT clock_timestamp() AS "now!""#).fetch_one(conn).await?.to_jiff();
        Ok(match self {
            Clock::Database => now,
            Clock::Moved(moved) => now + moved.offset(),
        })
    }
}
