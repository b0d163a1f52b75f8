//! The facts of a decision, read under the buckets' locks. What is the same for all runs of a batch is read once for it.

use std::collections::{BTreeMap, BTreeSet};

use domain::change::strictest;
use domain::classify::Mode;
use domain::remediate::breaker::{Breaker, State};
use domain::remediate::decide::{Facts, Slot};
use domain::remediate::guardrails::{BucketFacts, BucketKind, Occupancy};
use domain::remediate::{fair, storm};
use serde_json::Value;
use store::remediate::batch::{self, Around};
use store::remediate::runs::Run;
use store::remediate::{approvals, breakers, damage, guardrails, playbooks, shares, stops, storms};
use store::{StoreError, TenantTx};
use uuid::Uuid;

use super::pending::Pending;

/// What a playbook's version says that matters to a decision.
#[derive(Debug, Clone)]
struct Version {
    risk: String,
    weight: u32,
}

/// The facts that a batch shares, kept true by what the batch itself admits.
#[derive(Debug)]
pub(super) struct BatchFacts {
    around: Around,
    /// Hosts that the batch itself has given a job.
    admitted: BTreeSet<Uuid>,
    buckets: BTreeMap<(BucketKind, String), Occupancy>,
    versions: BTreeMap<Vec<u8>, Version>,
    clients: BTreeMap<Uuid, damage::OfClient>,
    /// By client: the other ones of the organization.
    others: BTreeMap<Uuid, u32>,
    /// By client and version.
    damage: BTreeMap<(Uuid, Vec<u8>), domain::remediate::damage::Facts>,
    /// What turned critical lately, by client and check.
    storms: BTreeMap<(Uuid, Uuid), storm::Facts>,
}

impl BatchFacts {
    /// Reads what is read once; `keys` are the buckets of all the runs, and locked.
    pub(super) async fn read(
        tx: &mut TenantTx,
        runs: &[Run],
        keys: &BTreeSet<(BucketKind, String)>,
    ) -> store::Result<Self> {
        let run_ids: Vec<Uuid> = runs.iter().map(|run| run.run_id).collect();
        let clients: Vec<Uuid> = distinct(runs.iter().map(|run| run.client_id));
        let of_clients = damage::list_of_clients(tx, &clients).await?;
        let versions = distinct(runs.iter().map(|run| (run.client_id, run.playbook_digest.clone())));
        let checks = distinct(runs.iter().map(|run| (run.client_id, run.check_id)));
        let mut batch = Self {
            around: batch::find(tx, &run_ids).await?,
            admitted: BTreeSet::new(),
            buckets: BTreeMap::new(),
            versions: BTreeMap::new(),
            damage: damage::list(tx, &versions, &of_clients).await?,
            others: shares::list_others(tx, &clients).await?,
            clients: of_clients,
            storms: storms::list(tx, &checks).await?,
        };
        let keys: Vec<_> = keys.iter().cloned().collect();
        batch.read_buckets(tx, &keys).await?;
        Ok(batch)
    }

    /// Reads buckets (anew) from the rows; what the batch admitted is written.
    pub(super) async fn read_buckets(&mut self, tx: &mut TenantTx, keys: &[(BucketKind, String)]) -> store::Result<()> {
        let read = guardrails::read(tx, keys).await?;
        self.buckets.extend(keys.iter().cloned().zip(read));
        Ok(())
    }

    /// A run of the batch was admitted with these slots.
    pub(super) fn note_admitted(&mut self, run: &Run, slots: &[Slot]) {
        self.admitted.insert(run.host_id);
        for slot in slots {
            if let Some(bucket) = self.buckets.get_mut(&(slot.kind, slot.key.clone())) {
                bucket.take(run.run_id, slot);
            }
        }
        for ((client_id, digest), facts) in &mut self.damage {
            if *client_id == run.client_id {
                facts.note_admitted(*digest == run.playbook_digest);
            }
        }
    }

