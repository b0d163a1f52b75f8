//! Settings of a node, and the places of an installation's files.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

/// How a node speaks to browsers and agents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// TLS, with a certificate of the installation's own authority.
    Tls,
    /// Plain HTTP beside TLS, told apart by the first byte; on loopback only.
    InsecureLoopback,
}

/// Where the rows are.
#[derive(Debug, Clone)]
pub struct Urls {
    /// Login `app_login`.
    pub tenant: String,
    /// Login `app_system`.
    pub system: String,
}

/// What a node needs to know.
#[derive(Debug, Clone)]
pub struct NodeConfig {
    /// Where to listen; port 0: one from the kernel.
    pub listen: SocketAddr,
    /// How.
    pub transport: Transport,
    /// How people and agents reach us; none: from the address we listen on.
    pub public_url: Option<String>,
    /// The agent's program that machines are given; none: the one beside this program, if there is one.
    pub agent_binary: Option<PathBuf>,
    /// Where mail goes; none: it stays in the outbox.
    pub smtp: Option<String>,
    /// The address mail comes from.
    pub mail_from: String,
    /// Where this node's probes may go beside public addresses. Never in anything that a tenant writes.
    pub allow_egress: Vec<probe::Allowed>,
    /// The proxies whose word of who a request comes from is taken.
    pub trusted_proxies: Vec<ipnet::IpNet>,
}

impl NodeConfig {
    /// Refuses plain HTTP to the world.
    pub fn check(&self) -> Result<()> {
        ensure!(
            self.transport == Transport::Tls || self.listen.ip().is_loopback(),
            "--insecure-loopback speaks plain HTTP, so it listens on loopback only, not on {}",
            self.listen.ip()
        );
        if let Some(url) = &self.public_url {
            let scheme = if self.transport == Transport::Tls { "https://" } else { "http://" };
            let host = url.strip_prefix(scheme).or_else(|| url.strip_prefix("https://"));
            ensure!(
                host.is_some_and(|h| !h.is_empty() && !h.contains('/')),
                "--public-url is {scheme} with a host, and no path"
            );
        }
        Ok(())
    }

    /// How people and agents reach a node that listens on `addr`.
    pub fn public_url(&self, addr: SocketAddr) -> String {
        self.public_url.clone().unwrap_or_else(|| {
            let scheme = if self.transport == Transport::Tls { "https" } else { "http" };
            let host = if addr.ip().is_unspecified() { host_name() } else { bracketed(addr) };
            format!("{scheme}://{host}:{}", addr.port())
        })
    }

    /// The names our certificate is for.
    pub fn certificate_names(&self) -> Vec<String> {
        let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
        let mut add = |name: String| {
            if !name.is_empty() && !names.contains(&name) {
                names.push(name);
            }
        };
        add(host_name());
        if !self.listen.ip().is_unspecified() {
            add(self.listen.ip().to_string());
        }
        if let Some(url) = &self.public_url {
            add(url_host(url));
        }
        names
    }
}

fn bracketed(addr: SocketAddr) -> String {
    if addr.is_ipv6() { format!("[{}]", addr.ip()) } else { addr.ip().to_string() }
}

/// The host of a URL, without port and brackets.
pub fn url_host(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    match authority.strip_prefix('[').and_then(|a| a.split_once(']')) {
        Some((v6, _)) => v6.to_owned(),
        None => authority.rsplit_once(':').map_or(authority, |(host, _)| host).to_owned(),
    }
}

fn host_name() -> String {
    nix::unistd::gethostname().ok().and_then(|n| n.into_string().ok()).unwrap_or_else(|| "localhost".into())
}

/// The folder of an installation: the cluster and, beside it and never inside it, the keys.
#[derive(Debug, Clone)]
pub struct DataFolder(PathBuf);

impl DataFolder {
    /// Makes it. The server's account passes through it without reading it.
    pub fn claim(root: &Path) -> Result<DataFolder> {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::create_dir_all(root).with_context(|| format!("{} cannot be made", root.display()))?;
        let root = std::fs::canonicalize(root)?;
        std::fs::set_permissions(&root, std::fs::Permissions::from_mode(0o711))
            .with_context(|| format!("{} is not ours to use", root.display()))?;
        Ok(DataFolder(root))
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.0
    }

    /// The embedded PostgreSQL.
    pub fn cluster(&self) -> PathBuf {
        self.0.join("cluster")
    }

    /// Master key, authority, server certificate.
    pub fn keys(&self) -> PathBuf {
        self.0.join("keys")
    }
}

/// Where data is kept when nobody says: outside any checkout.
pub fn default_data(env: impl Fn(&str) -> Option<String>) -> PathBuf {
    if nix::unistd::Uid::effective().is_root() {
        return PathBuf::from("/var/lib/mendwright");
    }
    match (env("XDG_DATA_HOME"), env("HOME")) {
        (Some(xdg), _) if xdg.starts_with('/') => Path::new(&xdg).join("mendwright"),
        (_, Some(home)) => Path::new(&home).join(".local/share/mendwright"),
        _ => PathBuf::from("/var/lib/mendwright"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_stays_on_loopback() {
        let mut config = NodeConfig {
            listen: "0.0.0.0:80".parse().unwrap(),
            transport: Transport::InsecureLoopback,
            public_url: None,
            agent_binary: None,
            smtp: None,
            mail_from: "m@example.test".into(),
            allow_egress: Vec::new(),
            trusted_proxies: Vec::new(),
        };
        assert!(config.check().is_err());
        config.listen = "127.0.0.1:80".parse().unwrap();
        assert!(config.check().is_ok());
        assert_eq!(config.public_url(config.listen), "http://127.0.0.1:80");
    }

    #[test]
    fn a_urls_host_has_no_port() {
        assert_eq!(url_host("https://mend.example.com:8443/x"), "mend.example.com");
        assert_eq!(url_host("https://[::1]:1"), "::1");
        assert_eq!(url_host("https://mend.example.com"), "mend.example.com");
    }
}
