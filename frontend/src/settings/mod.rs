//! The pages under *Settings*: one's own account, and what concerns the organization.

mod audit;
mod calls;
mod checks;
mod data;
mod limits;
mod mail;
mod organization;
mod people;
mod secrets;
mod sign_on;
mod support;
mod tokens;
mod usage;
mod you;

use domain::access::{Act, Role};

pub use audit::{AuditFilter, AuditPage, AuditRow};
pub use calls::{CallRow, CallsPage};
pub use checks::{CheckUsed, ChecksPage};
pub use data::{DataPage, Deleting};
pub use limits::{LimitGroup, LimitRow, LimitsPage};
pub use mail::{MailPage, RelaySet, RelayTyped};
pub use organization::OrganizationPage;
pub use people::{ClientChoice, Invited, MemberRow, PeoplePage, ServiceRow};
pub use secrets::{SecretRow, SecretTyped, SecretsPage};
pub use sign_on::{SignOnSet, SignOnSettingsPage};
pub use support::{SupportGrant, SupportPage};
pub use tokens::{ScopeChoice, ServiceChoice, TokenRow, TokensPage, Typed};
pub use usage::{Quota, UsageMonth, UsagePage, usage_csv};
pub use you::{CodesPage, Organization, PasskeyRow, Passkeys, Second, SecondFactorPage, SessionRow, YouPage};

/// A page of the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tab {
    /// One's own name, password, second factor and sessions.
    You,
    /// The members and who is invited.
    People,
    /// Enrolment tokens.
    Enrolment,
    /// Tokens of the API.
    Tokens,
    /// The limits on acting.
    Limits,
    /// The organization's own name and time zone.
    Organization,
    /// What is looked at.
    Checks,
    /// Who is called.
    Calls,
    /// The organization's own mail relay.
    Mail,
    /// Keys and passwords that are used by their name.
    Secrets,
    /// The organization's own provider.
    SignOn,
    /// When the platform's staff may look.
    Support,
    /// Who did what.
    Audit,
    /// What the plan has room for, and what is used.
    Usage,
    /// Taking everything along, and deleting it.
    Data,
}

impl Tab {
    /// All, in the order they are shown.
    pub const ALL: [Tab; 15] = [
        Tab::You,
        Tab::Organization,
        Tab::People,
        Tab::Enrolment,
        Tab::Tokens,
        Tab::Limits,
        Tab::Checks,
        Tab::Calls,
        Tab::Mail,
        Tab::Secrets,
        Tab::SignOn,
        Tab::Support,
        Tab::Audit,
        Tab::Usage,
        Tab::Data,
    ];

    /// Where it is.
    pub fn path(self) -> &'static str {
        match self {
            Tab::You => "/settings",
            Tab::People => "/settings/people",
            Tab::Enrolment => "/settings/enrolment",
            Tab::Tokens => "/settings/tokens",
            Tab::Limits => "/settings/limits",
            Tab::Organization => "/settings/organization",
            Tab::Checks => "/settings/checks",
            Tab::Calls => "/settings/calls",
            Tab::Mail => "/settings/mail",
            Tab::Secrets => "/settings/secrets",
            Tab::SignOn => "/settings/sign-on",
            Tab::Support => "/settings/support",
            Tab::Audit => "/settings/audit",
            Tab::Usage => "/settings/usage",
            Tab::Data => "/settings/data",
        }
    }

    /// What it is called.
    pub fn label(self) -> &'static str {
        match self {
            Tab::You => "You",
            Tab::People => "People",
            Tab::Enrolment => "Enrolment",
            Tab::Tokens => "API tokens",
            Tab::Limits => "Limits",
            Tab::Organization => "Organization",
            Tab::Checks => "Checks",
            Tab::Calls => "Calls",
            Tab::Mail => "Mail",
            Tab::Secrets => "Secrets",
            Tab::SignOn => "Sign-on",
            Tab::Support => "Support",
            Tab::Audit => "Audit",
            Tab::Usage => "Usage",
            Tab::Data => "Data",
        }
    }

    /// What a member must be allowed to do to be shown it; nothing: everybody has it.
    pub fn act(self) -> Option<Act> {
        match self {
            Tab::You => None,
            Tab::People => Some(Act::ManagePeople),
            Tab::Enrolment => Some(Act::EnrolHosts),
            Tab::Tokens => Some(Act::MakeTokens),
            Tab::Checks => Some(Act::ManageClients),
            Tab::Audit => Some(Act::ReadAudit),
            Tab::Limits | Tab::Calls | Tab::Mail | Tab::Secrets | Tab::Usage => Some(Act::ManageOrganization),
            Tab::Organization | Tab::Data | Tab::SignOn | Tab::Support => Some(Act::OwnOrganization),
        }
    }

    /// The pages for a member of `role`; most concern the whole organization, which is kept from a member of `some` clients.
    pub fn of(role: Role, sees: Sees) -> Vec<Tab> {
        let may = |tab: &Tab| match tab.act() {
            None => true,
            // Of the clients that the member sees, and their own.
            Some(act @ (Act::EnrolHosts | Act::MakeTokens)) => role.may(act),
            Some(act) => sees == Sees::All && role.may(act),
        };
        Tab::ALL.into_iter().filter(may).collect()
    }
}

/// Whose rows a member may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sees {
    /// Every client's.
    All,
    /// Some clients' only.
    Some,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_manages_nothing_or_sees_some_clients_only_has_their_own_page_alone() {
        assert_eq!(Tab::of(Role::Owner, Sees::All), Tab::ALL);
        assert_eq!(Tab::of(Role::Owner, Sees::Some), [Tab::You, Tab::Enrolment, Tab::Tokens]);
        assert_eq!(Tab::of(Role::Technician, Sees::Some), [Tab::You, Tab::Enrolment, Tab::Tokens]);
        assert_eq!(Tab::of(Role::Viewer, Sees::All), [Tab::You]);
    }
}
