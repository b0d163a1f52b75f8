//! SMTP by lettre: pool, time limits, fixed Message-ID.
#![forbid(unsafe_code)]
