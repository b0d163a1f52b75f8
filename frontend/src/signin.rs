//! The pages of whoever is not signed in: sign-in and its second step, sign-up, a forgotten password, invitations. And the
//! one that asks a member to prove anew that it is them.

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
    /// Whether everybody may begin an organization here.
    pub may_sign_up: bool,
    /// Whether there can be passkeys here.
    pub passkeys: bool,
}

/// The second step: `/sign-in/second`.
#[derive(Clone, Debug, Template)]
#[template(path = "alone/second.html")]
pub struct SecondPage {
    /// Whether they have an app that shows codes.
    pub has_app: bool,
    /// Whether they have a passkey.
    pub has_passkey: bool,
    /// Why the last try failed.
    pub error: Option<String>,
}

/// `/sso/{organization}`: the same for each.
#[derive(Clone, Debug, Template)]
#[template(path = "alone/sign-on.html")]
pub struct SignOnPage {
    /// Where its button leads.
    pub leads_to: String,
}

/// `/sign-up`.
#[derive(Clone, Debug, Template)]
#[template(path = "alone/sign-up.html")]
pub struct SignUpPage {
    /// Whether everybody may.
    pub is_open: bool,
    /// As typed.
    pub organization: String,
    /// As typed.
    pub name: String,
    /// As typed.
    pub email: String,
    /// What is wrong with it.
    pub error: Option<String>,
}

/// `/reset`: asks for the mail.
#[derive(Clone, Debug, Template)]
#[template(path = "alone/reset.html")]
pub struct ResetPage {
    /// As typed.
    pub email: String,
    /// What is wrong with it.
    pub error: Option<String>,
}

/// A page that says one thing and leads on.
#[derive(Clone, Debug, Template)]
#[template(path = "alone/note.html")]
pub struct NotePage {
    /// The headline.
    pub title: String,
    /// What there is to know.
    pub lead: String,
    /// Where its button leads.
    pub leads_to: String,
    /// The button.
    pub button: String,
}

impl NotePage {
    /// A mail was sent, or would have been: nothing here says which.
    pub fn on_its_way() -> NotePage {
        NotePage {
            title: "Look into your mail".to_owned(),
            lead: "A mail is on its way, if that address can get one from us. Its link works once. Nothing came after a few minutes? Look among the unwanted mail, then try again.".to_owned(),
            leads_to: "/sign-in".to_owned(),
            button: "Back to sign-in".to_owned(),
        }
    }

    /// A link that cannot be followed.
    pub fn dead_link() -> NotePage {
        NotePage {
            title: "This link does not work any more".to_owned(),
            lead: "It was used, it is too old, or it was cut off on its way. Ask for a new one; nothing is lost."
                .to_owned(),
            leads_to: "/sign-in".to_owned(),
            button: "To sign-in".to_owned(),
        }
    }
}

/// A page that asks for a password: to end a sign-up, to set it anew, to accept an invitation.
#[derive(Clone, Debug, Template)]
#[template(path = "alone/password.html")]
pub struct PasswordPage {
    /// The headline.
    pub title: String,
    /// What follows from it.
    pub lead: String,
    /// Where the form goes.
    pub action: String,
    /// For the browser's memory of passwords.
    pub email: Option<String>,
    /// The person's name, where it is asked for.
    pub name: Option<String>,
    /// Whether the password is one they have; else a new one.
    pub is_known: bool,
    /// What is wrong with what was typed.
    pub error: Option<String>,
    /// The button.
    pub button: &'static str,
}

/// A page that asks for one click, because a mail program may have followed the link by itself.
#[derive(Clone, Debug, Template)]
#[template(path = "alone/confirm.html")]
pub struct ConfirmPage {
    /// The headline.
    pub title: String,
    /// What follows.
    pub lead: String,
    /// Where the form goes.
    pub action: String,
    /// The button.
    pub button: &'static str,
}

/// `/confirm`: a member proves anew that it is them.
#[derive(Clone, Debug, Template)]
#[template(path = "alone/prove.html")]
pub struct ProvePage {
    /// The session's token.
    pub csrf: String,
    /// Where to go on, a path of ours.
    pub next: Option<String>,
    /// For the browser's memory of passwords.
    pub email: String,
    /// Where their organization's provider asks them anew, if it says who they are.
    pub by_sign_on: Option<String>,
    /// Whether a code is asked for too.
    pub with_code: bool,
    /// Whether they have an app that shows codes.
    pub has_app: bool,
    /// Whether they have a passkey.
    pub has_passkey: bool,
    /// Why the last try failed.
    pub error: Option<String>,
}
