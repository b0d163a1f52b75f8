//! One binary of integration tests.
mod architecture;
mod catalog;
mod console;
mod gateway;
mod mail;
mod stages;
mod support;
