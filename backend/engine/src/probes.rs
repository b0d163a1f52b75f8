//! Stage detect's own eyes: what the server asks over the network, under leases, so that two nodes store one look once.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::detect::reach::{self, Probed, Target};
use domain::detect::{Check, Event, Header, HostFacts, Seen, State, evaluate};
use domain::secret::Kind;
use futures_util::future::join_all;
use keys::Secret;
use keys::seal::MasterKey;
use probe::{Answer, Connector, Failure, Headers};
use store::detect::check_requests;
use store::detect::check_states::{self, Subject};
use store::detect::evaluations::{self, Behind};
use store::detect::probes::{self, Due, Pair};
use store::{Queue, Store, StoreError, TenantScope, TenantTx, secrets};

use crate::lease::{Batch, Stage};
use crate::standing::next_turn;

/// Changed checks and hosts are looked for this often; a host that enrols is looked at once.
const EVERY: Duration = Duration::from_secs(15);
/// Probes of one batch; they are made at once.
const BATCH: i64 = 64;
/// Longer than the longest probe (10 s) and its storing.
const LEASE: Duration = Duration::from_secs(30);

/// Which probes there are to be: a row for each check of the server's own and each host that it selects.
#[derive(Debug)]
pub struct Plan;

#[async_trait]
impl Stage for Plan {
    fn queue(&self) -> Queue {
        Queue::Plan
    }

    async fn work(&self, store: &Store, scope: &TenantScope) -> store::Result<Batch> {
        let mut tx = store.begin(scope).await?;
        let now = tx.now().await?;
        // The queue's standing wake-up goes on whatever comes of this look.
        tx.due(Queue::Plan, next_turn(scope.tenant_id(), EVERY, now));
        for pair in probes::list_missing(&mut tx).await?.iter().filter(|pair| selects(pair)) {
            probes::insert(&mut tx, pair).await?;
            tx.due(Queue::Detect, now);
        }
        tx.commit().await?;
        Ok(Batch::Drained)
    }
}

/// The loop's work: probes that are due.
#[derive(Clone)]
pub struct Probes {
    /// Connects for it.
    pub connector: Connector,
    /// Opens the secrets that checks refer to.
    pub master: Arc<MasterKey>,
}

impl fmt::Debug for Probes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Probes")
    }
}

#[async_trait]
impl Stage for Probes {
    fn queue(&self) -> Queue {
        Queue::Detect
    }

    async fn work(&self, store: &Store, scope: &TenantScope) -> store::Result<Batch> {
        let mut tx = store.begin(scope).await?;
        let due = probes::claim_due(&mut tx, BATCH, LEASE).await?;
        tx.commit().await?;
        let more = if due.len() as i64 == BATCH { Batch::More } else { Batch::Drained };
        for done in join_all(due.iter().map(|due| self.one(store, scope, due))).await {
            done?;
        }
        Ok(more)
    }
}

fn selects(pair: &Pair) -> bool {
    let facts = HostFacts { client: &pair.client, host: &pair.host, tags: &pair.tags };
    pair.check.selector.selects(&facts)
}

impl Probes {
    /// Looks, and stores what changed.
    async fn one(&self, store: &Store, scope: &TenantScope, due: &Due) -> store::Result<()> {
        if due.is_over || !selects(&due.pair) {
            let mut tx = store.begin(scope).await?;
            probes::delete(&mut tx, due).await?;
            return tx.commit().await;
        }
        let probed = match self.headers(store, scope, &due.pair.check).await? {
            Ok(headers) => self.probe(&due.pair.check, &headers).await,
            Err(why) => Probed::NotMade(why),
        };
        let seen = reach::seen(&due.pair.check, &probed);
        let mut tx = store.begin(scope).await?;
        if keep(&mut tx, due, &seen).await? { tx.commit().await } else { tx.rollback().await }
    }

