//! The past days of a board's trend, remembered for a while: they are thousands of incidents for thirty numbers that hardly
//! change. The last days are never remembered.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use store::pages::trend::{Day, list_days};
use store::{Result, TenantScope, TenantTx};

/// How long past days are remembered.
const FOR: SignedDuration = SignedDuration::from_mins(5);
/// Days back from today that are counted anew each time: an incident of yesterday's may be closed today.
const NEW: i64 = 2;
/// What a board looks back, and a little more, for days that begin elsewhere.
const MONTH: SignedDuration = SignedDuration::from_hours(31 * 24);
/// The most trends of a node; beyond it all are forgotten.
const MOST: usize = 2_000;

/// What the rows were read by (the words that open a transaction of the scope), and the time zone.
type Key = (String, String);
/// When it was counted, and what came of it.
type Known = HashMap<Key, (Timestamp, Vec<Day>)>;

/// The trends of this node.
#[derive(Clone, Debug, Default)]
pub struct Trends(Arc<Mutex<Known>>);

impl Trends {
    /// The last month's days of what `scope` sees, oldest first; `tx` is of that scope.
    pub async fn days(&self, tx: &mut TenantTx, scope: &TenantScope, zone: &str, today: Date) -> Result<Vec<Day>> {
        let now = tx.now().await?;
        let key = (scope.opening(), zone.to_owned());
        let Some(mut days) = self.past(&key, now) else {
            let days = list_days(tx, now - MONTH, zone).await?;
            self.remember(key, now, days.clone());
            return Ok(days);
        };
        // A day more than is taken: the one in which the count begins is not whole.
        let since = now - SignedDuration::from_hours((NEW + 2) * 24);
        days.retain(|day| day.date < first_new(today));
        days.extend(list_days(tx, since, zone).await?.into_iter().filter(|day| day.date >= first_new(today)));
        Ok(days)
    }

    fn past(&self, key: &Key, now: Timestamp) -> Option<Vec<Day>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(key).filter(|(at, _)| now.duration_since(*at).abs() < FOR).map(|(_, days)| days.clone())
    }

    fn remember(&self, key: Key, now: Timestamp, days: Vec<Day>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(key, (now, days));
    }
}

fn first_new(today: Date) -> Date {
    today.saturating_sub(jiff::Span::new().days(NEW))
}
