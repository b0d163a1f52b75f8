//! Every SQL statement, one home each; no decisions.
#![forbid(unsafe_code)]
