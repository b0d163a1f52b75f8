//! A victim: a tiny HTTP service that really runs, can be killed, and writes its pid file like any daemon.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

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

    /// The pid, if that process lives and is this victim: pids are used again, and a zombie is dead.
    pub fn living(&self) -> Option<i32> {
        let pid = self.pid()?;
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let state = stat.rsplit_once(") ")?.1.chars().next()?;
        let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
        let ours = words.contains(&"demo-victim".as_bytes()) && words.contains(&self.0.as_os_str().as_encoded_bytes());
        (ours && !"ZX".contains(state)).then_some(pid)
    }
}

/// Runs until it is told to end; then its pid file is gone, as after any clean stop.
pub async fn run(dir: &Path) -> Result<()> {
    let files = Files::new(dir);
    // Whoever started us may end; we go on in a session of our own.
    let _ = nix::unistd::setsid();
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, files.port().unwrap_or(0)));
    let listener = TcpListener::bind(wanted).await.with_context(|| format!("{wanted} cannot be listened on"))?;
    write_whole(&files.port_file(), &listener.local_addr()?.port().to_string())?;
    write_whole(&files.pid_file(), &std::process::id().to_string())?;
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                tokio::spawn(answer(stream));
            },
        }
    }
    fs::remove_file(files.pid_file())?;
    Ok(())
}

async fn answer(mut stream: TcpStream) {
    let mut request = [0; 1024];
    if stream.read(&mut request).await.is_ok() {
        let body = "open for business\n";
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
        drop(stream.write_all(format!("{head}{body}").as_bytes()).await);
    }
}

fn write_whole(path: &Path, text: &str) -> Result<()> {
    let fresh = path.with_extension("new");
    fs::write(&fresh, text)?;
    fs::rename(&fresh, path).with_context(|| format!("{} cannot be written", path.display()))
}
