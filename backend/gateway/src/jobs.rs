//! Jobs of one link: lease, permit, refusal, result, and what else is open for the host.

use std::collections::HashSet;
use std::time::Duration;

use base64::Engine as _;
use keys::{Context, digest};
use serde_json::json;
use store::audit::{self, Entry};
use store::detect::check_requests::{self, LOOK_AGAIN, LookedAgain};
use store::detect::check_states::Subject;
use store::detect::observations::{self, NewObservation};
use store::remediate::jobs::{self, Brakes, Lease, Stored, ToLease};
use store::remediate::maintenance;
use store::{Queue, Store, TenantTx, diagnostics, host_links, hosts};
use uuid::Uuid;
use wire::v1::{
    CheckNow, Diagnose, Down, Envelope, Job, JobKey, JobResult, MAX_OUTPUT_BYTES, Playbook, Refused, ResultAck,
    ResultBody, Start, Step, constants,
};

use crate::hello::Begun;
use crate::socket::End;
use crate::watches::replaced;
use crate::{Inner, convert, crash, outcome};

/// An envelope lives this long from its receipt; longer than its lease.
const TTL_SECS: u64 = 60;

/// What this link has sent already.
#[derive(Default)]
pub struct Sent {
    questions: HashSet<Uuid>,
    fences: HashSet<i64>,
    withdrawn: HashSet<i64>,
    frozen: bool,
    come_back: bool,
}

/// The agent of a host that is trusted again comes back after this long, to be told so and to say `Hello` anew.
const TRUSTED_AGAIN_SECS: u64 = 1;

/// A look of the server's own counts for this long before a lease; the agent asks for its permit within that lease.
const LOOK_LIVES: Duration = Duration::from_secs(15);
/// A look that takes longer is asked for anew.
const LOOK_LIMIT: Duration = Duration::from_secs(30);

/// Whether a job that was sent on this link is sent again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// The agent asked.
    Yes,
    /// Something may be new.
    No,
}

/// Everything open for the host that this link has not sent yet: freeze, withdrawals, questions, its job.
pub async fn open(gateway: &Inner, link: &Begun, sent: &mut Sent, again: Again) -> Result<Vec<Down>, End> {
    let (store, host_id) = (&gateway.store, link.identity.host_id);
    let mut tx = store.begin(&link.identity.scope).await?;
    if !host_links::holds(&mut tx, host_id, link.epoch).await? {
        return Err(replaced());
    }
    let brakes = jobs::find_brakes(&mut tx, link.client_id, host_id).await?;
    let frozen = brakes.frozen;
    let withdrawn = jobs::list_withdrawn(&mut tx, host_id, link.instance_id).await?;
    let questions = check_requests::list_open(&mut tx, host_id).await?;
    let mut down = Vec::new();
    if frozen != sent.frozen {
        sent.frozen = frozen;
        down.push(Down::Freeze { frozen });
    }
    for (key, fence) in withdrawn.into_iter().filter(|(_, fence)| sent.withdrawn.insert(*fence)) {
        down.push(withdraw(convert::wire_key(&key), fence, "the run was withdrawn"));
    }
    for q in questions.into_iter().filter(|q| sent.questions.insert(q.request_id)) {
        down.push(Down::CheckNow(CheckNow { request_id: q.request_id, check_id: q.check_id, target: q.target }));
    }
    for open in diagnostics::list_open(&mut tx, host_id).await? {
        if sent.questions.insert(open.diagnostics_id) {
            down.push(Down::Diagnose(Diagnose { request_id: open.diagnostics_id, target: open.target }));
        }
    }
    if link.quarantined && !sent.come_back && hosts::find_quarantine(&mut tx, host_id).await?.is_none() {
        sent.come_back = true;
        down.push(Down::Retry { after_secs: TRUSTED_AGAIN_SECS });
    }
    let leased = if frozen || link.quarantined || !link.held.settled() {
        None
    } else {
        lease(gateway, link, &mut tx, brakes).await?
    };
    tx.commit().await?;
    if let Some((fence, job)) = leased {
        if sent.fences.insert(fence) {
            crash::point("server_after_lease");
            down.push(Down::Job(job));
        } else if again == Again::Yes {
            down.push(Down::Job(job));
        }
    }
    Ok(down)
}

