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
use probe::{Answer, Connector, Failure, Headers, Login, SshKey};
use store::detect::check_requests;
use store::detect::check_states::{self, Subject};
use store::detect::evaluations::{self, Behind};
use store::detect::probes::{self, Due, Pair};
use store::{Queue, Store, TenantScope, TenantTx};

use crate::lease::{Batch, Stage};
use crate::secret;
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
        let probed = match self.open(store, scope, &due.pair.check).await? {
            Ok(opened) => self.probe(&due.pair.check, &opened).await,
            Err(why) => Probed::NotMade(why),
        };
        let seen = reach::seen(&due.pair.check, &probed);
        let mut tx = store.begin(scope).await?;
        if keep(&mut tx, due, &seen).await? { tx.commit().await } else { tx.rollback().await }
    }

    /// What the check's secrets say, opened for this one look; or the sentence that says what is wrong with one.
    async fn open(&self, store: &Store, scope: &TenantScope, check: &Check) -> store::Result<Result<Opened, String>> {
        let mut opened = Opened::default();
        if check.secrets().next().is_none() {
            return Ok(Ok(opened));
        }
        let mut tx = store.begin(scope).await?;
        for (name, Header { secret, prefix }) in &check.headers {
            let value = match secret::open(&mut tx, &self.master, secret, Kind::ApiKey).await? {
                Ok(value) => value,
                Err(why) => return Ok(Err(why)),
            };
            let line = Secret::new(format!("{prefix}{}", value.reveal()));
            if !opened.headers.add(name, line.reveal()) {
                return Ok(Err(format!("its secret “{secret}” cannot stand in a header")));
            }
        }
        if let (Some(user), Some(key)) = (&check.user, &check.key) {
            let text = match secret::open(&mut tx, &self.master, &key.secret, Kind::SshKey).await? {
                Ok(text) => text,
                Err(why) => return Ok(Err(why)),
            };
            match SshKey::parse(text.reveal()) {
                Ok(key) => opened.login = Some(Login { user: user.clone(), key }),
                Err(why) => {
                    return Ok(Err(format!("its secret “{}” {why}: somebody has to replace it", key.secret)));
                }
            }
        }
        tx.commit().await?;
        Ok(Ok(opened))
    }

    async fn probe(&self, check: &Check, opened: &Opened) -> Probed {
        let limit = Duration::from_millis(check.limit_ms.into());
        let Opened { headers, login } = opened;
        let connected = match Target::parse(check.kind, &check.target) {
            Ok(Target::Http(url)) => {
                return match self.connector.http(&url, headers, check.redirects(), limit).await {
                    Ok(Answer { status, took, body }) => {
                        let holds = check.contains.as_ref().map(|text| holds(&body, text.as_bytes()));
                        Probed::Answered { status, took, holds }
                    }
                    Err(failure) => failed(failure),
                };
            }
            Ok(Target::Tcp { host, port }) => self.connector.tcp(&host, port, limit).await,
            Ok(Target::Ssh { host, port }) => match &check.host_key {
                Some(pinned) => self.connector.ssh(&host, port, pinned.sha256(), login.as_ref(), limit).await,
                None => Err(Failure::NotMade("the check does not say the host's key".to_owned())),
            },
            Err(why) => Err(Failure::NotMade(why.to_owned())),
        };
        connected.map_or_else(failed, |took| Probed::Connected { took })
    }
}

/// What a look carries. It is secret: no `Debug`.
#[derive(Default)]
struct Opened {
    headers: Headers,
    login: Option<Login>,
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
    // Nor may it name a reason that is over: a secret that was missing and is set now, but of another kind; a host that
    // was down and is back with another key.
    evaluation.changed |= match (&state.seen, seen) {
        (Seen::NoData { why: before }, Seen::NoData { why: now }) => before != now,
        (Seen::Data(before), Seen::Data(now)) => before.get("detail") != now.get("detail"),
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
