//! Pages and mails: askama structs and templates, static assets.
#![forbid(unsafe_code)]
