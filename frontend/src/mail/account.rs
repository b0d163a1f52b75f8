//! Mails to one person about their own account.

use std::time::Duration;

use super::{Rendered, letter::Letter};
use crate::{State, took};

/// What a mail about an account says.
#[derive(Clone, Debug)]
pub enum Account {
    /// Their address is proven by following the link; then the organization is made.
    SignUp {
        /// The organization they asked for.
        organization: String,
    },
    /// Somebody signed up with an address that has an account.
    HasAccount,
    /// They are asked to join.
    Invitation {
        /// The organization.
        organization: String,
        /// Who asks.
        by: String,
        /// As what: "Technician".
        role: String,
    },
    /// They may set a new password.
    Reset,
    /// A new address is proven by following the link.
    ConfirmAddress,
    /// The password was set anew.
    PasswordChanged,
    /// The address is to be another.
    AddressAsked {
        /// Which.
        to: String,
    },
    /// The address is another now.
    AddressChanged {
        /// Which.
        to: String,
    },
    /// How the audit's chain ends today.
    AuditHead {
        /// The organization.
        organization: String,
        /// Number and hash of the last entry.
        head: String,
        /// Whose signature it carries.
        key: String,
        /// The head with its signature, as `mendwright audit verify --head` reads it.
        signed: String,
    },
    /// Entries of the audit stand in no chain although they should.
    AuditLate {
        /// The organization.
        organization: String,
        /// How many.
        entries: String,
    },
    /// An organization of theirs will be deleted, or a client of it.
    DeletionAsked {
        /// The organization.
        organization: String,
        /// The client; none: all of it.
        client: Option<String>,
        /// Who asked for it.
        by: String,
        /// When it begins, in UTC.
        at: String,
    },
    /// It will not.
    DeletionCalledOff {
        /// The organization.
        organization: String,
        /// The client; none: all of it.
        client: Option<String>,
        /// Who called it off.
        by: String,
    },
    /// It is being deleted.
    DeletionBegun {
        /// The organization.
        organization: String,
        /// The client; none: all of it.
        client: Option<String>,
    },
    /// A token of the API was made with their account.
    TokenMade {
        /// The organization.
        organization: String,
        /// What people call it.
        name: String,
        /// The words of its scopes.
        scopes: String,
        /// When it ends, in UTC.
        until: String,
        /// The service account that it is of; none: it is their own.
        service: Option<String>,
    },
    /// The organization's own mail relay does not take its mails.
    RelayRefuses {
        /// The organization.
        organization: String,
        /// The relay.
        host: String,
        /// What it said.
        why: String,
    },
    /// Codes of an app count from now on, or no more.
    SecondFactor {
        /// Whether they count.
        is_on: bool,
    },
    /// The recovery codes are new ones, and the old ones count no more.
    RecoveryCodes,
    /// A passkey signs in from now on, or no more.
    Passkey {
        /// What its owner calls it.
        name: String,
        /// Whether it was added.
        is_added: bool,
    },
}

/// What is deleted, in words.
fn deleted(organization: &str, client: &Option<String>) -> String {
    match client {
        Some(client) => format!("{client} of {organization}"),
        None => organization.to_owned(),
    }
}

/// A mail about an account.
#[derive(Clone, Debug)]
pub struct AccountMail {
    /// What it says.
    pub says: Account,
    /// Where its button leads, absolute.
    pub link: String,
    /// How long the link can be followed, where it ends.
    pub lasts: Option<Duration>,
}

