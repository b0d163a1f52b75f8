//! One agent's WebSocket: JSON texts, limits, and why it ends.

use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use futures_util::FutureExt as _;
use wire::v1::{Down, Up, close};

use store::StoreError;

/// A message that cannot be written in this time ends the link.
const SEND_LIMIT: Duration = Duration::from_secs(10);

/// Why a link ends.
#[derive(Debug)]
pub enum End {
    /// The agent is gone.
    Gone,
    /// We close, with a code and a sentence for the person who reads the agent's log.
    Close(u16, String),
    /// The database does not do what we ask: the agent is to come back later.
    Store(StoreError),
}

impl End {
    /// A close with `code` and `reason`.
    pub fn close(code: u16, reason: impl Into<String>) -> End {
        End::Close(code, reason.into())
    }

    /// A message that cannot be read or came out of order.
    pub fn malformed(reason: &str) -> End {
        End::close(close::MALFORMED, reason)
    }
}

impl From<StoreError> for End {
    fn from(error: StoreError) -> End {
        End::Store(error)
    }
}

/// An agent's socket.
pub struct Socket(WebSocket);

impl Socket {
    /// Wraps `socket`.
    pub fn new(socket: WebSocket) -> Socket {
        Socket(socket)
    }

    /// The next message; `None` is a sign of life without one. Safe to be cancelled.
    pub async fn next(&mut self) -> Result<Option<Up>, End> {
        match self.0.recv().await {
            Some(Ok(Message::Text(text))) => serde_json::from_str(text.as_str())
                .map(Some)
                .map_err(|error| End::close(close::MALFORMED, format!("a message cannot be read: {error}"))),
            Some(Ok(Message::Binary(_))) => Err(End::malformed("messages are JSON texts")),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(None),
            Some(Ok(Message::Close(_)) | Err(_)) | None => Err(End::Gone),
        }
    }

    /// What has come in already, without waiting: as [`Self::next`], or none.
    pub fn next_now(&mut self) -> Option<Result<Option<Up>, End>> {
        self.next().now_or_never()
    }

    /// The next message, within `limit`.
    pub async fn expect(&mut self, limit: Duration) -> Result<Up, End> {
        let next = async {
            loop {
                if let Some(up) = self.next().await? {
                    return Ok(up);
                }
            }
        };
        tokio::time::timeout(limit, next)
            .await
            .unwrap_or_else(|_| Err(End::malformed("the agent said nothing in time")))
    }

    /// Sends `down`.
    pub async fn send(&mut self, down: &Down) -> Result<(), End> {
        let text = serde_json::to_string(down).map_err(|_| End::Gone)?;
        self.write(Message::text(text)).await
    }

    /// Sends a ping.
    pub async fn ping(&mut self) -> Result<(), End> {
        self.write(Message::Ping(Vec::new().into())).await
    }

    async fn write(&mut self, message: Message) -> Result<(), End> {
        match tokio::time::timeout(SEND_LIMIT, self.0.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(End::Gone),
        }
    }

    /// Says goodbye and logs why.
    pub async fn end(mut self, end: End, whose: &str) {
        let (code, reason) = match end {
            End::Gone => {
                tracing::info!(whose, "the agent's link ended");
                return;
            }
            End::Close(code, reason) => {
                tracing::info!(whose, code, reason, "an agent's link is closed");
                (code, reason)
            }
            End::Store(error) => {
                tracing::warn!(whose, error = &error as &dyn std::error::Error, "an agent's link is closed");
                (close::UNAVAILABLE, "the server cannot store anything now".to_owned())
            }
        };
        let frame = CloseFrame { code, reason: shortened(reason).into() };
        let _ = self.write(Message::Close(Some(frame))).await;
        let drain = async { while self.0.recv().await.is_some_and(|m| m.is_ok()) {} };
        let _ = tokio::time::timeout(Duration::from_secs(2), drain).await;
    }
}

/// A close reason has at most 123 bytes.
fn shortened(mut reason: String) -> String {
    let mut end = reason.len().min(123);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    reason.truncate(end);
    reason
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_close_reason_is_cut_between_characters() {
        assert_eq!(super::shortened("é".repeat(100)).len(), 122);
        assert_eq!(super::shortened("short".into()), "short");
    }
}
