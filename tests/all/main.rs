//! One binary of integration tests.
mod console;
mod gateway;
mod support;
