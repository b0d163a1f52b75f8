//! The dialogue with a relay, step by step, because at which step it broke decides what may be done next.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lettre::Message;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::relay::Protection;
use crate::{Relay, SendError, Sent};

/// How long a relay may take, and how many connections we hold.
#[derive(Debug, Clone)]
pub struct Limits {
    /// For connection, TLS, greeting and signing in together.
    pub connect: Duration,
    /// For the answer to one command.
    pub command: Duration,
    /// For the message and the answer to its end: relays scan before they answer.
    pub message: Duration,
    /// Connections at once.
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(20),
            command: Duration::from_secs(30),
            message: Duration::from_secs(120),
            connections: 4,
        }
    }
}

impl Limits {
    /// The longest that one mail to one receiver can take: every waiting connection asked in vain, a new one, three
    /// commands, the message.
    pub fn longest(&self) -> Duration {
        let commands = u32::try_from(self.connections).unwrap_or(u32::MAX).saturating_add(3);
        self.command.saturating_mul(commands).saturating_add(self.connect).saturating_add(self.message)
    }
}

/// A relay with a pool of open connections.
pub struct Smtp {
    relay: Box<Relay>,
    limits: Limits,
    slots: Semaphore,
    idle: Mutex<Vec<AsyncSmtpConnection>>,
}

impl std::fmt::Debug for Smtp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Smtp").field("relay", &self.relay).field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl Smtp {
    /// Opens nothing yet.
    pub fn new(relay: Relay, limits: Limits) -> Self {
        Self { slots: Semaphore::new(limits.connections), relay: Box::new(relay), limits, idle: Mutex::new(Vec::new()) }
    }

    pub(crate) fn longest(&self) -> Duration {
        self.limits.longest()
    }

    pub(crate) async fn send(&self, message: &Message) -> Result<Sent, SendError> {
        let _slot = self.slots.acquire().await.map_err(|_| later("the mailer", "is closed"))?;
        let mut connection = self.connection().await?;
        let sent = self.transact(&mut connection, message).await?;
        // Only a connection whose last dialogue ended well is used again; any other is closed by its drop.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        Ok(sent)
    }

    /// One that waits and still answers, else a new one.
    async fn connection(&self) -> Result<AsyncSmtpConnection, SendError> {
        loop {
            let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some(mut connection) = idle else { break };
            if timeout(self.limits.command, connection.test_connected()).await.unwrap_or(false) {
                return Ok(connection);
            }
        }
        match timeout(self.limits.connect, self.open()).await {
            Ok(Ok(connection)) => Ok(connection),
            // A relay that refuses us (also with a 5xx, also our password) says nothing about this one mail.
            Ok(Err(error)) => Err(later("connecting", &error.to_string())),
            Err(_) => Err(later("connecting", "no answer in time")),
        }
    }

    async fn open(&self) -> Result<AsyncSmtpConnection, Error> {
        let Relay { host, port, protection, login, addresses } = &*self.relay;
        let hello = ClientId::default();
        let tls = || TlsParameters::new(host.clone());
        let implicit = if *protection == Protection::Implicit { Some(tls()?) } else { None };
        let limit = Some(self.limits.connect);
        let mut connection = match addresses {
            Some(judged) => AsyncSmtpConnection::connect_tokio1(&judged[..], limit, &hello, implicit, None).await?,
            None => {
                let place = (host.as_str(), *port);
                AsyncSmtpConnection::connect_tokio1(place, limit, &hello, implicit, None).await?
            }
        };
        if *protection == Protection::Required {
            // Fails when the relay offers no STARTTLS: nothing is sent in the clear.
            connection.starttls(tls()?, &hello).await?;
        }
        if let Some((user, password)) = login {
            let credentials = Credentials::new(user.clone(), password.clone());
            connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials).await?;
        }
        Ok(connection)
    }

    async fn transact(&self, connection: &mut AsyncSmtpConnection, message: &Message) -> Result<Sent, SendError> {
        let envelope = message.envelope();
        let bytes = message.formatted();
        let mut parameters = Vec::new();
        let beyond_ascii = |address: &lettre::Address| !AsRef::<str>::as_ref(address).is_ascii();
        if envelope.to().iter().chain(envelope.from()).any(beyond_ascii) {
            if !connection.server_info().supports_feature(Extension::SmtpUtfEight) {
                return Err(never("MAIL", "the relay takes no addresses beyond ASCII"));
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        if !bytes.is_ascii() {
            if !connection.server_info().supports_feature(Extension::EightBitMime) {
                return Err(never("MAIL", "the relay takes no text beyond ASCII"));
            }
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        self.step("MAIL", connection.command(Mail::new(envelope.from().cloned(), parameters))).await?;
        for to in envelope.to() {
            self.step("RCPT", connection.command(Rcpt::new(to.clone(), Vec::new()))).await?;
        }
        self.step("DATA", connection.command(Data)).await?;

        // The iterator is asked for a second part when the first is written and the end mark comes next: from there on
        // no answer leaves the mail in doubt.
        let mut handed_over = false;
        let mut part = Some(&bytes);
        let parts = std::iter::from_fn(|| {
            let next = part.take();
            handed_over |= next.is_none();
            next
        });
        let answer = timeout(self.limits.message, connection.message_iter(parts)).await;
        match answer {
            Ok(Ok(response)) => Ok(Sent { answer: response.first_line().unwrap_or_default().to_owned() }),
            Ok(Err(error)) if error.is_permanent() => Err(never("the message's end", &error.to_string())),
            Ok(Err(error)) if error.is_transient() || !handed_over => Err(later("the message", &error.to_string())),
            Ok(Err(error)) => Err(doubt(&error.to_string())),
            Err(_) if handed_over => Err(doubt("no answer in time")),
            Err(_) => Err(later("the message", "the relay did not read it in time")),
        }
    }

    /// A command before the message: a broken connection means that nothing was sent.
    async fn step<T>(&self, name: &str, command: impl Future<Output = Result<T, Error>>) -> Result<(), SendError> {
        match timeout(self.limits.command, command).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) if error.is_permanent() => Err(never(name, &error.to_string())),
            Ok(Err(error)) => Err(later(name, &error.to_string())),
            Err(_) => Err(later(name, "no answer in time")),
        }
    }
}

fn later(step: &str, why: &str) -> SendError {
    SendError::Transient { reason: format!("{step}: {why}") }
}

fn never(step: &str, why: &str) -> SendError {
    SendError::Permanent { reason: format!("{step}: {why}") }
}

fn doubt(why: &str) -> SendError {
    SendError::InDoubt { reason: format!("no answer after the message's end: {why}") }
}
