//! `mendwright demo`: a whole installation in a fresh folder, with real agents and services to break.

pub mod breaking;
pub mod ctl;
pub mod folder;
pub mod once;
pub mod pages;
pub mod sink;
pub mod stage;
pub mod victim;
pub mod volume;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand};

use stage::Stage;

/// A service of the demo and what happens to it.
#[derive(Debug, PartialEq, Eq)]
pub struct Victim {
    /// What `demo break` calls it.
    pub name: &'static str,
    /// Its host in the demo's seed.
    pub host: &'static str,
    /// Its service, as the host declares it.
    pub service: &'static str,
    /// What breaking it shows.
    pub story: &'static str,
    /// What to see, as its card says it.
    pub caption: &'static str,
    /// What breaks it.
    pub fault: Fault,
}

/// What is done to a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// `kill -9`.
    Killed,
    /// `kill -STOP`: its process lives and its port takes connections, and nothing is answered.
    Frozen,
    /// A setting that it does not know is written into its settings, and it is killed.
    Misconfigured,
    /// The small file system that its log lies on is filled to the last byte; most of it by a log that is deleted and that
    /// the service still holds open. Its agent's own files lie there too.
    Filled,
}

impl Fault {
    /// What `demo break` says that it did.
    pub fn done(self) -> &'static str {
        match self {
            Fault::Killed => "killed",
            Fault::Frozen => "froze",
            Fault::Misconfigured => "broke the settings of and killed",
            Fault::Filled => "filled the disk of",
        }
    }
}

impl Victim {
    /// How many checks look at its host.
    pub fn checks(&self) -> i64 {
        if self.fault == Fault::Frozen { 2 } else { 1 }
    }

    /// Whether its host is hands off when it is broken.
    pub fn is_hands_off(&self) -> bool {
        self.name == "f"
    }
}

/// All of them.
pub const VICTIMS: [Victim; 6] = [
    Victim {
        name: "a",
        host: "alder-01",
        service: "website",
        story: "a web service is killed with -9: it is healed without a person",
        caption: "The website is killed with kill -9, and within seconds it runs again: a known fix did it, the same check verified it, and a mail tells of it.",
        fault: Fault::Killed,
    },
    Victim {
        name: "b",
        host: "birch-01",
        service: "booking",
        story: "a web service hangs while its process lives: only the question over HTTP sees it, and a restart heals it",
        caption: "The booking page hangs: its process lives, so the service check stays well, and only the question that the server asks over HTTP goes unanswered; a restart brings it back, and the same question verifies it.",
        fault: Fault::Frozen,
    },
    Victim {
        name: "c",
        host: "cedar-01",
        service: "archive",
        story: "a disk fills up, most of it by a deleted log that is held open: cleaning is not enough, the second rung finds the holder",
        caption: "The archive’s disk fills up to the last byte, its agent’s own files included: old logs are cleaned, the check says that this is not enough, and the next fix finds the deleted log that a process still holds open.",
        fault: Fault::Filled,
    },
    Victim {
        name: "d",
        host: "dune-01",
        service: "reports",
        story: "a problem nobody mapped: nothing is touched, a person is called",
        caption: "The report generator dies and no mapping knows a fix: nothing is touched, the incident says what comes nearest, and a person is called.",
        fault: Fault::Killed,
    },
    Victim {
        name: "e",
        host: "elm-01",
        service: "catalog",
        story: "a service with a broken configuration: started once without its cache, dead again, not fixed, the cache put back, and a person gets its last log lines",
        caption: "Somebody breaks the catalog’s settings and it dies: it is started once without its cache and dies again, the check says that this fixed nothing, the cache is put back, and a person gets the last lines of its log.",
        fault: Fault::Misconfigured,
    },
    Victim {
        name: "f",
        host: "fern-01",
        service: "shop",
        story: "a web service is killed while its host is hands off: held, and fixed after the release",
        caption: "The shop dies while somebody works on its host: the fix is held, the incident says what would have run, and your release lets it run.",
        fault: Fault::Killed,
    },
];

/// The one of this name.
pub fn find(name: &str) -> Option<&'static Victim> {
    VICTIMS.iter().find(|victim| victim.name == name)
}

/// `demo`
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Break everything without a person, check what came of it, print a table and a line of JSON.
    #[arg(long)]
    pub once: bool,
    /// Every mapping asks first: each fix waits for a yes on the page of approvals.
    #[arg(long, conflicts_with = "once")]
    pub ask_first: bool,
    /// Show every component and page with sample data at /dev/gallery.
    #[cfg(feature = "gallery")]
    #[arg(long)]
    pub gallery: bool,
    /// Leave the folder behind, for a look at its logs.
    #[arg(long)]
    pub keep: bool,
    /// Break one service of a demo that runs.
    #[command(subcommand)]
    pub command: Option<DemoCommand>,
}

/// Under `demo`.
#[derive(Debug, Subcommand)]
pub enum DemoCommand {
    /// Break one service of a demo that runs.
    Break {
        /// Which: a, b, c, d, e or f.
        name: String,
        /// The demo's folder [default: the newest].
        #[arg(long)]
        folder: Option<PathBuf>,
    },
}

/// Runs `demo` and what stands under it.
pub async fn run(args: DemoArgs) -> Result<ExitCode> {
    if let Some(DemoCommand::Break { name, folder }) = args.command {
        let victim = find(&name)
            .with_context(|| format!("there is no {name:?}; there are {}", VICTIMS.map(|v| v.name).join(", ")))?;
        let folder = folder.map_or_else(folder::newest, Ok)?;
        breaking::by_command(victim, &folder).await?;
        return Ok(ExitCode::SUCCESS);
    }
    let stop = crate::stop_signal()?;
    tokio::pin!(stop);
    let mut stage = Stage::claim(args.ask_first)?;
    #[cfg(feature = "gallery")]
    if args.gallery {
        stage.also = web::gallery();
    }
    println!("The demo's folder is {}", stage.folder().display());
    let played = tokio::select! {
        played = play(&mut stage, args.once) => played,
        () = &mut stop => {
            println!();
            if args.once { Err(anyhow::anyhow!("stopped before the end")) } else { Ok(true) }
        }
    };
    if !matches!(played, Ok(true)) {
        stage.print_logs();
    }
    stage.stop(args.keep).await;
    let verdict = played?;
    // The line that scripts read is the last of all.
    if let Some(line) = verdict_line(&stage) {
        println!("{line}");
    }
    Ok(match verdict {
        true if args.once && !stage.has_volume() => ExitCode::from(LEFT_OUT),
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// All went well, but not everything could be shown.
const LEFT_OUT: u8 = 3;

fn verdict_line(stage: &Stage) -> Option<String> {
    stage.report.as_ref().map(|report| report.to_string())
}

/// Until it is over: with `once` by itself, otherwise never.
async fn play(stage: &mut Stage, once: bool) -> Result<bool> {
    stage.rise().await?;
    if once {
        return once::play(stage).await;
    }
    stage.print_invitation();
    match stage.first_to_end().await {
        Some(host) => bail!("the agent of {host} has ended"),
        None => std::future::pending().await,
    }
}
