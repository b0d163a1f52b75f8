//! The facts of a decision, read under the buckets' locks. What is the same for all runs of a batch is read once for it.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use domain::change::strictest;
use domain::classify::Mode;
use domain::remediate::breaker::{Breaker, State};
use domain::remediate::decide::Facts;
use domain::remediate::guardrails::{BucketFacts, BucketKind};
use domain::remediate::storm;
use serde_json::Value;
use store::remediate::batch::{self, Around};
use store::remediate::runs::Run;
use store::remediate::{approvals, breakers, damage, guardrails, playbooks, shares, stops, storms};
use store::{StoreError, TenantTx};
use uuid::Uuid;

/// What a playbook's version says that matters to a decision.
#[derive(Debug, Clone)]
struct Version {
    risk: String,
    weight: u32,
}

/// The facts that a batch shares.
#[derive(Debug)]
pub(super) struct BatchFacts {
    around: Around,
    /// Hosts that the batch itself has given a job.
    admitted: BTreeSet<Uuid>,
    versions: BTreeMap<Vec<u8>, Version>,
    clients: BTreeMap<Uuid, damage::OfClient>,
    /// What turned critical lately, by client and check.
    storms: BTreeMap<(Uuid, Uuid), storm::Facts>,
}

impl BatchFacts {
    /// Reads what is read once; the buckets of all the runs are locked.
    pub(super) async fn read(tx: &mut TenantTx, run_ids: &[Uuid]) -> store::Result<Self> {
        let around = batch::find(tx, run_ids).await?;
        let (admitted, versions, clients, storms) = Default::default();
        Ok(Self { around, admitted, versions, clients, storms })
    }

    /// A run of the batch was admitted on this host.
    pub(super) fn note_admitted(&mut self, host_id: Uuid) {
        self.admitted.insert(host_id);
    }

    /// The facts of one run, on what the runs before it took.
    pub(super) async fn load(
        &mut self,
        tx: &mut TenantTx,
        run: &Run,
        keys: &[(BucketKind, String)],
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
        let buckets = guardrails::facts(tx, keys, run.run_id).await?;
        let share = match buckets.iter().find(|bucket| bucket.kind == BucketKind::Tenant) {
            Some(tenant) => Some(shares::find(tx, run.client_id, tenant, weight).await?),
            None => None,
        };
        let of_client = match self.clients.entry(run.client_id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(damage::find_of_client(tx, run.client_id).await?),
        };
        let size = of_client.size;
        let storm = match self.storms.entry((run.client_id, run.check_id)) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(storms::find(tx, run.client_id, run.check_id).await?),
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
            damage: Some((damage::find(tx, run, of_client).await?, size)),
            storm: Some((storm.clone(), size)),
            breakers: if around.any_breaker { open_breakers(tx, run).await? } else { Vec::new() },
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
    let all = guardrails::facts(tx, keys, run.run_id).await?;
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
