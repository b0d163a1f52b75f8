//! axum: parse, authorize, call, render. One operation, one file.
#![forbid(unsafe_code)]
