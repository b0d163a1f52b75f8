//! What changed, told to whoever looks at pages: who may see it and which page it is on, never what it says.
//!
//! A transaction notes what it changes; after its commit this node's readers hear it at once and the other nodes' soon
//! ([`crate::wake`]). Nothing is lost with a change that is not told: a page is read again now and then anyway.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard};

use tokio::sync::{Notify, broadcast};
use uuid::Uuid;

use crate::TenantScope;

/// A reader who is this many changes behind has lost count, and is told so.
const KEPT: usize = 1_024;
/// More changes than these wait for no other node: their pages are read again a little later.
const UNTOLD: usize = 4_096;
/// More things than these of one kind in one transaction are told as "some of this kind".
const NAMED: usize = 64;

/// What kind of thing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// An incident: its state, its runs, its mails, what is written of it.
    Incident,
    /// A host: its checks, its link, its trust.
    Host,
    /// A host's figures, every few seconds: only a page that shows them wants to know.
    Figures,
    /// What limits acting, or what a person did: hands off, stops, breakers, proposed changes.
    Guardrail,
}

impl Kind {
    const ALL: [Kind; 4] = [Kind::Incident, Kind::Host, Kind::Figures, Kind::Guardrail];

    /// Its word, as pages name it.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Incident => "incident",
            Kind::Host => "host",
            Kind::Figures => "figures",
            Kind::Guardrail => "guardrail",
        }
    }
}

/// That something changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Change {
    /// Whose.
    pub tenant_id: Uuid,
    /// What kind of thing.
    pub kind: Kind,
    /// Of which client; none: of the whole tenant.
    pub client_id: Option<Uuid>,
    /// Which one; none: some of this kind.
    pub id: Option<Uuid>,
}

impl Change {
    /// Whether a member of this scope may know of it: what they may read, and no more.
    pub fn is_for(&self, scope: &TenantScope) -> bool {
        self.tenant_id == scope.tenant_id
            && match (&scope.client_ids, self.client_id) {
                (None, _) => true,
                (Some(theirs), Some(client)) => theirs.contains(&client),
                // A stop of the whole tenant is on everybody's page.
                (Some(_), None) => self.kind == Kind::Guardrail,
            }
    }

    /// As the nodes tell it to each other.
    fn said(&self) -> String {
        let or_none = |id: Option<Uuid>| id.map_or_else(|| "-".to_owned(), |id| id.simple().to_string());
        format!("{} {} {} {}", self.tenant_id.simple(), self.kind.word(), or_none(self.client_id), or_none(self.id))
    }

    fn parse(said: &str) -> Option<Change> {
        let [tenant, kind, client, id] = said.split(' ').collect::<Vec<_>>()[..] else { return None };
        let maybe = |text: &str| if text == "-" { Some(None) } else { Uuid::try_parse(text).ok().map(Some) };
        Some(Change {
            tenant_id: Uuid::try_parse(tenant).ok()?,
            kind: Kind::ALL.into_iter().find(|known| known.word() == kind)?,
            client_id: maybe(client)?,
            id: maybe(id)?,
        })
    }
}

/// What one transaction changes.
#[derive(Debug, Default)]
pub(crate) struct Noted(HashSet<Change>);

impl Noted {
    pub(crate) fn note(&mut self, change: Change) {
        let id = change.id.filter(|_| self.0.len() < NAMED);
        self.0.insert(Change { id, ..change });
    }
}

/// This node's readers, and what the other nodes' have not been told yet.
#[derive(Debug)]
pub(crate) struct Live {
    readers: Mutex<Option<broadcast::Sender<Change>>>,
    untold: Mutex<HashSet<Change>>,
    pub(crate) news: Notify,
}

impl Default for Live {
    fn default() -> Self {
        Live { readers: Mutex::new(Some(broadcast::Sender::new(KEPT))), untold: Mutex::default(), news: Notify::new() }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|e| e.into_inner())
}

impl Live {
    /// What changes from now on; none once this node stops.
    pub(crate) fn subscribe(&self) -> Option<broadcast::Receiver<Change>> {
        locked(&self.readers).as_ref().map(broadcast::Sender::subscribe)
    }