    /// The facts of one waiting run, on what the runs before it took. What it asks the rows that the batch itself changes
    /// needs `pending` written first.
    pub(super) async fn load(
        &mut self,
        tx: &mut TenantTx,
        run: &Run,
        keys: &[(BucketKind, String)],
        pending: &mut Pending,
    ) -> store::Result<Facts> {
        let corrupt = |column| StoreError::Corrupt { table: "runs", column, id: run.run_id };
        let now = tx.now().await?;
        let Version { risk, weight } = self.version(tx, run).await?;
        let of_run = self.around.of_runs.get(&run.run_id).cloned().ok_or(corrupt("remediation_id"))?;
        let planned = Mode::parse(&run.mode).ok_or(corrupt("mode"))?;
        // Read under the locks that a demotion takes: a run that was planned beside it is held to it too.
        let today = of_run.mode_today.as_deref().and_then(Mode::parse).unwrap_or(Mode::Observe);
        let mode = strictest(planned, today);
        let needs_person = risk == "H";
        let asks = mode == Mode::Approve || needs_person;
        let buckets: Vec<BucketFacts> =
            keys.iter().filter_map(|key| Some(self.buckets.get(key)?.seen_by(run.run_id))).collect();
        if buckets.len() != keys.len() {
            return Err(StoreError::Corrupt { table: "guardrail_buckets", column: "scope_key", id: run.run_id });
        }
        let size = self.clients.get(&run.client_id).ok_or(corrupt("client_id"))?.size;
        let others = self.others.get(&run.client_id).copied().unwrap_or_default();
        let share = match buckets.iter().find(|bucket| bucket.kind == BucketKind::Tenant) {
            Some(tenant) if fair::matters(tenant, others, weight) => {
                pending.write(tx).await?;
                Some(shares::find(tx, run.client_id, tenant, others).await?)
            }
            // What could not hold the run is not counted.
            Some(_) => Some(fair::Facts { others, ..fair::Facts::default() }),
            None => None,
        };
        let version = (run.client_id, run.playbook_digest.clone());
        let damage = self.damage.get(&version).cloned().ok_or(corrupt("playbook_digest"))?;
        let storm = self.storms.get(&(run.client_id, run.check_id)).cloned().ok_or(corrupt("check_id"))?;
        let breakers = if self.around.any_breaker {
            pending.write(tx).await?;
            open_breakers(tx, run).await?
        } else {
            Vec::new()
        };
        let around = &self.around;
        Ok(Facts {
            now,
            mode,
            weight,
            share,
            platform_frozen: around.platform.frozen,
            platform_storm: around.platform.storm,
            clock_jump: around.platform.clock_jump,
            escalate_only: risk == "E",
            needs_person,
            approved_by: if asks { approvals::find_yes(tx, run.run_id).await? } else { None },
            quarantined: of_run.quarantined,
            host_busy: of_run.host_busy || self.admitted.contains(&run.host_id),
            stops: if around.any_stop { stops::list_over(tx, run.client_id, run.host_id).await? } else { Vec::new() },
            buckets,
            damage: Some((damage, size)),
            storm: Some((storm, size)),
            breakers,
        })
    }

    async fn version(&mut self, tx: &mut TenantTx, run: &Run) -> store::Result<Version> {
        if let Some(known) = self.versions.get(&run.playbook_digest) {
            return Ok(known.clone());
        }
        let corrupt = || StoreError::Corrupt { table: "runs", column: "playbook_digest", id: run.run_id };
        let playbook = playbooks::find(tx, &run.playbook_digest).await?.ok_or_else(corrupt)?;
        let content: Value = serde_json::from_str(&playbook.content).map_err(|_| corrupt())?;
        let weight = content["weight"].as_u64().and_then(|n| u32::try_from(n).ok()).unwrap_or(1);
        let version = Version { risk: content["risk"].as_str().unwrap_or("E").to_owned(), weight };
        self.versions.insert(run.playbook_digest.clone(), version.clone());
        Ok(version)
    }
}

/// An undo takes a slot of its own bucket alone; what stops fixes stops it too. The yes to a fix is one to its undo.
pub(super) async fn of_undo(tx: &mut TenantTx, run: &Run, keys: &[(BucketKind, String)]) -> store::Result<Facts> {
    let read = guardrails::read(tx, keys).await?;
    let all: Vec<BucketFacts> = read.iter().map(|bucket| bucket.seen_by(run.run_id)).collect();
    let frozen = all.iter().any(|bucket| bucket.frozen);
    let buckets = all.into_iter().filter(|bucket| bucket.kind == BucketKind::Undo);
    let mut around = batch::find(tx, &[run.run_id]).await?;
    let corrupt = StoreError::Corrupt { table: "runs", column: "remediation_id", id: run.run_id };
    let of_run = around.of_runs.remove(&run.run_id).ok_or(corrupt)?;
    Ok(Facts {
        now: tx.now().await?,
        mode: Mode::Auto,
        platform_frozen: around.platform.frozen,
        platform_storm: None,
        clock_jump: around.platform.clock_jump,
        escalate_only: false,
        needs_person: false,
        approved_by: None,
        quarantined: of_run.quarantined,
        host_busy: of_run.host_busy,
        stops: stops::list_over(tx, run.client_id, run.host_id).await?,
        buckets: buckets.map(|bucket| BucketFacts { frozen, ..bucket }).collect(),
        weight: 1,
        share: None,
        damage: None,
        storm: None,
        breakers: Vec::new(),
    })
}

/// The breakers over a run that are not closed.
async fn open_breakers(tx: &mut TenantTx, run: &Run) -> store::Result<Vec<Breaker>> {
    let over = breakers::list_over(tx, run).await?.into_iter().map(|row| row.breaker);
    Ok(over.filter(|breaker| breaker.state != State::Closed).collect())
}

fn distinct<T: Ord>(all: impl Iterator<Item = T>) -> Vec<T> {
    all.collect::<BTreeSet<T>>().into_iter().collect()
}
