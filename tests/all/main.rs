//! One binary of integration tests.
mod console;
mod gateway;
mod mail;
mod support;