    /// What the check's request carries, opened for this one look; or the sentence that says what is wrong with it.
    async fn headers(
        &self,
        store: &Store,
        scope: &TenantScope,
        check: &Check,
    ) -> store::Result<Result<Headers, String>> {
        let mut headers = Headers::default();
        if check.headers.is_empty() {
            return Ok(Ok(headers));
        }
        let mut tx = store.begin(scope).await?;
        for (name, Header { secret, prefix }) in &check.headers {
            let value = match secrets::open(&mut tx, &self.master, secret).await {
                Ok(Some((Kind::ApiKey, value))) => value,
                Ok(Some((kind, _))) => {
                    let kind = kind.label();
                    return Ok(Err(format!("its secret “{secret}” is an {kind}: a header takes an API key")));
                }
                Ok(None) => return Ok(Err(format!("its secret “{secret}” is not there: somebody has to set it"))),
                Err(error @ StoreError::DoesNotOpen { .. }) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "a secret does not open");
                    return Ok(Err(format!("its secret “{secret}” does not open: somebody has to replace it")));
                }
                Err(error) => return Err(error),
            };
            let line = Secret::new(format!("{prefix}{}", value.reveal()));
            if !headers.add(name, line.reveal()) {
                return Ok(Err(format!("its secret “{secret}” cannot stand in a header")));
            }
        }
        tx.commit().await?;
        Ok(Ok(headers))
    }

    async fn probe(&self, check: &Check, headers: &Headers) -> Probed {
        let limit = Duration::from_millis(check.limit_ms.into());
        match Target::parse(check.kind, &check.target) {
            Ok(Target::Http(url)) => match self.connector.http(&url, headers, check.redirects(), limit).await {
                Ok(Answer { status, took, body }) => {
                    let holds = check.contains.as_ref().map(|text| holds(&body, text.as_bytes()));
                    Probed::Answered { status, took, holds }
                }
                Err(failure) => failed(failure),
            },
            Ok(Target::Tcp { host, port }) => match self.connector.tcp(&host, port, limit).await {
                Ok(took) => Probed::Connected { took },
                Err(failure) => failed(failure),
            },
            Err(why) => Probed::NotMade(why.to_owned()),
        }
    }
}

fn holds(body: &[u8], text: &[u8]) -> bool {
    body.windows(text.len().max(1)).any(|window| window == text)
}

fn failed(failure: Failure) -> Probed {
    match failure {
        Failure::Down(why) => Probed::Down(why),
        Failure::NotMade(why) => Probed::NotMade(why),
    }
}

/// Judges a look and stores what it changes, as the gateway does for an agent's. False: another node has looked since.
async fn keep(tx: &mut TenantTx, due: &Due, seen: &Seen) -> store::Result<bool> {
    let Pair { check_id, check, host_id, client_id, .. } = &due.pair;
    let now = tx.now().await?;
    let states = check_states::list_of_host(tx, *host_id).await?;
    let stored = states.into_iter().find(|(id, target, _)| id == check_id && *target == check.target);
    let is_new = stored.is_none();
    let state = stored.map_or_else(|| State::unseen(now), |(_, _, state)| state);
    let mut evaluation = evaluate(check, &state, Event::Observed(seen), now, due.booted_at);
    // Nothing is kept in memory from look to look: bad looks in a row are counted in the row. The first look is stored
    // whatever it says: a page must be able to say why there is no data.
    evaluation.changed |= is_new || evaluation.state.failures != state.failures;
    // Nor may it name a reason that is over: a secret that was missing and is set now, but of another kind.
    evaluation.changed |= match (&state.seen, seen) {
        (Seen::NoData { why: before }, Seen::NoData { why: now }) => before != now,
        _ => false,
    };
    let interval = now + Duration::from_secs(check.interval_secs.into());
    let next = evaluation.next_timer.map_or(interval, |timer| timer.min(interval));
    if !probes::finish(tx, due, next).await? {
        return Ok(false);
    }
    let subject =
        Subject { client_id: *client_id, host_id: *host_id, check_id: *check_id, target: check.target.clone() };
    let request_id = match due.request_id {
        Some(id) if check_requests::mark_answered(tx, &subject, id).await? => Some(id),
        _ => None,
    };
    if evaluation.changed || request_id.is_some() {
        if evaluation.changed {
            evaluation.state.version += 1;
        }
        evaluations::save(tx, &subject, &evaluation, Behind::Look { observed_at: now, request_id }).await?;
    }
    Ok(true)
}
