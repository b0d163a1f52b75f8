//! Notify: composes the mails whose time has come, sends them, and tries again.

mod compose;
mod own;

pub use own::Own;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::notify::try_again_at;
use futures_util::future::join_all;
use mail::{Envelope, Limits, Mailer, SendError, Sent};
use store::outbox::{self, Composed, Due, End};
use store::{Queue, Store, TenantScope, mail_relays};

use crate::lease::{Batch, CLAIM, Stage};
use own::Route;

/// Mails a batch takes: as many as the relay gets connections.
const BATCH: i64 = 4;
/// How long a mail is leased; renewed while its dialogue lasts, so that a dead node's mail is soon another's.
const LEASE: Duration = Duration::from_secs(30);
/// How often it is renewed.
const RENEW: Duration = Duration::from_secs(10);

/// The loop's work.
#[derive(Debug, Clone)]
pub struct Notify {
    /// Where mail goes.
    pub mailer: Arc<Mailer>,
    /// Whom it comes from, with or without a name.
    pub sender: String,
    /// How people reach the pages, without a slash at its end.
    pub public_url: String,
    /// How an organization's own relay is reached.
    pub own: Own,
}

#[async_trait]
impl Stage for Notify {
    fn queue(&self) -> Queue {
        Queue::Notify
    }

    /// Leases are renewed, so what bounds a batch is the slowest dialogue that the mailer itself lets go on.
    fn limit(&self) -> Duration {
        // By one's own relay, and then by the server's.
        self.mailer.longest().max(Limits::default().longest()) * 2 + CLAIM
    }

    async fn work(&self, store: &Store, scope: &TenantScope) -> store::Result<Batch> {
        let mut tx = store.begin(scope).await?;
        let due = outbox::claim_due(&mut tx, BATCH, LEASE).await?;
        tx.commit().await?;
        let more = if due.len() as i64 == BATCH { Batch::More } else { Batch::Drained };
        let done: store::Result<Vec<()>> =
            join_all(due.iter().map(|mail| self.tell(store, scope, mail))).await.into_iter().collect();
        done.map(|_| more)
    }
}

impl Notify {
    /// One mail: composed and kept, sent, and its end written down. Whoever dies in between has it sent again, as the
    /// same mail under the same Message-ID.
    async fn tell(&self, store: &Store, scope: &TenantScope, due: &Due) -> store::Result<()> {
        let mut tx = store.begin(scope).await?;
        if let Some(why) = compose::outdated(&mut tx, due).await? {
            outbox::mark_ended(&mut tx, due, End::Withdrawn, why).await?;
            return tx.commit().await;
        }
        let mail = match &due.composed {
            Some(mail) => mail.clone(),
            None => {
                let mail = compose::compose(&mut tx, due, self).await?;
                outbox::mark_composed(&mut tx, due, &mail).await?;
                mail
            }
        };
        let own = self.own.find(&mut tx).await?;
        tx.commit().await?;
        let envelope = envelope(due, mail);
        let sent = match own {
            Some(route) => self.send_by(store, scope, due, &envelope, &route).await?,
            None => self.send(store, scope, due, &self.mailer, &envelope).await,
        };

        let mut tx = store.begin(scope).await?;
        match sent {
            Ok(sent) => {
                outbox::mark_ended(&mut tx, due, End::Sent, &sent.answer).await?;
            }
            Err(SendError::Permanent { reason }) => {
                tracing::error!(mail = %due.outbox_id, reason, "a mail was refused");
                outbox::mark_ended(&mut tx, due, End::Failed, &reason).await?;
            }
            // Perhaps sent: rather twice than never, and the receiver sees one Message-ID.
            Err(SendError::Transient { reason } | SendError::InDoubt { reason }) => {
                let now = tx.now().await?;
                match try_again_at(due.created_at, now, due.attempts + 1) {
                    Some(at) => {
                        tracing::warn!(mail = %due.outbox_id, reason, "a mail was not taken and is tried again");
                        outbox::mark_retry(&mut tx, due, at, &reason).await?;
                    }
                    None => {
                        tracing::error!(mail = %due.outbox_id, reason, "a mail is given up");
                        outbox::mark_ended(&mut tx, due, End::Failed, &reason).await?;
                    }
                }
            }
        }
        tx.commit().await
    }

    /// Sends, and keeps the lease meanwhile: a relay may take minutes.
    async fn send(
        &self,
        store: &Store,
        scope: &TenantScope,
        due: &Due,
        mailer: &Mailer,
        envelope: &Envelope,
    ) -> Result<Sent, SendError> {
        let mut sending = pin!(mailer.send(envelope));
        loop {
            if let Ok(sent) = tokio::time::timeout(RENEW, sending.as_mut()).await {
                return sent;
            }
            if let Err(e) = renew(store, scope, due).await {
                tracing::warn!(mail = %due.outbox_id, error = &e as &dyn std::error::Error, "a lease is not renewed");
            }
        }
    }
}

impl Notify {
    /// Sends by the organization's own relay. What that certainly did not take goes by the server's at once, from the
    /// server's address: a relay that is set wrongly must not keep a mail back. What is in doubt is tried again, as always.
    async fn send_by(
        &self,
        store: &Store,
        scope: &TenantScope,
        due: &Due,
        envelope: &Envelope,
        route: &Route,
    ) -> store::Result<Result<Sent, SendError>> {
        let theirs = Envelope { from: route.relay.sender.clone(), ..envelope.clone() };
        let sent = match self.own.open(route).await {
            Ok(mailer) => self.send(store, scope, due, &mailer, &theirs).await,
            Err(reason) => Err(SendError::Transient { reason }),
        };
        let refusal = match &sent {
            Ok(_) => None,
            Err(SendError::InDoubt { .. }) => return Ok(sent),
            Err(SendError::Transient { reason } | SendError::Permanent { reason }) => {
                Some(route.without_password(reason))
            }
        };
        let mut tx = store.begin(scope).await?;
        match &refusal {
            None => mail_relays::mark_accepted(&mut tx).await?,
            Some(why) => {
                tracing::warn!(mail = %due.outbox_id, why, "an organization's own relay did not take a mail");
                mail_relays::mark_refused(&mut tx, &route.relay, why).await?;
            }
        }
        tx.commit().await?;
        match refusal {
            None => Ok(sent),
            Some(_) => Ok(self.send(store, scope, due, &self.mailer, envelope).await),
        }
    }
}

async fn renew(store: &Store, scope: &TenantScope, due: &Due) -> store::Result<()> {
    let mut tx = store.begin(scope).await?;
    outbox::renew(&mut tx, due, LEASE).await?;
    tx.commit().await
}

fn envelope(due: &Due, mail: Composed) -> Envelope {
    // The domain of the sender that was kept with the mail: a change of settings changes no Message-ID.
    let domain = mail.sender.rsplit_once('@').map_or("mendwright.invalid", |(_, domain)| domain.trim_end_matches('>'));
    Envelope {
        message_id: format!("<{}@{domain}>", due.message_id),
        from: mail.sender,
        to: due.address.clone(),
        subject: mail.subject,
        html: mail.html,
        text: mail.text,
    }
}