/// Leases the host's open job to this instance; the same instance gets the same lease while it lasts.
async fn lease(gateway: &Inner, link: &Begun, tx: &mut TenantTx, brakes: Brakes) -> Result<Option<(i64, Job)>, End> {
    let host_id = link.identity.host_id;
    // A key that another node has told the host of: this one hears of it in a moment, and looks again.
    let dispatch_keys = gateway.config.dispatch_keys.borrow().clone();
    let Some(dispatch_key) = dispatch_keys.find(link.held.version) else { return Ok(None) };
    let Some(found) = jobs::find_to_lease(tx, host_id).await? else { return Ok(None) };
    if brakes.storm && found.job.key.purpose == "fix" {
        return Ok(None);
    }
    let now = tx.now().await?;
    let lasts = found.job.instance_id == Some(link.instance_id)
        && found.job.state == "leased"
        && found.job.lease_expires_at.is_some_and(|end| end > now);
    if found.server_looks && !lasts && found.job.key.purpose == "fix" && !look_again(gateway, tx, &found).await? {
        return Ok(None);
    }
    let fence = match found.job.fence.filter(|_| lasts) {
        Some(fence) => fence,
        None => match hosts::take_fence(tx, host_id).await? {
            Some(fence) => fence,
            None => return Ok(None), // not trusted any more
        },
    };
    let Some(envelope) = envelope(tx.tenant_id(), host_id, link.instance_id, fence, &found) else {
        tracing::error!(run_id = %found.job.key.run_id, "a job's playbook or parameters cannot be read; it is not sent");
        return Ok(None);
    };
    if !lasts {
        let envelope_digest = digest(envelope.as_bytes());
        let lease = Lease {
            fence,
            instance_id: link.instance_id,
            envelope_digest: envelope_digest.as_bytes(),
            lasts: Duration::from_secs(constants::LEASE_SECS),
        };
        jobs::mark_leased(tx, &found.job.key, &lease).await?;
    }
    let envelope_signature = dispatch_key.sign(Context::Envelope, &envelope);
    let (playbook, playbook_signature) = (found.playbook, found.playbook_signature);
    Ok(Some((fence, Job { envelope, envelope_signature, playbook, playbook_signature })))
}

/// Look again before acting, for a check that the server itself looks at: the job is handed out only with a fresh look
/// that is still bad. True: it may be. Otherwise a look is under way, and wakes this node when it is stored, or what
/// was seen has ended the run.
async fn look_again(gateway: &Inner, tx: &mut TenantTx, found: &ToLease) -> Result<bool, End> {
    let (client_id, host_id) = (found.job.client_id, found.job.host_id);
    let subject = Subject { client_id, host_id, check_id: found.check_id, target: found.target.clone() };
    match check_requests::find_look_again(tx, &subject, LOOK_LIVES).await? {
        LookedAgain::Not => {
            let now = tx.now().await?;
            let (_, expires_at) = check_requests::insert(tx, &subject, LOOK_AGAIN, now, LOOK_LIMIT).await?;
            // Nobody answered in time: asked once more.
            tx.due(Queue::Dispatch(gateway.config.node_id), expires_at);
            Ok(false)
        }
        LookedAgain::Asked => Ok(false),
        LookedAgain::Answered { verdict, observation_id } => match verdict.as_str() {
            "warning" | "critical" => Ok(true),
            _ => {
                if jobs::mark_withdrawn(tx, &found.job.key, host_id).await? {
                    outcome::looked_again(tx, &found.job, &verdict, observation_id).await?;
                }
                Ok(false)
            }
        },
    }
}

