//! One binary of integration tests.
mod console;
