//! Between the words of the wire and those of the domain and the store.

use domain::detect as d;
use store::remediate::jobs;
use wire::v1 as w;

/// What was seen.
pub fn seen(seen: w::Seen) -> d::Seen {
    match seen {
        w::Seen::NoData { why } => d::Seen::NoData { why },
        w::Seen::Data(readings) => d::Seen::Data(readings.into_iter().map(|(k, v)| (k, value(v))).collect()),
    }
}

fn value(value: w::Value) -> d::Value {
    match value {
        w::Value::Number(n) => d::Value::Number(n),
        w::Value::Text(t) => d::Value::Text(t),
    }
}

/// A comparison, as the agent evaluates it.
pub fn comparison(c: &d::Comparison) -> w::Comparison {
    let op = match c.op {
        d::Op::Eq => w::Op::Eq,
        d::Op::Ne => w::Op::Ne,
        d::Op::Lt => w::Op::Lt,
        d::Op::Le => w::Op::Le,
        d::Op::Gt => w::Op::Gt,
        d::Op::Ge => w::Op::Ge,
    };
    let value = match &c.value {
        d::Value::Number(n) => w::Value::Number(*n),
        d::Value::Text(t) => w::Value::Text(t.clone()),
    };
    w::Comparison { reading: c.reading.clone(), op, value }
}

/// The kinds that an agent looks at; none: the server looks itself.
pub fn kind(kind: d::Kind) -> Option<w::CheckKind> {
    match kind {
        d::Kind::Service => Some(w::CheckKind::Service),
        d::Kind::Disk => Some(w::CheckKind::Disk),
        d::Kind::Process => Some(w::CheckKind::Process),
        d::Kind::Heartbeat | d::Kind::Http | d::Kind::Tcp | d::Kind::Ssh => None,
    }
}

/// A job's name in the store.
pub fn stored_key(job: &w::JobKey) -> jobs::JobKey {
    let purpose = match job.purpose {
        w::Purpose::Fix => "fix",
        w::Purpose::Undo => "undo",
        w::Purpose::Diagnostics => "diagnostics",
    };
    jobs::JobKey { run_id: job.run_id, purpose: purpose.to_owned(), leg: job.leg, attempt: job.attempt }
}

/// A job's name on the wire.
pub fn wire_key(key: &jobs::JobKey) -> w::JobKey {
    let purpose = match key.purpose.as_str() {
        "undo" => w::Purpose::Undo,
        "diagnostics" => w::Purpose::Diagnostics,
        _ => w::Purpose::Fix,
    };
    w::JobKey { run_id: key.run_id, purpose, leg: key.leg, attempt: key.attempt }
}
