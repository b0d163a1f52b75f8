//! Faults on real parts: a real server process, a real agent, a real service, a real PostgreSQL; things are killed,
//! stopped and restarted, and an effect ledger outside all our code says how often the fix took place.
//!
//! `make faults CYCLES=n` plays the kill cases over and over, in random order.

mod cases;
mod cycles;
mod database;
mod doubts;
mod hand;
mod harness;
mod input;
mod judge;
mod kills;
mod leftovers;
mod mails;
mod rotation;
mod shipped;
mod victim;
