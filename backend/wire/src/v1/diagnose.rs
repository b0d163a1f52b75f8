//! How a host looks when a person is called.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Asks how the host looks. Read-only: no program is run for it, and the host's profile does not matter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnose {
    /// The server's name for the question.
    pub request_id: Uuid,
    /// What the check looks at that a person is called about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

/// How the host looks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnosed {
    /// Of the question.
    pub request_id: Uuid,
    /// What was found, most telling first; at most [`MAX_SECTIONS`].
    pub sections: Vec<Section>,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Section {
    /// What.
    pub title: String,
    /// What was found, as it is shown; at most [`MAX_SECTION_LINES`].
    pub lines: Vec<String>,
}

/// The most sections of a [`Diagnosed`].
pub const MAX_SECTIONS: usize = 16;

/// The most lines of a [`Section`].
pub const MAX_SECTION_LINES: usize = 40;
