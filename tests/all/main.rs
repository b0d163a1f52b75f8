//! One binary of integration tests.
mod architecture;
mod console;
mod gateway;
mod mail;
mod support;
