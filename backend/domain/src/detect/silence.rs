//! Absence: that a host is heard of at all. The server itself looks, at its own links.

use jiff::{SignedDuration, Timestamp};

use super::reading::{Readings, Seen, Value};

/// After a start, or the loss of the node that held a link, nobody could have heard for this long.
pub const BLIND: SignedDuration = SignedDuration::from_secs(60);

/// How a host's link stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// When it was lost; none: it is open on a living node.
    pub lost_at: Option<Timestamp>,
    /// It was lost because the node that held it died.
    pub node_died: bool,
    /// Since when any living node could have heard.
    pub listening_since: Timestamp,
    /// What the agent said when it left.
    pub goodbye: Option<String>,
}

/// What a heartbeat check sees: `state` (`linked` or `silent`), `silent_secs`, and `goodbye` where the agent said one.
/// Silence counts only while a node could have heard it broken.
pub fn look(link: &Link, now: Timestamp) -> Seen {
    let silent = link.lost_at.map(|lost_at| {
        let heard_from = if link.node_died { lost_at + BLIND } else { lost_at };
        let since = heard_from.max(link.listening_since + BLIND);
        now.duration_since(since).as_secs().max(0)
    });
    let mut readings = Readings::new();
    readings.insert("state".into(), Value::Text(if silent.is_some() { "silent" } else { "linked" }.into()));
    readings.insert("silent_secs".into(), Value::Number(silent.unwrap_or(0) as f64));
    if let (Some(_), Some(goodbye)) = (silent, &link.goodbye) {
        readings.insert("goodbye".into(), Value::Text(goodbye.clone()));
    }
    Seen::Data(readings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_second(secs).unwrap()
    }

    fn silent_secs(lost_at: Option<i64>, node_died: bool, listening_since: i64, now: i64) -> f64 {
        let link = Link { lost_at: lost_at.map(at), node_died, listening_since: at(listening_since), goodbye: None };
        let Seen::Data(readings) = look(&link, at(now)) else { panic!("the server always knows") };
        let Value::Number(secs) = readings["silent_secs"] else { panic!("a number") };
        secs
    }

    #[test]
    fn silence_counts_from_the_loss() {
        assert_eq!(silent_secs(Some(1_000), false, 0, 1_300), 300.0);
        assert_eq!(silent_secs(None, false, 0, 1_300), 0.0);
    }

    #[test]
    fn nobody_is_silent_while_we_were_blind() {
        assert_eq!(silent_secs(Some(1_000), false, 5_000, 5_030), 0.0, "all nodes were down, one is back for 30 s");
        assert_eq!(silent_secs(Some(1_000), false, 5_000, 5_360), 300.0);
        assert_eq!(silent_secs(Some(1_000), true, 0, 1_059), 0.0, "its node died, others live");
        assert_eq!(silent_secs(Some(1_000), true, 0, 1_360), 300.0);
    }

    #[test]
    fn a_goodbye_is_told() {
        let link =
            Link { lost_at: Some(at(10)), node_died: false, listening_since: at(-100), goodbye: Some("reboot".into()) };
        let Seen::Data(readings) = look(&link, at(20)) else { panic!("the server always knows") };
        assert_eq!(readings["goodbye"], Value::Text("reboot".into()));
        assert_eq!(readings["state"], Value::Text("silent".into()));
    }
}
