//! Mails to be sent.
