//! Enrolment tokens.

use super::{DAY, HOUR, MINUTE, before, clock, id, shell, text};
use crate::Nav;
use crate::enrolment::{EnrolmentPage, Made, Place, Standing, TokenRow, TypedToken};
use crate::settings::Tab;

fn typed() -> TypedToken {
    TypedToken {
        place: id(52).to_string(),
        many: false,
        host: String::new(),
        uses: text("20"),
        days: text("3"),
        tags: String::new(),
        networks: String::new(),
        profile: text("low-risk"),
    }
}

/// The page, right after a token was made or before.
pub fn enrolment_page(made: bool) -> EnrolmentPage {
    let row = |n, begins: Option<&str>, whom: &str, place: &str, (left, of), made, ends, standing| TokenRow {
        id: id(n),
        begins: begins.map(text),
        whom: text(whom),
        place: text(place),
        networks: Vec::new(),
        left,
        of,
        made_at: before(made),
        made_by: begins.map(|_| text("Sam Rivera")),
        expires_at: before(ends),
        standing,
    };
    let mut rows = vec![
        row(
            401,
            Some("mw_enroll_Xk2f"),
            "many hosts",
            "Riverside School, Annexe",
            (17, 20),
            2 * HOUR,
            -3 * DAY,
            Standing::Open,
        ),
        row(402, Some("mw_enroll_9aQc"), "web-07", "Orchard Foods", (1, 1), 20 * MINUTE, -DAY, Standing::Open),
        row(403, None, "bkp-01", "Pine & Co Law", (0, 1), 3 * DAY, 2 * HOUR, Standing::UsedUp),
        row(404, Some("mw_enroll_0ZuP"), "many hosts", "Harbor Logistics", (9, 9), 5 * DAY, DAY, Standing::Expired),
        row(
            405,
            Some("mw_enroll_r7Lm"),
            "old-02",
            "Acme Dental",
            (1, 1),
            6 * DAY,
            -DAY,
            Standing::Revoked(before(5 * DAY)),
        ),
    ];
    rows[0].networks = vec![text("192.0.2.0/24")];
    let command = "curl -fsS -o mendwright-install.sh https://mend.northwind.example/install.sh && echo '4bf5122f344554c53bde2ebb8cd2b7e3d1600ad631c385a5d7cce23c7785459a  mendwright-install.sh' | sha256sum -c --quiet && echo 'mw_enroll_sample' | sudo sh mendwright-install.sh --server https://mend.northwind.example --agent-sha256 dbc1b4c900ffe48d575b5da5c638040125f65db0fe3e24494b76ea986457d986 --profile low-risk";
    EnrolmentPage {
        shell: shell(Nav::Settings),
        clock: clock(),
        tab: Tab::Enrolment,
        places: vec![
            Place { id: id(54), name: text("Orchard Foods"), sites: Vec::new() },
            Place { id: id(52), name: text("Riverside School"), sites: vec![(id(302), text("Annexe"))] },
        ],
        typed: typed(),
        made: made.then(|| Made {
            token: text("mw_enroll_sample"),
            command: Some(text(command)),
            whom: text("up to 20 hosts of Riverside School"),
            waits: true,
            expires_at: before(-3 * DAY),
        }),
        rows,
        agent: Some((text("x86_64"), text("dbc1b4c900ffe48d575b5da5c638040125f65db0fe3e24494b76ea986457d986"))),
        wrong: None,
    }
}

/// The page before the first client, and with a form that was not taken.
pub fn enrolment_page_without(places: bool) -> EnrolmentPage {
    let page = EnrolmentPage { rows: Vec::new(), ..enrolment_page(false) };
    if places {
        let wrong = Some(text("“10.1.0.0/33” is no network; write one like 10.1.0.0/16"));
        let typed = TypedToken { many: true, networks: text("10.1.0.0/33"), ..page.typed.clone() };
        EnrolmentPage { wrong, typed, ..page }
    } else {
        EnrolmentPage { places: Vec::new(), agent: None, ..page }
    }
}
