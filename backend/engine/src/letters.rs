//! Letters to people about their accounts: takes those that are due, mints each one's link, sends it, tries again.
//!
//! They are no tenant's, so this is a loop of its own and no stage. A link exists from the moment its letter is sent, and
//! here alone in clear text.

use std::sync::Arc;
use std::time::Duration;

use domain::access::Role;
use domain::notify::try_again_at;
use keys::token::{self, Token};
use mail::{Envelope, Mailer, SendError};
use store::people::letters::{self, Due, End, Kind};
use store::{Queue, Store};
use tokio_util::sync::CancellationToken;
use views::mail::{Account, AccountMail};

/// Letters at a time: as many as the relay gets connections.
const BATCH: i64 = 4;

/// Mints a token of a kind; where randomness comes from is the caller's to say.
pub type Mint = Arc<dyn Fn(token::Kind) -> Token + Send + Sync>;

/// The loop's work.
#[derive(Clone)]
pub struct Letters {
    /// Where mail goes.
    pub mailer: Arc<Mailer>,
    /// Whom it comes from, with or without a name.
    pub sender: String,
    /// How people reach the pages, without a slash at its end.
    pub public_url: String,
    /// Mints the links.
    pub mint: Mint,
}

impl Letters {
    /// Sends until cancelled.
    pub async fn run(self, store: Store, cancel: CancellationToken) {
        let woken = store.wake().subscribe(Queue::Letters);
        loop {
            match self.pass(&store).await {
                Ok(0) => {}
                Ok(_) => continue,
                Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "letters could not be sent"),
            }
            tokio::select! {
                () = cancel.cancelled() => return,
                () = store.wake().idle(&woken, None) => {}
            }
        }
    }

    /// Sends what is due. Says how many there were.
    ///
    /// # Errors
    /// The rows cannot be reached.
    pub async fn pass(&self, store: &Store) -> store::Result<usize> {
        let lease = self.mailer.longest() + Duration::from_secs(30);
        let due = letters::claim_due(store, BATCH, lease).await?;
        let sent = futures_util::future::join_all(due.iter().map(|letter| self.send(store, letter))).await;
        sent.into_iter().collect::<store::Result<Vec<()>>>()?;
        Ok(due.len())
    }

    async fn send(&self, store: &Store, letter: &Due) -> store::Result<()> {
        let (path, lasts) = match (token_of(letter.kind), letter.kind.link_lasts()) {
            (Some((kind, path)), Some(lasts)) => {
                let token = (self.mint)(kind);
                letters::insert_link(store, letter, &token.hash(), lasts).await?;
                (format!("{path}/{}", token.reveal()), Some(lasts))
            }
            _ if letter.facts["what"] == "deletion asked" => match letter.facts["client_id"].as_str() {
                Some(client_id) => (format!("/clients/{client_id}/edit"), None),
                None => ("/settings/data".to_owned(), None),
            },
            _ if letter.facts["what"] == "address asked" => ("/reset".to_owned(), None),
            _ if letter.facts["what"] == "token made" => ("/settings/tokens".to_owned(), None),
            _ if letter.facts["what"] == "relay refuses" => ("/settings/mail".to_owned(), None),
            _ if letter.facts["what"] == "audit late" => ("/settings/audit".to_owned(), None),
            _ if letter.kind == Kind::AuditHead => ("/settings/audit".to_owned(), None),
            _ => ("/sign-in".to_owned(), None),
        };
        let rendered = AccountMail { says: says(letter), link: format!("{}{path}", self.public_url), lasts }.render();
        let domain =
            self.sender.rsplit_once('@').map_or("mendwright.invalid", |(_, domain)| domain.trim_end_matches('>'));
        // Each try has a link of its own, so it is a mail of its own.
        let envelope = Envelope {
            message_id: format!("<letter.{}.{}@{domain}>", letter.letter_id.simple(), letter.attempts),
            from: self.sender.clone(),
            to: letter.address.clone(),
            subject: rendered.subject,
            html: rendered.html,
            text: rendered.text,
        };
        match self.mailer.send(&envelope).await {
            Ok(_) => letters::mark_tried(store, letter, End::Sent).await,
            Err(SendError::Permanent { reason }) => {
                tracing::warn!(letter = %letter.letter_id, reason, "a letter was refused");
                letters::mark_tried(store, letter, End::Failed(&reason)).await
            }
            Err(SendError::Transient { reason } | SendError::InDoubt { reason }) => {
                let now = store.system().await?.now().await?;
                match try_again_at(letter.created_at, now, letter.attempts + 1) {
                    Some(at) => {
                        tracing::warn!(letter = %letter.letter_id, reason, "a letter was not taken and is tried again");
                        letters::mark_tried(store, letter, End::Later(at, &reason)).await
                    }
                    None => letters::mark_tried(store, letter, End::Failed(&reason)).await,
                }
            }
        }
    }
}

/// The kind of a letter's link, and the page that takes it.
fn token_of(kind: Kind) -> Option<(token::Kind, &'static str)> {
    match kind {
        Kind::SignUp => Some((token::Kind::Setup, "/sign-up")),
        Kind::Invitation => Some((token::Kind::Invite, "/invitation")),
        Kind::Reset => Some((token::Kind::Reset, "/reset")),
        Kind::ConfirmAddress => Some((token::Kind::Confirm, "/confirm-address")),
        Kind::HasAccount | Kind::AccountChanged | Kind::AuditHead => None,
    }
}

fn says(letter: &Due) -> Account {
    let fact = |name: &str| letter.facts[name].as_str().unwrap_or_default().to_owned();
    let client = letter.facts["client"].as_str().map(str::to_owned);
    match letter.kind {
        Kind::SignUp => Account::SignUp { organization: fact("organization") },
        Kind::HasAccount => Account::HasAccount,
        Kind::Invitation => Account::Invitation {
            organization: fact("organization"),
            by: fact("by"),
            role: Role::parse(&fact("role")).map_or("Member", Role::label).to_owned(),
        },
        Kind::Reset => Account::Reset,
        Kind::ConfirmAddress => Account::ConfirmAddress,
        Kind::AuditHead => {
            let (organization, head) = (fact("organization"), fact("head"));
            Account::AuditHead { organization, head, key: fact("key"), signed: fact("signed") }
        }
        Kind::AccountChanged => match fact("what").as_str() {
            "address asked" => Account::AddressAsked { to: fact("to") },
            "address" => Account::AddressChanged { to: fact("to") },
            "token made" => Account::TokenMade {
                organization: fact("organization"),
                name: fact("name"),
                scopes: fact("scopes"),
                until: fact("until"),
                service: letter.facts["service"].as_str().map(str::to_owned),
            },
            "deletion asked" => {
                Account::DeletionAsked { organization: fact("organization"), client, by: fact("by"), at: fact("at") }
            }
            "deletion called off" => {
                Account::DeletionCalledOff { organization: fact("organization"), client, by: fact("by") }
            }
            "deletion begun" => Account::DeletionBegun { organization: fact("organization"), client },
            "relay refuses" => {
                Account::RelayRefuses { organization: fact("organization"), host: fact("host"), why: fact("why") }
            }
            "audit late" => Account::AuditLate { organization: fact("organization"), entries: fact("entries") },
            "second factor on" => Account::SecondFactor { is_on: true },
            "second factor off" => Account::SecondFactor { is_on: false },
            "recovery codes" => Account::RecoveryCodes,
            "passkey added" => Account::Passkey { name: fact("name"), is_added: true },
            "passkey removed" => Account::Passkey { name: fact("name"), is_added: false },
            _ => Account::PasswordChanged,
        },
    }
}
