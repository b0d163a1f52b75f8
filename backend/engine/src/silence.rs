//! Stage detect's own eyes: hosts that are not heard of.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use domain::detect::{Check, Event, HostFacts, Kind, State, evaluate, silence};
use store::detect::check_states::{self, Subject};
use store::detect::checks;
use store::detect::evaluations::{self, Behind};
use store::host_links::{self, Silent};
use store::{Queue, Store, TenantScope, TenantTx};
use uuid::Uuid;

use crate::lease::{Batch, Stage};
use crate::standing::next_turn;

/// Links are looked at this often.
const EVERY: Duration = Duration::from_secs(15);
/// Hosts of one transaction.
const BATCH: i64 = 200;

/// The loop's work.
#[derive(Debug)]
pub struct Silence;

#[async_trait]
impl Stage for Silence {
    fn queue(&self) -> Queue {
        Queue::Silence
    }

    async fn work(&self, store: &Store, scope: &TenantScope) -> store::Result<Batch> {
        let mut tx = store.begin(scope).await?;
        // The queue's standing wake-up goes on whatever comes of this look.
        let next = next_turn(scope.tenant_id(), EVERY, tx.now().await?);
        tx.due(Queue::Silence, next);
        let mut heartbeats = checks::list(&mut tx).await?;
        heartbeats.retain(|(_, check)| check.kind == Kind::Heartbeat);
        tx.commit().await?;
        let ids: Vec<Uuid> = heartbeats.iter().map(|(id, _)| *id).collect();
        let mut after = Uuid::nil();
        while !ids.is_empty() {
            let mut tx = store.begin(scope).await?;
            let hosts = host_links::list_silent(&mut tx, &ids, after, BATCH).await?;
            for host in &hosts {
                look(&mut tx, host, &heartbeats).await?;
            }
            tx.commit().await?;
            match hosts.last() {
                Some(last) if hosts.len() as i64 == BATCH => after = last.host_id,
                _ => break,
            }
        }
        Ok(Batch::Drained)
    }
}

/// One host under every heartbeat check that selects it.
async fn look(tx: &mut TenantTx, host: &Silent, heartbeats: &[(Uuid, Check)]) -> store::Result<()> {
    let tags: BTreeMap<String, String> = serde_json::from_value(host.tags.clone()).unwrap_or_default();
    let facts = HostFacts { client: &host.client, host: &host.name, tags: &tags };
    let now = tx.now().await?;
    let seen = silence::look(&host.link, now);
    let mut states = check_states::list_of_host(tx, host.host_id).await?;
    for (check_id, check) in heartbeats.iter().filter(|(_, check)| check.selector.selects(&facts)) {
        let stored = states.iter().position(|(id, target, _)| id == check_id && *target == check.target);
        let state = stored.map_or_else(|| State::unseen(now), |at| states.swap_remove(at).2);
        let mut evaluation = evaluate(check, &state, Event::Observed(&seen), now, None);
        if !evaluation.changed {
            continue;
        }
        evaluation.state.version += 1;
        let (client_id, host_id) = (host.client_id, host.host_id);
        let subject = Subject { client_id, host_id, check_id: *check_id, target: check.target.clone() };
        let behind = Behind::Look { observed_at: now, request_id: None };
        evaluations::save(tx, &subject, &evaluation, behind).await?;
    }
    Ok(())
}
