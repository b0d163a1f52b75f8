//! Pages that say that something is not there or went wrong, with the request's id and never a source.

use askama::Template;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 400: the form could not be read.
    BadRequest,
    /// 403: a role that may not, or a form from elsewhere or too old.
    Forbidden,
    /// 404: unknown, or of somebody else; the same page for both.
    NotFound,
    /// 409: it has changed meanwhile.
    Conflict,
    /// 413: more was sent than is taken.
    TooLarge,
    /// 428: what they want is asked of somebody who has just proven that it is them.
    Stale,
    /// 429: too often.
    TooMany,
    /// 500: our mistake.
    Broken,
    /// 503: too busy just now.
    Busy,
}

/// A page for an error.
#[derive(Clone, Debug, Template)]
#[template(path = "error.html")]
pub struct ErrorPage {
    /// What happened.
    pub kind: Kind,
    /// The request's id, to find it in the log.
    pub request_id: String,
    /// The page to go on with, if it was a form of that page.
    pub back: Option<String>,
}

impl Kind {
    /// The status of the answer.
    pub fn status(&self) -> u16 {
        match self {
            Kind::BadRequest => 400,
            Kind::Forbidden => 403,
            Kind::NotFound => 404,
            Kind::Conflict => 409,
            Kind::TooLarge => 413,
            Kind::Stale => 428,
            Kind::TooMany => 429,
            Kind::Broken => 500,
            Kind::Busy => 503,
        }
    }

    /// The headline.
    pub fn title(&self) -> &'static str {
        match self {
            Kind::BadRequest => "That could not be read",
            Kind::Forbidden => "That is not allowed",
            Kind::NotFound => "Nothing here",
            Kind::Conflict => "It has changed meanwhile",
            Kind::TooLarge => "That is too much at once",
            Kind::Stale => "Confirm that it is you",
            Kind::TooMany => "Too often just now",
            Kind::Broken => "Something broke on our side",
            Kind::Busy => "Too busy just now",
        }
    }

    /// What it means and what to do.
    pub fn advice(&self) -> &'static str {
        match self {
            Kind::BadRequest => "A part of the form was missing or not of the expected kind. Go back and try again.",
            Kind::Forbidden => {
                "Your role does not allow it, or the form came from another page or an older session. Open the page again and repeat."
            }
            Kind::NotFound => "There is no such page, or it is not yours to see.",
            Kind::Conflict => {
                "Somebody or something was faster. Nothing was done by this click; look at the page as it is now."
            }
            Kind::TooLarge => "Send less in one go.",
            Kind::Stale => {
                "This changes who may do what, so it is asked of somebody who has just signed in. Nothing was done yet; confirm, then do it once more."
            }
            Kind::TooMany => "Wait a minute, then try again.",
            Kind::Broken => {
                "Nothing you did was wrong. The work of healing goes on without this page; try again, and if it stays, give the id below to whoever runs Mendwright."
            }
            Kind::Busy => "The work of healing goes on. This page can be had again in a few seconds.",
        }
    }
}
