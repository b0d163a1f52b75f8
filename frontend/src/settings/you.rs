//! One's own account: name, password, second factor, sessions.

use askama::Template;
use jiff::Timestamp;
use uuid::Uuid;

use super::Tab;
use crate::{Clock, Nav, Shell};

/// A session of the reader's.
#[derive(Clone, Debug)]
pub struct SessionRow {
    /// What ends it; no secret.
    pub id: String,
    /// The browser: "Firefox on Linux".
    pub browser: String,
    /// The address it was begun from.
    pub address: String,
    /// When it began.
    pub began_at: Timestamp,
    /// When it was used last.
    pub seen_at: Timestamp,
    /// Whether the page is read with it.
    pub is_this: bool,
}

/// A passkey of the reader's.
#[derive(Clone, Debug)]
pub struct PasskeyRow {
    /// Its id.
    pub id: Uuid,
    /// What the reader calls it.
    pub name: String,
    /// When it was added.
    pub added_at: Timestamp,
    /// When it was used last.
    pub used_at: Option<Timestamp>,
}

/// The reader's passkeys.
#[derive(Clone, Debug)]
pub struct Passkeys {
    /// Each of them.
    pub rows: Vec<PasskeyRow>,
    /// Whether there can be passkeys here.
    pub are_possible: bool,
}

/// How the codes of the reader's app stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Second {
    /// There is none.
    Off {
        /// Whether the organization asks for one.
        is_asked_for: bool,
    },
    /// It counts.
    On {
        /// Since when.
        since_at: Timestamp,
    },
}

/// An organization where the reader has a seat.
#[derive(Clone, Debug)]
pub struct Organization {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Whether the session is in it.
    pub is_this: bool,
}

/// `/settings`.
#[derive(Clone, Debug, Template)]
#[template(path = "settings/you.html")]
pub struct YouPage {
    /// The shell.
    pub shell: Shell,
    /// The page's clock.
    pub clock: Clock,
    /// The page.
    pub tab: Tab,
    /// The reader's address.
    pub email: String,
    /// Whether the organization's provider says who the reader is: then nothing of the account is shown.
    pub by_sign_on: bool,
    /// The codes of an app.
    pub second: Second,
    /// Recovery codes that are left; none: there is no second factor that they could stand in for.
    pub codes_left: Option<u32>,
    /// The passkeys.
    pub passkeys: Passkeys,
    /// The reader's sessions, this one among them.
    pub sessions: Vec<SessionRow>,
    /// The organizations the reader has a seat in.
    pub organizations: Vec<Organization>,
    /// What was just done.
    pub done: Option<&'static str>,
    /// What was wrong with what was typed.
    pub error: Option<String>,
}

/// `/settings/second-factor`: the secret, and the code that proves that the app has it.
#[derive(Clone, Debug, Template)]
#[template(path = "settings/second-factor.html")]
pub struct SecondFactorPage {
    /// The shell.
    pub shell: Shell,
    /// The page.
    pub tab: Tab,
    /// Modules of the QR code along one side.
    pub side: usize,
    /// The QR code's dark modules, as the `d` of a path.
    pub path: String,
    /// The link that the QR code holds, for a phone.
    pub link: String,
    /// The secret, to be typed by hand.
    pub spelled: String,
    /// Whether the organization asks for it.
    pub is_asked_for: bool,
    /// Whether there can be passkeys here.
    pub passkeys: bool,
    /// What was wrong with the code.
    pub error: Option<String>,
}

/// The recovery codes, shown once.
#[derive(Clone, Debug, Template)]
#[template(path = "settings/codes.html")]
pub struct CodesPage {
    /// The shell.
    pub shell: Shell,
    /// The page.
    pub tab: Tab,
    /// The codes.
    pub codes: Vec<String>,
}
