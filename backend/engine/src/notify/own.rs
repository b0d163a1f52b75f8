//! An organization's own relay: opened for one mail, at addresses that the connector has judged.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use domain::relay::{Relay, Tls};
use domain::secret::Kind;
use keys::Secret;
use keys::seal::MasterKey;
use mail::{Encrypted, Limits, Mailer, Smtp};
use probe::Connector;
use store::{TenantTx, mail_relays};

use crate::secret;

/// The longest that a name's look-up may take: far less than a mail is leased for.
const NAMES: Duration = Duration::from_secs(10);
/// The longest that is kept of what a relay said.
const REASON: usize = 300;

/// How relays of organizations are reached.
#[derive(Clone)]
pub struct Own {
    /// Judges where they are.
    pub connector: Connector,
    /// Opens their passwords.
    pub master: Arc<MasterKey>,
}

impl fmt::Debug for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Own")
    }
}

/// An organization's relay and what signs in there; or why it cannot be used.
pub struct Route {
    /// The relay.
    pub relay: Relay,
    login: Result<Option<(String, Secret)>, String>,
}

impl Own {
    /// The relay of the transaction's organization, with its password.
    pub async fn find(&self, tx: &mut TenantTx) -> store::Result<Option<Route>> {
        let Some(stored) = mail_relays::find(tx).await? else { return Ok(None) };
        let relay = stored.relay;
        let Some(login) = &relay.login else { return Ok(Some(Route { relay, login: Ok(None) })) };
        let password = secret::open(tx, &self.master, &login.secret, Kind::SmtpPassword).await?;
        let login = password.map(|password| Some((login.user.clone(), password)));
        Ok(Some(Route { relay, login }))
    }

    /// What sends by it.
    ///
    /// # Errors
    /// Why it cannot be used, a sentence.
    pub async fn open(&self, route: &Route) -> Result<Mailer, String> {
        let login = route.login.as_ref().map_err(Clone::clone)?;
        let Relay { host, port, tls, .. } = &route.relay;
        let place = route.relay.place().ok_or("its name is none")?;
        let judged = tokio::time::timeout(NAMES, self.connector.judged(&place, *port)).await;
        let judged = judged.map_err(|_| format!("no name server answered within {} s", NAMES.as_secs()))?;
        let addresses = judged.map_err(|failure| failure.to_string())?;
        let encrypted = match tls {
            Tls::Starttls => Encrypted::Starttls,
            Tls::Implicit => Encrypted::AtOnce,
        };
        let login = login.as_ref().map(|(user, password)| (user.clone(), password.reveal().to_owned()));
        let relay = mail::Relay::judged(host.clone(), *port, encrypted, login, addresses);
        Ok(Mailer::Smtp(Smtp::new(relay, Limits::default())))
    }
}

impl Route {
    /// What a relay said, without what it was told.
    pub fn without_password(&self, reason: &str) -> String {
        let reason = match &self.login {
            Ok(Some((_, password))) => reason.replace(password.reveal(), "…"),
            _ => reason.to_owned(),
        };
        reason.chars().filter(|c| !c.is_control()).take(REASON).collect()
    }
}
