//! From an admitted job to a runner: the order it reads, and its process.

use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use runner::confine::Confinement;
use runner::record::Order;
use runner::spawn::own_session;
use rustix::fs::{OFlags, fcntl_setfl};
use uuid::Uuid;
use wire::v1::{Envelope, Purpose};

use super::Notes;
use super::admission::Steps;
use crate::service::systemd::scope::Scope;

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

/// The most that is read of what a runner says of its scope, in bytes.
const SAID_BYTES: u64 = 512;

/// Starts the runner: a session of its own, an empty environment, and nothing of ours held open. It is to go to `scope` first, and
/// says why it could not.
pub(super) fn spawn(
    program: &Path,
    dir: &Path,
    slot: u16,
    fence: i64,
    scope: Option<&Scope>,
) -> std::io::Result<Child> {
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
    if let Some(scope) = scope {
        command.arg("--scope").arg(scope.argument()?).stdout(Stdio::piped());
    }
    #[cfg(feature = "crash-points")]
    for name in runner::crash::VARIABLES {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    own_session(&mut command).spawn()
}

/// Why the runner `child`, which has begun, is in no scope of its own: nothing if it is; none if it was not to be, or was heard before.
pub(super) fn unscoped(child: &mut Child) -> Option<String> {
    let stdout = child.stdout.take()?;
    // It is said before the run begins; whatever else might hold the pipe is not waited for.
    fcntl_setfl(&stdout, OFlags::NONBLOCK).ok()?;
    let mut said = Vec::new();
    let _ = stdout.take(SAID_BYTES).read_to_end(&mut said);
    Some(String::from_utf8_lossy(&said).trim().to_owned())
}
