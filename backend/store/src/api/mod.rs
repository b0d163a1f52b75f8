//! What the API lists beside what the pages list: each by a place in the order of one index.

pub mod clients;
pub mod contacts;
pub mod enrolment_tokens;
pub mod hosts;
pub mod runs;
pub mod sites;
