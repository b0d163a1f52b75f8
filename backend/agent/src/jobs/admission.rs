//! Whether a job may run here at all: signatures before anything else, then what it says, then the host's
//! own limits. Pure: everything it judges by is handed in.

use keys::{Context, PublicKey, parse_canonical};
use runner::record::{MAX_STEPS, OrderedStep};
use uuid::Uuid;
use wire::v1::{Envelope, Job, JobKey, ParameterType, Playbook, RefusedReason, Value};

use super::binding::bind;
use super::rate::Rate;
use crate::hours::LocalTime;
use crate::limits::Limits;
use crate::state::Pinned;

/// What a job is judged by.
pub struct Ground<'a> {
    /// The host's tenant.
    pub tenant_id: Uuid,
    /// The host.
    pub host_id: Uuid,
    /// The agent's instance.
    pub instance_id: Uuid,
    /// The pinned keys.
    pub pinned: &'a Pinned,
    /// The host's own limits.
    pub limits: &'a Limits,
    /// The runs of the last hour.
    pub rate: &'a Rate,
    /// The highest fence taken so far.
    pub max_fence: i64,
    /// The time.
    pub now: std::time::Duration,
    /// The time on the host's wall.
    pub local: LocalTime,
}

/// A job that may run.
#[derive(Debug)]
pub struct Admitted {
    /// Its envelope.
    pub envelope: Envelope,
    /// The SHA-256 of the envelope's text, hex.
    pub digest: String,
    /// Its steps, resolved.
    pub steps: Steps,
    /// The declared services that it names.
    pub services: Vec<String>,
}

/// What a runner is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Steps {
    /// One after the other.
    pub ordered: Vec<OrderedStep>,
    /// What scripts among them find in their environment.
    pub script_env: Vec<(String, String)>,
}

/// Why it may not, and a sentence for the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub reason: RefusedReason,
    /// In a sentence.
    pub detail: String,
}

fn refuse<T>(reason: RefusedReason, detail: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal { reason, detail: detail.into() })
}

/// Which job this claims to be. Not verified: good for naming it in an answer, and nothing else.
pub fn claimed(job: &Job) -> Option<(JobKey, i64)> {
    let envelope: Envelope = serde_json::from_str(&job.envelope).ok()?;
    Some((envelope.job, envelope.fence))
}

/// Judges `job`.
///
/// # Errors
/// The first reason that forbids it, in the order of the protocol's table.
pub fn admit(job: &Job, ground: &Ground<'_>) -> Result<Admitted, Refusal> {
    use RefusedReason as R;
    verify(&ground.pinned.dispatch.key, Context::Envelope, &job.envelope, &job.envelope_signature)
        .or_else(|()| refuse(R::Signature, "the envelope is not signed by the pinned dispatch key"))?;
    let signed = |key| verify(key, Context::Playbook, &job.playbook, &job.playbook_signature).is_ok();
    if !ground.pinned.playbook.iter().any(signed) {
        return refuse(R::Signature, "the playbook is not signed by a pinned key");
    }
    let envelope: Envelope = match parse_canonical(&job.envelope) {
        Ok(envelope) => envelope,
        Err(error) => return refuse(R::Signature, format!("the envelope cannot be read: {error}")),
    };
    let playbook: Playbook = match parse_canonical(&job.playbook) {
        Ok(playbook) => playbook,
        Err(error) => return refuse(R::Signature, format!("the playbook cannot be read: {error}")),
    };
    for (what, same) in [
        ("tenant", envelope.tenant_id == ground.tenant_id),
        ("host", envelope.host_id == ground.host_id),
        ("agent instance", envelope.instance_id == ground.instance_id),
    ] {
        if !same {
            return refuse(R::Foreign, format!("the envelope is for another {what}"));
        }
    }
    if keys::digest(job.playbook.as_bytes()).to_string() != envelope.playbook_digest {
        return refuse(R::Signature, "the envelope selects another playbook version than was sent");
    }
    if envelope.ttl_secs == 0 {
        return refuse(R::Stale, "the envelope's time to live is over");
    }
    if envelope.fence <= ground.max_fence {
        let (fence, max) = (envelope.fence, ground.max_fence);
        return refuse(R::Stale, format!("fence {fence} is not above {max}, the highest taken"));
    }
    if let Some(why) = ground.limits.forbid(&playbook, &envelope, ground.local) {
        return refuse(R::HostLimits, why);
    }
    if ground.rate.within_an_hour(ground.now) >= ground.limits.max_runs_per_hour as usize {
        let most = ground.limits.max_runs_per_hour;
        return refuse(R::HostLimits, format!("{most} runs an hour are the host's own limit"));
    }
    let steps = steps(&playbook, &envelope, ground.limits).or_else(|why| refuse(R::Parameter, why))?;
    let digest = keys::digest(job.envelope.as_bytes()).to_string();
    let services = services(&playbook, &envelope);
    Ok(Admitted { envelope, digest, steps, services })
}

fn verify(key: &PublicKey, context: Context, text: &str, signature: &str) -> Result<(), ()> {
    key.verify(context, text, signature).map_err(|_| ())
}

/// The values of those parameters that name a service.
fn services(playbook: &Playbook, envelope: &Envelope) -> Vec<String> {
    let named = playbook.parameters.iter().filter(|(_, kind)| matches!(kind, ParameterType::ServiceName));
    named
        .filter_map(|(name, _)| match envelope.parameters.get(name) {
            Some(Value::Text(service)) => Some(service.clone()),
            _ => None,
        })
        .collect()
}

/// The envelope's leg of the playbook, with parameters put in.
fn steps(playbook: &Playbook, envelope: &Envelope, limits: &Limits) -> Result<Steps, String> {
    let (first, last) = envelope.steps;
    let declared = playbook.steps_of(envelope.job.purpose);
    if first < 1 || first > last || usize::from(last) > declared.len() {
        return Err(format!("the playbook has no steps {first} to {last}"));
    }
    if usize::from(last - first) >= MAX_STEPS {
        return Err(format!("more than {MAX_STEPS} steps"));
    }
    let bound = bind(playbook, declared, &envelope.parameters, limits)?;
    let steps = (1..).zip(declared.iter().zip(bound.steps));
    let ordered = steps
        .filter(|(number, _)| (first..=last).contains(number))
        .map(|(step, (written, line))| {
            let limit_secs = written.limit_secs;
            OrderedStep { step, argv: line.argv, script: line.script, limit_secs, confined: !line.declared }
        })
        .collect();
    Ok(Steps { ordered, script_env: bound.script_env })
}

#[cfg(test)]
#[path = "admission_tests.rs"]
mod tests;
