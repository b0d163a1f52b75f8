//! The shell of every page after sign-in: navigation, who is signed in, the switch of theme, sign out.

use crate::settings::Tab;

/// Which part of the navigation a page belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nav {
    /// The board.
    Board,
    /// Incidents.
    Incidents,
    /// Fixes that wait for a yes.
    Approvals,
    /// Clients.
    Clients,
    /// Hosts.
    Hosts,
    /// The kill switch, what is stopped, and the limits.
    Guardrails,
    /// Changes that wait for a second person.
    Changes,
    /// One's own account, and what concerns the organization.
    Settings,
    /// The demo's own pages.
    Demo,
    /// None of them (error pages).
    Nowhere,
}

/// What the shell shows and what its forms need.
#[derive(Clone, Debug)]
pub struct Shell {
    /// The organization's (tenant's) name.
    pub organization: String,
    /// The member's name.
    pub member: String,
    /// The member's role in words: "Technician".
    pub role: String,
    /// The session's token for forms.
    pub csrf: String,
    /// The part this page belongs to.
    pub current: Nav,
    /// Open incidents that need a person.
    pub needs_you: u32,
    /// Changes that wait for this member's yes or no.
    pub to_confirm: u32,
    /// Fixes that wait for a yes.
    pub to_approve: u32,
    /// True while all actions are stopped.
    pub frozen: bool,
    /// The settings' pages for this member.
    pub settings: Vec<Tab>,
    /// True where the demo's pages are: then the navigation leads there.
    pub demo: bool,
}

impl Shell {
    /// Whether a link of the navigation leads to where we are.
    pub fn is(&self, nav: Nav) -> bool {
        self.current == nav
    }
}
