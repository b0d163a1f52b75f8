//! An incident's title, in words.

use super::mapping::AlertFacts;

/// "shop-web stopped on web-01".
pub fn title(facts: &AlertFacts) -> String {
    match facts.kind.as_str() {
        "service" => format!("{} stopped on {}", facts.target, facts.host),
        "heartbeat" => format!("{} fell silent", facts.host),
        "http" | "tcp" => format!("{} on {} does not answer", facts.check, facts.host),
        "disk" => format!("{} on {} is running full", facts.target, facts.host),
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
            ("http", "shop on web-01 does not answer"),
            ("disk", "shop-web on web-01 is running full"),
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
