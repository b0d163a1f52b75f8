//! From an admitted job to a runner: the order it reads, and its process.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use runner::confine::Confinement;
use runner::record::Order;
use runner::spawn::own_session;
use uuid::Uuid;
use wire::v1::{Envelope, Purpose};

use super::Notes;
use super::admission::Steps;

/// The order for a job.
pub(super) fn order(
    envelope: &Envelope,
    Steps { ordered: steps, script_env }: Steps,
    boot_id: Uuid,
    digest: &str,
    deadline: Duration,
    confinement: &Confinement,
) -> Order {
    let job = envelope.job;
    let purpose = match job.purpose {
        Purpose::Fix => "fix",
        Purpose::Undo => "undo",
        Purpose::Diagnostics => "diagnostics",
    };
    let env = [
        ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned()),
        ("LC_ALL", "C.UTF-8".to_owned()),
        ("MENDWRIGHT_RUN", job.run_id.to_string()),
        ("MENDWRIGHT_PURPOSE", purpose.to_owned()),
        ("MENDWRIGHT_LEG", job.leg.to_string()),
        ("MENDWRIGHT_ATTEMPT", job.attempt.to_string()),
    ];
    let deadline_nanos = u64::try_from(deadline.as_nanos()).unwrap_or(u64::MAX);
    Order {
        job: serde_json::json!(job),
        fence: envelope.fence,
        notes: serde_json::json!(Notes { digest: digest.to_owned(), deadline_nanos }),
        boot_id: boot_id.to_string(),
        steps,
        limit_secs: envelope.limit_secs,
        env: env.map(|(name, value)| (name.to_owned(), value)).to_vec(),
        script_env,
        confinement: confinement.clone(),
    }
}

/// Starts the runner: a session of its own, an empty environment, and nothing of ours held open.
pub(super) fn spawn(program: &Path, dir: &Path, slot: u16, fence: i64) -> std::io::Result<Child> {
    let mut command = Command::new(program);
    command
        .arg("runner")
        .arg("--dir")
        .arg(dir)
        .args(["--slot", &slot.to_string(), "--fence", &fence.to_string()])
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    #[cfg(feature = "crash-points")]
    for name in runner::crash::VARIABLES {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    own_session(&mut command).spawn()
}