impl AccountMail {
    /// Subject, HTML and text.
    pub fn render(&self) -> Rendered {
        let (status, subject, lead, button): (&str, String, String, &'static str) = match &self.says {
            Account::SignUp { organization } => (
                "One step left",
                format!("Confirm your address to begin {organization}"),
                format!("Choose a password, and {organization} is yours. Nothing is made before."),
                "Choose a password",
            ),
            Account::HasAccount => (
                "You have an account",
                "You have a Mendwright account already".to_owned(),
                "Somebody, perhaps you, wanted to sign up with this address. It has an account: sign in with it, or set a \
                 new password there if you forgot it."
                    .to_owned(),
                "Sign in",
            ),
            Account::Invitation { organization, by, role } => (
                "Invitation",
                format!("{by} invites you to {organization}"),
                format!("You would join {organization} as {}. Accept, and you see what it sees.", with_article(role)),
                "Look at the invitation",
            ),
            Account::AuditHead { organization, .. } => (
                "For your records",
                format!("How the audit of {organization} ends today"),
                "Keep this mail: with it anybody can tell later whether an entry from before was edited or left out \
                 (mendwright audit verify --head … --key …). There is nothing to do."
                    .to_owned(),
                "To the audit",
            ),
            Account::AuditLate { organization, entries } => (
                "Needs you",
                format!("Entries of the audit of {organization} are not linked"),
                format!(
                    "Not linked a minute after they were written: {entries}. They are there, but until they are linked nothing shows whether \
                     somebody edits them. Tell whoever operates the server; its log says so too. You are told once a day while it lasts."
                ),
                "To the audit",
            ),
            Account::Reset => (
                "New password",
                "Set a new password".to_owned(),
                "Somebody, perhaps you, asked for a new password. It changes when you set one, and not before.".to_owned(),
                "Set a new password",
            ),
            Account::ConfirmAddress => (
                "New address",
                "Confirm your new address".to_owned(),
                "From then on you sign in with this address.".to_owned(),
                "Confirm this address",
            ),
            Account::PasswordChanged => (
                "For your information",
                "Your password was changed".to_owned(),
                "Everybody who was signed in with the old one was signed out, and your API tokens ended, in every organization of \
                 yours. If it was not you, set a new one now."
                    .to_owned(),
                "Sign in",
            ),
            Account::TokenMade { organization, service, .. } => (
                "Needs you, if it was not you",
                "An API token was made in your name".to_owned(),
                match service {
                    None => format!(
                        "It acts in {organization} as you, within what you may there. If it was not you, set a new password now: that ends \
                         it and your other tokens."
                    ),
                    Some(service) => format!(
                        "It is of the service account {service} of {organization}, so it goes on when you leave or set a new password. If it \
                         was not you, revoke it and set a new password now."
                    ),
                },
                "To the tokens",
            ),
            Account::AddressAsked { to } => (
                "Needs you, if it was not you",
                "Your address is to be changed".to_owned(),
                format!("When the link that we sent to {to} is followed, within the hour, that address signs in instead of this one. If it was not you, set a new password now: that ends it."),
                "Set a new password",
            ),
            Account::AddressChanged { to } => (
                "For your information",
                "Your address was changed".to_owned(),
                format!("From now on {to} signs in. If it was not you, tell an owner of your organization now."),
                "Sign in",
            ),
            Account::DeletionAsked { organization, client, by, at } => (
                "Needs you, if it was not meant",
                format!("{} will be deleted on {at}", deleted(organization, client)),
                format!(
                    "{by} asked for it. Until then {}, and every owner can call it off. After it nothing brings it back.",
                    if client.is_some() { "it stays archived" } else { "everything goes on" }
                ),
                "Call it off",
            ),
            Account::DeletionCalledOff { organization, client, by } => (
                "For your information",
                format!("{} will not be deleted", deleted(organization, client)),
                format!("{by} called it off. {}.", if client.is_some() { "It stays archived" } else { "Everything goes on" }),
                "Sign in",
            ),
            Account::DeletionBegun { organization, client } => (
                "For your information",
                format!("{} is being deleted", deleted(organization, client)),
                if client.is_some() {
                    "The keys of its hosts open nothing any more. Its rows go now, within the day; the audit stays.".to_owned()
                } else {
                    "Nothing acts on its hosts any more, and nobody can sign in to it. Its rows go now, within the day; the audit is kept for 400 days.".to_owned()
                },
                "Sign in",
            ),
            Account::RelayRefuses { organization, host, .. } => (
                "Needs you",
                format!("The mail relay of {organization} does not take its mails"),
                format!("Until {host} takes them again they go by the server’s own relay, from its own address. None is lost."),
                "To the mail settings",
            ),
            Account::SecondFactor { is_on } => {
                let word = if *is_on { "on" } else { "off" };
                (
                    "For your information",
                    format!("Your second factor is {word}"),
                    if *is_on {
                        "Signing in asks for a code of your app from now on. If it is your first second factor, the API tokens that you had ended."
                            .to_owned()
                    } else {
                        "Signing in asks for no code of an app from now on. If it was not you, set a new password now.".to_owned()
                    },
                    "Sign in",
                )
            }
            Account::RecoveryCodes => (
                "For your information",
                "Your recovery codes are new".to_owned(),
                "The old ones count no more. If it was not you, set a new password now, and then new codes.".to_owned(),
                "Sign in",
            ),
            Account::Passkey { name, is_added } => (
                "For your information",
                format!("A passkey was {}", if *is_added { "added" } else { "removed" }),
                if *is_added {
                    format!(
                        "“{name}” signs you in from now on. If it is your first second factor, the API tokens that you had ended. If it was \
                         not you, remove it and set a new password now."
                    )
                } else {
                    format!("“{name}” signs in no more. If it was not you, set a new password now.")
                },
                "Sign in",
            ),
        };
        let rows = match &self.says {
            Account::AuditHead { head, key, signed, .. } => Letter::rows([
                ("Last entry", vec![head.clone()]),
                ("Signed by", vec![key.clone()]),
                ("For --head", vec![signed.clone()]),
            ]),
            Account::RelayRefuses { why, .. } => Letter::rows([("It said", vec![why.clone()])]),
            Account::TokenMade { name, scopes, until, .. } => Letter::rows([
                ("Called", vec![name.clone()]),
                ("It may", vec![scopes.clone()]),
                ("It ends", vec![until.clone()]),
            ]),
            _ => Vec::new(),
        };
        let small_print = match self.lasts {
            Some(lasts) => format!(
                "The link works once, for {} from when this was sent. If you did not ask for it, do nothing: nothing happens.",
                took(lasts)
            ),
            None if matches!(self.says, Account::AuditHead { .. }) => {
                "You get this once a day with activity because you own the organization.".to_owned()
            }
            None if matches!(
                self.says,
                Account::DeletionAsked { .. }
                    | Account::DeletionCalledOff { .. }
                    | Account::DeletionBegun { .. }
                    | Account::RelayRefuses { .. }
                    | Account::AuditLate { .. }
            ) =>
            {
                "You get this because you own the organization.".to_owned()
            }
            None => "You get this because it is about your own account.".to_owned(),
        };
        Letter {
            title: subject.clone(),
            subject,
            state: State::Idle,
            status: status.to_owned(),
            lead,
            rows,
            button,
            link: self.link.clone(),
            small_print,
        }
        .render()
    }
}

fn with_article(role: &str) -> String {
    let role = role.to_lowercase();
    let article = if role.starts_with(['a', 'o']) { "an" } else { "a" };
    format!("{article} {role}")
}
