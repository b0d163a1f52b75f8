//! An incident's title, in words.

use super::mapping::AlertFacts;

/// "shop-web stopped on web-01". A path or an address says little by itself: such a check is called by its name.
pub fn title(facts: &AlertFacts) -> String {
    match facts.kind.as_str() {
        "service" => format!("{} stopped on {}", facts.target, facts.host),
        "heartbeat" => format!("{} fell silent", facts.host),
        "http" | "tcp" | "ssh" => format!("“{}” failed on {}", facts.check, facts.host),
        "disk" => format!("“{}” is {} on {}", facts.check, facts.severity, facts.host),
        _ => format!("{} is {} for {} on {}", facts.check, facts.severity, facts.target, facts.host),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_sentences() {
        for (kind, wanted) in [
            ("service", "shop-web stopped on web-01"),
            ("heartbeat", "web-01 fell silent"),
            ("http", "“shop” failed on web-01"),
            ("ssh", "“shop” failed on web-01"),
            ("disk", "“shop” is critical on web-01"),
            ("process", "shop is critical for shop-web on web-01"),
        ] {
            let facts = AlertFacts {
                check: "shop".into(),
                kind: kind.into(),
                target: "shop-web".into(),
                client: "Alder".into(),
                host: "web-01".into(),
                tags: Default::default(),
                severity: "critical".into(),
            };
            assert_eq!(title(&facts), wanted);
        }
    }
}
