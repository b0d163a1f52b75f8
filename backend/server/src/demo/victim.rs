//! A victim: a tiny HTTP service that really runs, can be killed, and writes its pid file like any daemon.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::volume;

/// The files of a victim.
#[derive(Debug, Clone)]
pub struct Files(PathBuf);

impl Files {
    /// In `dir`.
    pub fn new(dir: &Path) -> Files {
        Files(dir.to_owned())
    }

    /// Of the service on `host` of the demo in `folder`.
    pub fn of(folder: &Path, host: &str) -> Files {
        Files(folder.join(host).join("service"))
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.0
    }

    /// Where its pid stands while it runs, and after it was killed.
    pub fn pid_file(&self) -> PathBuf {
        self.0.join("pid")
    }

    /// Where it listens; kept, so that it comes back at the same place.
    fn port_file(&self) -> PathBuf {
        self.0.join("port")
    }

    /// What it is told before it starts.
    fn settings_file(&self) -> PathBuf {
        self.0.join("settings")
    }

    /// Sound settings.
    pub fn write_settings(&self) -> Result<()> {
        write_whole(&self.settings_file(), &format!("greeting = {GREETING}\n"))
    }

    /// Adds a setting that nobody knows, as a hurried hand does.
    pub fn break_settings(&self) -> Result<()> {
        let text = fs::read_to_string(self.settings_file()).unwrap_or_default();
        write_whole(&self.settings_file(), &format!("{text}greting = back at noon\n"))
    }

    /// What it is to answer with.
    fn greeting(&self) -> Result<String> {
        match fs::read_to_string(self.settings_file()) {
            Ok(text) => greeting(&text),
            Err(_) => Ok(GREETING.to_owned()),
        }
    }

    /// The small file system that its log lies on, where it has one.
    pub fn disk(&self) -> Option<PathBuf> {
        Some(self.0.parent()?.join(DISK)).filter(|at| at.is_dir())
    }

    /// What it has read before, so as not to read it again.
    fn cache(&self) -> PathBuf {
        self.0.join("cache")
    }

    /// Whether its cache is where it keeps it, and whole.
    pub fn has_cache(&self) -> bool {
        self.cache().join(CACHED).is_file()
    }

    /// What it says.
    pub fn log(&self) -> PathBuf {
        self.0.join("log")
    }

    /// The pid in the pid file.
    pub fn pid(&self) -> Option<i32> {
        fs::read_to_string(self.pid_file()).ok()?.trim().parse().ok()
    }

    /// The port it was last at.
    pub fn port(&self) -> Option<u16> {
        fs::read_to_string(self.port_file()).ok()?.trim().parse().ok()
    }

    /// Whether its process lives and is stopped by a signal.
    pub fn is_frozen(&self) -> bool {
        self.living().and_then(state).is_some_and(|state| matches!(state, 'T' | 't'))
    }

    /// The pid, if that process lives and is this victim: pids are used again, and a zombie is dead.
    pub fn living(&self) -> Option<i32> {
        let pid = self.pid()?;
        let state = state(pid)?;
        let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
        let ours = words.contains(&"demo-victim".as_bytes()) && words.contains(&self.0.as_os_str().as_encoded_bytes());
        (ours && !"ZX".contains(state)).then_some(pid)
    }
}

/// Beside a service's folder.
pub const DISK: &str = "disk";

/// A file of the cache.
const CACHED: &str = "index";

/// What a service says that nobody told otherwise.
const GREETING: &str = "open for business";

/// The state of a process, in the kernel's letter.
fn state(pid: i32) -> Option<char> {
    fs::read_to_string(format!("/proc/{pid}/stat")).ok()?.rsplit_once(") ")?.1.chars().next()
}

/// Reads settings: one `name = value` a line.
fn greeting(text: &str) -> Result<String> {
    let mut greeting = GREETING.to_owned();
    for (number, line) in (1..).zip(text.lines()) {
        match line.split_once('=').map(|(name, value)| (name.trim(), value.trim())) {
            Some(("greeting", value)) => greeting = value.to_owned(),
            Some((name, _)) => bail!("settings, line {number}: there is no setting {name:?}"),
            None if line.trim().is_empty() => {}
            None => bail!("settings, line {number}: {line:?} is no setting"),
        }
    }
    Ok(greeting)
}

/// Runs until it is told to end; then its pid file is gone, as after any clean stop.
pub async fn run(dir: &Path) -> Result<()> {
    let files = Files::new(dir);
    // Whoever started us may end; we go on in a session of our own.
    let _ = nix::unistd::setsid();
    let greeting = files.greeting()?;
    let _log = files.disk().map(|at| volume::open_log(&at)).transpose()?;
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, files.port().unwrap_or(0)));
    let listener = TcpListener::bind(wanted).await.with_context(|| format!("{wanted} cannot be listened on"))?;
    fs::create_dir_all(files.cache())?;
    write_whole(&files.cache().join(CACHED), "what was read before\n")?;
    write_whole(&files.port_file(), &listener.local_addr()?.port().to_string())?;
    write_whole(&files.pid_file(), &std::process::id().to_string())?;
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                tokio::spawn(answer(stream, greeting.clone()));
            },
        }
    }
    fs::remove_file(files.pid_file())?;
    Ok(())
}

async fn answer(mut stream: TcpStream, greeting: String) {
    let mut request = [0; 1024];
    if stream.read(&mut request).await.is_ok() {
        let body = format!("{greeting}\n");
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
        drop(stream.write_all(format!("{head}{body}").as_bytes()).await);
    }
}

fn write_whole(path: &Path, text: &str) -> Result<()> {
    let fresh = path.with_extension("new");
    fs::write(&fresh, text)?;
    fs::rename(&fresh, path).with_context(|| format!("{} cannot be written", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_nobody_knows_are_an_error_with_their_line() {
        assert_eq!(greeting("greeting = hello\n\n").unwrap(), "hello");
        let error = greeting("greeting = hello\ngreting = back at noon\n").unwrap_err().to_string();
        assert_eq!(error, "settings, line 2: there is no setting \"greting\"");
    }
}
