//! Mail to a relay: a small pool, time limits, a fixed Message-ID, and an honest answer when one is in doubt.
//!
//! What to send and when is the outbox's business. A send says one of four things: the relay took it, it was not taken
//! and may be tried again, it will never be taken, or the connection died after the message's end and before the
//! answer. Only the caller knows whether the last means "once more" (an alert) or "at most once" (a digest).
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod compose;
mod memory;
mod relay;
mod smtp;

use std::time::Duration;

pub use memory::Memory;
pub use relay::{Encrypted, Relay, RelayError};
pub use smtp::{Limits, Smtp};

/// One mail to one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// With its brackets, `<id@domain>`; the same at every attempt, so that a receiver sees one mail.
    pub message_id: String,
    /// The sender, with or without a name.
    pub from: String,
    /// The receiver, with or without a name.
    pub to: String,
    /// One line.
    pub subject: String,
    /// The page for those who see pages.
    pub html: String,
    /// The same, for everybody else.
    pub text: String,
}

/// The relay took the mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// What it said, often with the number that finds the mail in its log.
    pub answer: String,
}

/// Why a mail is not certainly with the relay.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Not taken; a later attempt may succeed.
    #[error("not sent for now: {reason}")]
    Transient {
        /// The step and what went wrong, without secrets.
        reason: String,
    },
    /// Not taken, and no later attempt will change that.
    #[error("refused: {reason}")]
    Permanent {
        /// The step and what was said.
        reason: String,
    },
    /// The whole message was handed over and no answer came: it may have been delivered.
    #[error("perhaps sent: {reason}")]
    InDoubt {
        /// What happened instead of an answer.
        reason: String,
    },
}

/// Where mail goes.
#[derive(Debug)]
pub enum Mailer {
    /// To a relay.
    Smtp(Smtp),
    /// Into memory, for tests.
    Memory(Memory),
}

impl Mailer {
    /// A mailer for a relay, see [`Relay::parse`].
    ///
    /// # Errors
    /// A URL that is none of a relay.
    pub fn relay(url: &str) -> Result<Self, RelayError> {
        Ok(Self::Smtp(Smtp::new(Relay::parse(url)?, Limits::default())))
    }

    /// The longest that [`Mailer::send`] can take once it has a connection to itself.
    pub fn longest(&self) -> Duration {
        match self {
            Self::Smtp(smtp) => smtp.longest(),
            Self::Memory(_) => Duration::ZERO,
        }
    }

    /// Hands the mail over.
    ///
    /// # Errors
    /// See [`SendError`]; a mail that cannot be written (an address that is none) is permanent.
    pub async fn send(&self, envelope: &Envelope) -> Result<Sent, SendError> {
        let message = compose::compose(envelope)?;
        match self {
            Self::Smtp(smtp) => smtp.send(&message).await,
            Self::Memory(memory) => memory.send(envelope),
        }
    }
}
