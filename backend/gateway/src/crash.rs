//! Named points at which a test may have the server die as if by `kill -9`.

/// Dies here if the feature is on and `MENDWRIGHT_SERVER_CRASH` names this point.
#[cfg(feature = "crash-points")]
pub fn point(name: &str) {
    if std::env::var("MENDWRIGHT_SERVER_CRASH").is_ok_and(|wanted| wanted == name) {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
}

/// Nothing.
#[cfg(not(feature = "crash-points"))]
pub fn point(_name: &str) {}
