//! `mendwright interlock`: a program (a backup, an update) keeps repairs away from where it works, while it works.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use jiff::SignedDuration;
use store::auth::OperatorTx;
use store::configuration::{self, Machine};
use store::remediate::interlocks;
use store::remediate::runs::{self, Running};
use store::remediate::stops::{self, Place};
use store::{Store, fleet};
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};
use uuid::Uuid;

use crate::cli::{Hold, Interlock};
use crate::config::Urls;
use crate::node::open_store;
use crate::seed::choose_tenant;

/// The longest an interlock may be asked for: what takes longer is maintenance, and people plan it.
const LONGEST: SignedDuration = SignedDuration::from_hours(24);
/// How often it is looked whether what was permitted before has ended.
const LOOK: Duration = Duration::from_millis(500);
/// Nothing was started: repairs that were permitted before were still at work. `EX_TEMPFAIL` of sysexits.h: try again.
const STILL_RUNNING: u8 = 75;
/// A command that a signal ended, as shells tell it.
const BY_SIGNAL: i32 = 128;

/// Runs it.
pub async fn run(command: Interlock) -> Result<ExitCode> {
    match command {
        Interlock::Hold(hold) => {
            let desk = Desk::open(hold.at.clone().url()?, hold.tenant.as_deref()).await?;
            hold_and_run(&desk, hold).await
        }
        Interlock::List { tenant, at } => {
            let desk = Desk::open(at.url()?, tenant.as_deref()).await?;
            for line in desk.list().await? {
                println!("{line}");
            }
            Ok(ExitCode::SUCCESS)
        }
        Interlock::Release { interlock_id, tenant, at } => {
            let desk = Desk::open(at.url()?, tenant.as_deref()).await?;
            if !desk.release(interlock_id).await? {
                bail!("no interlock {interlock_id} holds; `mendwright interlock list` tells which do");
            }
            println!("Released. What it held is decided anew.");
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// One organization, as the operator on the server's own machine reaches it.
pub struct Desk {
    store: Store,
    owner: String,
    tenant_id: Uuid,
}

impl Desk {
    /// Finds the organization; without a name, the only one.
    ///
    /// # Errors
    /// The database cannot be reached, or it cannot be told which organization is meant.
    pub async fn open(owner: String, tenant: Option<&str>) -> Result<Desk> {
        let store = open_store(&Urls { tenant: owner.clone(), system: owner.clone() })?;
        let tenant_id = choose_tenant(&store, &owner, tenant).await?;
        Ok(Desk { store, owner, tenant_id })
    }

    async fn tx(&self) -> Result<store::TenantTx> {
        Ok(OperatorTx::begin(&self.store, &self.owner).await?.into_tenant(self.tenant_id).await?)
    }

    /// The place of a client's name and a host's; without both, the organization.
    ///
    /// # Errors
    /// There is none of that name, or more than one.
    pub async fn place(&self, client: Option<&str>, host: Option<&str>) -> Result<Place> {
        let mut tx = self.tx().await?;
        let Some(name) = client else { return Ok(Place::Tenant) };
        let all = fleet::list_clients(&mut tx).await?;
        let Some(client) = all.iter().find(|client| client.name == name) else {
            bail!("--client: there is no client {name:?}");
        };
        let Some(name) = host else { return Ok(Place::Client(client.client_id)) };
        let hosts = configuration::list_hosts(&mut tx).await?;
        let mut fitting = hosts.iter().filter(|host| host.client_id == client.client_id && host.name == name);
        let enrolled = fitting.find_map(|host| match host.machine {
            Machine::Enrolled(host_id) => Some(host_id),
            Machine::Planned(_) => None,
        });
        match enrolled {
            Some(host_id) => Ok(Place::Host { client_id: client.client_id, host_id }),
            None => bail!("--host: {} has no enrolled host {name:?}", client.name),
        }
    }

    /// Sets one.
    ///
    /// # Errors
    /// The store refused.
    pub async fn set(&self, place: Place, lasts: SignedDuration, reason: &str, by: &str) -> Result<interlocks::Set> {
        let mut tx = self.tx().await?;
        let set = interlocks::insert(&mut tx, place, lasts, reason, by).await?;
        tx.commit().await?;
        Ok(set)
    }

    async fn running(&self, place: Place) -> Result<Vec<Running>> {
        Ok(runs::list_running(&mut self.tx().await?, &place.jobs()).await?)
    }

    /// Ends one; false: it had ended.
    ///
    /// # Errors
    /// The store refused.
    pub async fn release(&self, interlock_id: Uuid) -> Result<bool> {
        let mut tx = self.tx().await?;
        let released = interlocks::release(&mut tx, interlock_id, "mendwright interlock").await?;
        tx.commit().await?;
        Ok(released)
    }

    /// What holds now, a line each.
    ///
    /// # Errors
    /// The store refused.
    pub async fn list(&self) -> Result<Vec<String>> {
        let all = stops::list(&mut self.tx().await?, 1000).await?;
        let line = |stop: stops::Standing| {
            let place = match (stop.client, stop.host) {
                (Some(client), Some(host)) => format!("host {host} of {client}"),
                (Some(client), None) => format!("client {client}"),
                _ => "the organization".to_owned(),
            };
            let (kind, by, reason) = (stop.kind.label(), stop.by, stop.reason);
            format!("{}  {kind} on {place} until {} by {by}: {reason}", stop.id, stop.ends_at)
        };
        Ok(all.into_iter().map(line).collect())
    }
}

async fn hold_and_run(desk: &Desk, hold: Hold) -> Result<ExitCode> {
    if hold.reason.trim().is_empty() {
        bail!("--reason is empty: say what works there; the host's page shows it");
    }
    if !hold.lasts.is_positive() || hold.lasts > LONGEST {
        bail!("--for is {:#}: say more than 0 and at most 24h", hold.lasts);
    }
    let place = desk.place(hold.client.as_deref(), hold.host.as_deref()).await?;
    let by = hold.command.first().map_or("interlock", String::as_str);
    let by = by.rsplit('/').next().unwrap_or(by);
    // Before it is set: from now on a signal ends the command and not us, for we have to release it.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let set = desk.set(place, hold.lasts, hold.reason.trim(), by).await?;
    eprintln!("interlock {} until {}", set.interlock_id, set.ends_at);
    let outcome = tokio::select! {
        still = wait_for(desk, place, set.running, hold.wait) => still,
        _ = interrupt.recv() => Err(anyhow::anyhow!("interrupted before the command began")),
        _ = terminate.recv() => Err(anyhow::anyhow!("ended before the command began")),
    };
    let outcome = match outcome {
        Ok(still) if still.is_empty() => {
            let limit = hold.lasts.try_into().unwrap_or(Duration::ZERO);
            command(&hold.command, limit, &mut interrupt, &mut terminate).await
        }
        Ok(still) => {
            for run in still {
                eprintln!("still running: {} on {}, since {}", run.playbook, run.host, run.since);
            }
            eprintln!("the command was not started; --wait says how long to wait for them");
            Ok(ExitCode::from(STILL_RUNNING))
        }
        Err(error) => Err(error),
    };
    // Whatever came of it, repairs go on.
    if !desk.release(set.interlock_id).await? {
        eprintln!("the interlock had ended before its release");
    }
    outcome
}

/// Waits until what was permitted before has ended; answers what has not.
async fn wait_for(desk: &Desk, place: Place, running: Vec<Running>, wait: SignedDuration) -> Result<Vec<Running>> {
    let looks = wait.as_millis().max(0) as u128 / LOOK.as_millis();
    let mut running = running;
    for _ in 0..looks {
        if running.is_empty() {
            break;
        }
        tokio::time::sleep(LOOK).await;
        running = desk.running(place).await?;
    }
    Ok(running)
}

async fn command(
    argv: &[String],
    limit: Duration,
    interrupt: &mut tokio::signal::unix::Signal,
    terminate: &mut tokio::signal::unix::Signal,
) -> Result<ExitCode> {
    let [program, args @ ..] = argv else { bail!("no command was given") };
    let mut child = Command::new(program).args(args).spawn().with_context(|| format!("{program} cannot be started"))?;
    let ends = tokio::time::sleep(limit);
    tokio::pin!(ends);
    let mut ended = false;
    let status = loop {
        tokio::select! {
            status = child.wait() => break status?,
            () = &mut ends, if !ended => {
                ended = true;
                eprintln!("the interlock has ended while {program} still runs: repairs may begin again");
            }
            // The terminal sent it to the command too; it decides.
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {
                if let Some(pid) = child.id().and_then(|pid| i32::try_from(pid).ok()) {
                    let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGTERM);
                }
            }
        }
    };
    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
    let code = status.code().unwrap_or_else(|| BY_SIGNAL + signal.unwrap_or(0));
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)))
}