    fn tell_here(&self, change: Change) {
        if let Some(readers) = &*locked(&self.readers) {
            // An error says that nobody reads.
            let _ = readers.send(change);
        }
    }

    /// After the commit: this node's readers now, the others' soon.
    pub(crate) fn tell(&self, noted: Noted) {
        if noted.0.is_empty() {
            return;
        }
        let mut untold = locked(&self.untold);
        for change in noted.0 {
            self.tell_here(change);
            if untold.len() < UNTOLD {
                untold.insert(change);
            }
        }
        self.news.notify_one();
    }

    /// What is to be told to the other nodes, in texts of at most `most` bytes; it is theirs then.
    pub(crate) fn take(&self, first_line: &str, most: usize) -> Vec<String> {
        let mut texts: Vec<String> = Vec::new();
        for change in std::mem::take(&mut *locked(&self.untold)) {
            let line = change.said();
            match texts.last_mut() {
                Some(text) if text.len() + 1 + line.len() <= most => {
                    text.push('\n');
                    text.push_str(&line);
                }
                _ => texts.push(format!("{first_line}\n{line}")),
            }
        }
        texts
    }

    /// What another node told; whatever cannot be read is a newer node's.
    pub(crate) fn hear(&self, ours: &str, text: &str) {
        let mut lines = text.lines();
        if lines.next() != Some(ours) {
            lines.filter_map(Change::parse).for_each(|change| self.tell_here(change));
        }
    }

    /// Ends every reader.
    pub(crate) fn close(&self) {
        *locked(&self.readers) = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(kind: Kind, client: Option<u128>, id: Option<u128>) -> Change {
        let tenant_id = Uuid::from_u128(1);
        Change { tenant_id, kind, client_id: client.map(Uuid::from_u128), id: id.map(Uuid::from_u128) }
    }

    #[test]
    fn what_is_told_to_another_node_is_what_it_hears_in_texts_that_fit() {
        let (here, there) = (Live::default(), Live::default());
        let mut heard = there.subscribe().unwrap();
        let mut noted = Noted::default();
        let mut all: HashSet<_> = (0..50).map(|n| change(Kind::Host, Some(7), Some(n))).collect();
        all.extend([change(Kind::Guardrail, None, None), change(Kind::Incident, Some(8), None)]);
        all.iter().for_each(|change| noted.note(*change));
        here.tell(noted);
        let texts = here.take("a-node", 1_000);
        assert!(texts.len() > 1 && texts.iter().all(|text| text.len() <= 1_000));
        assert!(here.take("a-node", 1_000).is_empty());
        texts.iter().for_each(|text| there.hear("a-node", text));
        assert!(heard.try_recv().is_err(), "nobody hears itself");
        there.hear("another", "another\nnot a change");
        texts.iter().for_each(|text| there.hear("another", text));
        let mut got = HashSet::new();
        while let Ok(change) = heard.try_recv() {
            got.insert(change);
        }
        assert_eq!(got, all);
        there.close();
        assert!(there.subscribe().is_none());
    }

    #[test]
    fn many_things_of_one_transaction_are_told_as_some() {
        let mut noted = Noted::default();
        (0..1_000).for_each(|n| noted.note(change(Kind::Host, Some(7), Some(n))));
        assert_eq!(noted.0.len(), NAMED + 1);
        assert!(noted.0.contains(&change(Kind::Host, Some(7), None)));
    }

    #[test]
    fn a_limited_member_hears_of_their_clients_and_of_what_stops_everything() {
        let scope =
            |tenant: u128, client_ids: Option<Vec<Uuid>>| crate::auth::scope_of(Uuid::from_u128(tenant), client_ids);
        let (all, some, other) = (scope(1, None), scope(1, Some(vec![Uuid::from_u128(7)])), scope(2, None));
        for (told, of_all, of_some) in [
            (change(Kind::Host, Some(7), Some(3)), true, true),
            (change(Kind::Host, Some(8), Some(3)), true, false),
            (change(Kind::Incident, None, None), true, false),
            (change(Kind::Guardrail, None, None), true, true),
            (change(Kind::Guardrail, Some(8), None), true, false),
        ] {
            assert_eq!((told.is_for(&all), told.is_for(&some), told.is_for(&other)), (of_all, of_some, false));
        }
    }
}