/// The envelope's canonical text; the same lease makes the same text.
fn envelope(tenant_id: Uuid, host_id: Uuid, instance_id: Uuid, fence: i64, found: &ToLease) -> Option<String> {
    let playbook: Playbook = keys::parse_canonical(&found.playbook).ok()?;
    let job = convert::wire_key(&found.job.key);
    let steps = playbook.steps_of(job.purpose);
    let envelope = Envelope {
        tenant_id,
        host_id,
        instance_id,
        job,
        fence,
        playbook_digest: hex::encode(&found.playbook_digest),
        steps: (1, u16::try_from(steps.len()).ok()?),
        parameters: serde_json::from_value(found.parameters.clone()).ok()?,
        check_id: found.check_id,
        target: found.target.clone(),
        server_looked: found.server_looks,
        ttl_secs: TTL_SECS,
        limit_secs: limit_secs(steps),
    };
    keys::to_canonical(&envelope).ok()
}

fn limit_secs(steps: &[Step]) -> u64 {
    steps.iter().fold(0, |sum: u64, s| sum.saturating_add(s.limit_secs)).clamp(1, 86_400)
}

fn withdraw(job: JobKey, fence: i64, reason: &str) -> Down {
    Down::Withdraw { job, fence, reason: reason.to_owned() }
}

/// Answers the question for a permit.
pub async fn start(gateway: &Inner, link: &Begun, start: &Start) -> Result<Down, End> {
    let host_id = link.identity.host_id;
    let mut tx = gateway.store.begin(&link.identity.scope).await?;
    if !host_links::holds(&mut tx, host_id, link.epoch).await? {
        return Err(replaced());
    }
    let answer = match permit(&mut tx, link, start).await? {
        Ok(()) => Down::Permit { job: start.job, fence: start.fence },
        Err(reason) => {
            tx.rollback().await?;
            tracing::info!(run_id = %start.job.run_id, fence = start.fence, reason, "no permit");
            tx = gateway.store.begin(&link.identity.scope).await?;
            withdraw(start.job, start.fence, reason)
        }
    };
    hosts::mark_seen_fence(&mut tx, host_id, start.fence).await?;
    tx.commit().await?;
    if matches!(answer, Down::Permit { .. }) {
        crash::point("server_after_permit");
    }
    Ok(answer)
}

async fn permit(tx: &mut TenantTx, link: &Begun, start: &Start) -> Result<Result<(), &'static str>, End> {
    let key = convert::stored_key(&start.job);
    let Some(job) = jobs::find_locked(tx, &key).await?.filter(|j| j.host_id == link.identity.host_id) else {
        return Ok(Err("the server knows no such job of this host"));
    };
    let theirs = hex::decode(&start.digest).ok();
    if job.fence != Some(start.fence) || job.instance_id != Some(link.instance_id) || job.envelope_digest != theirs {
        return Ok(Err("the job was leased anew since"));
    }
    if link.quarantined {
        return Ok(Err("the host is not trusted"));
    }
    let brakes = jobs::find_brakes(tx, job.client_id, job.host_id).await?;
    if brakes.frozen {
        return Ok(Err("actions are frozen"));
    }
    if brakes.storm && key.purpose == "fix" {
        return Ok(Err("a storm on the whole platform"));
    }
    if maintenance::holds(tx, job.client_id, job.host_id).await? {
        return Ok(Err("maintenance began"));
    }
    match job.state.as_str() {
        "permitted" => return Ok(Ok(())),
        "leased" => {}
        _ => return Ok(Err("the job is not to be run any more")),
    }
    let playbook: Option<Playbook> =
        jobs::find_playbook(tx, key.run_id).await?.and_then(|text| keys::parse_canonical(&text).ok());
    let Some(playbook) = playbook else { return Ok(Err("the playbook cannot be read")) };
    if !jobs::mark_permitted(
        tx,
        &key,
        start.fence,
        Duration::from_secs(limit_secs(playbook.steps_of(start.job.purpose))),
    )
    .await?
    {
        return Ok(Err("the lease is over"));
    }
    if !outcome::permitted(tx, &job).await? {
        return Ok(Err("the run may not begin any more"));
    }
    Ok(Ok(()))
}

