//! What programs may ask for: the API's documentation as a page of ours.

use askama::Template;

/// One field of a request or an answer.
#[derive(Clone, Debug)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// `path`, `query`, `header`, `body` or `answer`.
    pub place: String,
    /// What may stand there.
    pub kind: String,
    /// Whether it must be there.
    pub is_needed: bool,
    /// What it means.
    pub about: String,
}

/// One thing that can be asked for.
#[derive(Clone, Debug)]
pub struct Operation {
    /// `GET` or `POST`.
    pub method: String,
    /// Where.
    pub path: String,
    /// What it does.
    pub about: String,
    /// The scope that a token needs.
    pub scope: String,
    /// What is said.
    pub fields: Vec<Field>,
    /// What is answered, in words.
    pub answer: String,
    /// The answer's fields.
    pub answered: Vec<Field>,
}

/// Operations on one kind of thing.
#[derive(Clone, Debug)]
pub struct Area {
    /// Its name.
    pub name: String,
    /// What can be asked for.
    pub operations: Vec<Operation>,
}

impl Area {
    fn anchor(&self) -> String {
        self.name.to_lowercase().replace(' ', "-")
    }
}

/// `/api/docs`.
#[derive(Clone, Debug, Template)]
#[template(path = "api.html")]
pub struct ApiPage {
    /// What there is, by area.
    pub areas: Vec<Area>,
}

impl ApiPage {
    fn problems(&self) -> [(&'static str, &'static str, &'static str); 11] {
        [
            ("bad-request", "400", "The body is no JSON."),
            (
                "unauthorized",
                "401",
                "There is no such token, it was revoked or has ended, or it may not be used from this network.",
            ),
            ("forbidden", "403", "The token’s scopes, or the role that its maker has now, do not allow it."),
            ("not-found", "404", "There is no such thing, or it is somebody else’s: nobody can tell which."),
            ("method", "405", "The path is known, this method is not."),
            ("conflict", "409", "It changed meanwhile. Look at it again."),
            ("too-large", "413", "The body is longer than 64 KiB."),
            ("media-type", "415", "The body is not application/json."),
            ("invalid", "422", "A field or parameter cannot be read or used; “field” names it."),
            ("too-many", "429", "Too many requests in a short time. “Retry-After” says when to come again."),
            ("busy", "503", "The server has too much to do. “Retry-After” says when to come again."),
        ]
    }
}
