//! A private PostgreSQL cluster: find binaries, initdb, run, recover, stop.
#![forbid(unsafe_code)]
