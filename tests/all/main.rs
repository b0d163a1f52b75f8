//! One binary of integration tests.
mod apply;
mod bench;
mod catalog;
mod console;
mod demo;
mod faults;
mod gateway;
mod install;
mod isolation;
mod lints;
mod load;
mod mail;
mod playbook_digest;
mod probes;
mod stages;
mod support;
mod upkeep;
