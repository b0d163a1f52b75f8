//! The sign-in page.

use askama::Template;

/// The sign-in page; its form posts to `/sign-in`.
#[derive(Clone, Debug, Template)]
#[template(path = "sign-in.html")]
pub struct SignInPage {
    /// What was typed before, to be corrected.
    pub email: String,
    /// Why the last try failed, in words that tell nothing about which accounts exist.
    pub error: Option<String>,
    /// The token for the form.
    pub csrf: String,
    /// A path to return to afterwards; a path of ours, checked by the caller.
    pub next: Option<String>,
}
