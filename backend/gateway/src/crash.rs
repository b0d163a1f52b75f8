//! Named points at which a test has the server die as if by `kill -9`.
//!
//! With the feature `crash-points`: `MENDWRIGHT_SERVER_CRASH=<point>` kills the process with SIGKILL at the point, if
//! the file `MENDWRIGHT_SERVER_CRASH_ARMED` is there; it is removed first. Without the feature, nothing.

/// Does what the environment asks for at the point `name`.
#[cfg(feature = "crash-points")]
pub fn point(name: &str) {
    if !std::env::var("MENDWRIGHT_SERVER_CRASH").is_ok_and(|wanted| wanted == name) {
        return;
    }
    let armed = std::env::var("MENDWRIGHT_SERVER_CRASH_ARMED").is_ok_and(|file| std::fs::remove_file(file).is_ok());
    if armed {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
}

/// Nothing.
#[cfg(not(feature = "crash-points"))]
pub fn point(_name: &str) {}
