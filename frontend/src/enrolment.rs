//! Enrolment tokens: making one, the line that installs an agent with it, and those that are there.

use askama::Template;
use jiff::Timestamp;
use uuid::Uuid;

use crate::settings::Tab;
use crate::{Clock, Nav, Shell, State};

/// A client with its sites, to choose from.
#[derive(Clone, Debug)]
pub struct Place {
    /// The client's id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Its sites.
    pub sites: Vec<(Uuid, String)>,
}

/// What somebody typed.
#[derive(Clone, Debug)]
pub struct TypedToken {
    /// `client`, or `client/site`.
    pub place: String,
    /// Whether it is for many hosts.
    pub many: bool,
    /// The host's name.
    pub host: String,
    /// How many.
    pub uses: String,
    /// How many days it lives.
    pub days: String,
    /// Tags, one a line.
    pub tags: String,
    /// Networks, one a line.
    pub networks: String,
    /// The profile.
    pub profile: String,
}

/// A token that was just made. It is shown this once.
#[derive(Clone, Debug)]
pub struct Made {
    /// The token.
    pub token: String,
    /// The line that installs an agent with it; none where the server gives no agent away.
    pub command: Option<String>,
    /// For what: "web-03 at Riverside School", "up to 20 hosts of Riverside School".
    pub whom: String,
    /// Whether its hosts wait for a person.
    pub waits: bool,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// How a token stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It can be used.
    Open,
    /// Every use is taken.
    UsedUp,
    /// Its time is over.
    Expired,
    /// A person ended it.
    Revoked(Timestamp),
}

/// A token that is there.
#[derive(Clone, Debug)]
pub struct TokenRow {
    /// Its id.
    pub id: Uuid,
    /// Its first characters; none: a file made it.
    pub begins: Option<String>,
    /// "web-03", "many hosts".
    pub whom: String,
    /// "Riverside School, Annexe".
    pub place: String,
    /// The networks it may be used from.
    pub networks: Vec<String>,
    /// How often it still can be used.
    pub left: u32,
    /// Of how many.
    pub of: u32,
    /// When it was made.
    pub made_at: Timestamp,
    /// By whom; none: by a file.
    pub made_by: Option<String>,
    /// When it ends.
    pub expires_at: Timestamp,
    /// How it stands.
    pub standing: Standing,
}

impl TokenRow {
    /// The state that shows it.
    pub fn state(&self) -> State {
        if self.standing == Standing::Open { State::Ok } else { State::Idle }
    }

    fn uses(&self) -> String {
        match (self.of, self.left) {
            (1, 1) => "not used yet".to_owned(),
            (1, _) => "used".to_owned(),
            (of, left) => format!("{left} of {of} uses left"),
        }
    }
}

/// The page `/settings/enrolment`.
#[derive(Clone, Debug, Template)]
#[template(path = "enrolment.html")]
pub struct EnrolmentPage {
    /// The shell.
    pub shell: Shell,
    /// The page's clock.
    pub clock: Clock,
    /// The page of the settings.
    pub tab: Tab,
    /// Where hosts can be.
    pub places: Vec<Place>,
    /// What stands in the form.
    pub typed: TypedToken,
    /// What was made just now.
    pub made: Option<Made>,
    /// The tokens of the last 30 days.
    pub rows: Vec<TokenRow>,
    /// The agent that this server gives away: its machine and its digest.
    pub agent: Option<(String, String)>,
    /// Why what was typed was not taken.
    pub wrong: Option<String>,
}

impl EnrolmentPage {
    fn is_place(&self, value: &str) -> bool {
        self.typed.place == value
    }

    fn profiles(&self) -> [(&'static str, &'static str); 3] {
        [
            ("low-risk", "Signed fixes of low risk, such as a restart"),
            ("all-signed", "Every signed fix, of any risk"),
            ("read-only", "No fix at all: it only looks"),
        ]
    }

    fn is_profile(&self, profile: &str) -> bool {
        self.typed.profile == profile
    }
}
