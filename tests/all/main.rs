//! One binary of integration tests.
mod architecture;
mod catalog;
mod console;
mod demo;
mod faults;
mod gateway;
mod isolation;
mod mail;
mod playbook_digest;
mod stages;
mod support;
