//! The protocol between agent and server: serde types only, a module a version.
//!
//! One WebSocket from agent to server carries one JSON message a text frame. Within a version unknown
//! fields are ignored; an unknown version is refused with close code [`v1::close::PROTOCOL`].
//! Instants never cross the wire: every expiry is a duration that the receiver counts on its own
//! boot-time (agent) or monotonic (server) clock from the message that carried it.
#![forbid(unsafe_code)]

pub mod v1;