/// Stores a refusal, with the look that made the host decline.
pub async fn refused(store: &Store, link: &Begun, refused: &Refused, at: jiff::Timestamp) -> Result<(), End> {
    let key = convert::stored_key(&refused.job);
    let mut tx = store.begin(&link.identity.scope).await?;
    let job = jobs::find_locked(&mut tx, &key).await?.filter(|j| j.host_id == link.identity.host_id);
    let Some(job) = job else { return Ok(()) };
    if !jobs::mark_refused(&mut tx, &key, refused.fence).await? {
        return Ok(()); // said before, or withdrawn since
    }
    let mut observation_id = None;
    if let Some((subject, seen, verdict)) = refused.reading.as_ref().and_then(|r| link.watches.judge(r, at)) {
        let now = tx.now().await?;
        let new = NewObservation { subject: &subject, observed_at: now, seen: &seen, verdict, request_id: None };
        observation_id = Some(observations::insert(&mut tx, &new).await?);
    }
    outcome::refused(&mut tx, &job, refused, observation_id).await?;
    Ok(tx.commit().await?)
}

/// Stores a result; what comes back is its acknowledgement.
pub async fn result(store: &Store, link: &Begun, result: &JobResult) -> Result<Down, End> {
    let body: ResultBody =
        keys::parse_canonical(&result.body).map_err(|_| End::malformed("a result's body cannot be read"))?;
    let output = base64::engine::general_purpose::STANDARD
        .decode(&result.output)
        .ok()
        .filter(|bytes| bytes.len() <= MAX_OUTPUT_BYTES)
        .ok_or_else(|| End::malformed("a result's output cannot be read, or is too long"))?;
    let host_id = link.identity.host_id;
    let ack = Down::Ack { observed_seq: None, result: Some(ResultAck { job: body.job, fence: body.fence }) };
    let mut tx = store.begin(&link.identity.scope).await?;
    let signed = body.host_id == host_id && link.key.verify(Context::Result, &result.body, &result.signature).is_ok();
    if !signed {
        distrust(&mut tx, link, &body, "a result that this host's key did not sign").await?;
        tx.commit().await?;
        return Ok(ack);
    }
    let key = convert::stored_key(&body.job);
    let job = jobs::find_locked(&mut tx, &key).await?.filter(|j| j.host_id == host_id);
    if let Some(job) = job {
        let digest = digest(result.body.as_bytes());
        let new = jobs::JobResult {
            fence: body.fence,
            body: &result.body,
            digest: digest.as_bytes(),
            signature: &result.signature,
            output: &output,
        };
        match jobs::mark_finished(&mut tx, &job, &new).await? {
            Stored::Now => outcome::ended(&mut tx, &job, &body).await?,
            Stored::AfterAnswer => outcome::late(&mut tx, &job, &body).await?,
            Stored::Before => {}
            Stored::Other => distrust(&mut tx, link, &body, "a second, different result of one job").await?,
            Stored::NoPermit if outcome::word(&body.ended) == "not_run" => {}
            Stored::NoPermit => distrust(&mut tx, link, &body, "a result of a job that had no permit").await?,
        }
    }
    hosts::mark_seen_fence(&mut tx, host_id, body.fence).await?;
    tx.commit().await?;
    crash::point("server_after_result");
    Ok(ack)
}

async fn distrust(tx: &mut TenantTx, link: &Begun, body: &ResultBody, what: &str) -> Result<(), End> {
    let host_id = link.identity.host_id;
    tracing::warn!(%host_id, run_id = %body.job.run_id, what, "security");
    let detail = json!({"what": what, "job": body.job, "fence": body.fence});
    Ok(audit::insert(tx, Some(link.client_id), Entry::done("security", ("host", host_id)).with(detail)).await?)
}

#[cfg(test)]
mod tests;
