//! What can go wrong between us and the database, in six kinds.

use uuid::Uuid;

/// A store's result.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// Six kinds; `Display` never repeats the source.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No connection could be had in time: answer 503 with Retry-After, or try again.
    #[error("the database cannot be reached now")]
    Unavailable(#[source] sqlx::Error),
    /// A named constraint refused the change, or the transaction lost a race (`serialization`, `deadlock`).
    #[error("the change conflicts with {0}")]
    Conflict(String, #[source] Option<sqlx::Error>),
    /// A statement that must change a known number of rows did not.
    #[error("{statement} changed {changed} rows instead of {expected}")]
    WrongRowCount {
        /// The statement's name.
        statement: &'static str,
        /// Rows it must change.
        expected: u64,
        /// Rows it changed.
        changed: u64,
    },
    /// A row holds what no code of ours writes.
    #[error("{table}.{column} of {id} cannot be read")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The row.
        id: Uuid,
    },
    /// A sealed value was altered, moved or put back from before, or another master key sealed it.
    #[error("{table}.{column} of {id} does not open: it was altered, moved or put back, or this is not its master key")]
    DoesNotOpen {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The row.
        id: Uuid,
        /// What the cipher says.
        #[source]
        source: keys::seal::Error,
    },
    /// Anything else the database says.
    #[error("the database refused a statement")]
    Database(#[source] sqlx::Error),
}

impl StoreError {
    /// The name of the constraint that refused, if one did.
    pub fn conflict(&self) -> Option<&str> {
        match self {
            StoreError::Conflict(name, _) => Some(name),
            _ => None,
        }
    }

    /// Whether the same work may simply be tried again.
    pub fn is_transient(&self) -> bool {
        match self {
            StoreError::Unavailable(_) => true,
            StoreError::Conflict(name, _) => name == "serialization" || name == "deadlock",
            _ => false,
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(e: sqlx::Error) -> Self {
        match &e {
            sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => {
                return StoreError::Unavailable(e);
            }
            sqlx::Error::Database(d) => {
                let code = d.code().map(|c| c.to_string()).unwrap_or_default();
                match code.as_str() {
                    "40001" => return StoreError::Conflict("serialization".into(), Some(e)),
                    "40P01" => return StoreError::Conflict("deadlock".into(), Some(e)),
                    "57P01" | "57P02" | "57P03" | "53300" => return StoreError::Unavailable(e),
                    _ => {}
                }
                if let Some(name) = d.constraint() {
                    return StoreError::Conflict(name.to_owned(), Some(e));
                }
            }
            _ => {}
        }
        StoreError::Database(e)
    }
}

/// Fails unless exactly one row changed.
pub(crate) fn exactly_one(statement: &'static str, changed: u64) -> Result<()> {
    if changed == 1 { Ok(()) } else { Err(StoreError::WrongRowCount { statement, expected: 1, changed }) }
}
