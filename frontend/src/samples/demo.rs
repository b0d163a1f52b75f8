//! The demo's own pages.

use super::{HOUR, MINUTE, before, clock, id, shell, text};
use crate::{
    HandsOff, HostRef, Nav, Shell,
    demo::{Card, Condition, DemoPage, IncidentRef, Mail, MailPage, MailsPage, Rest},
};

fn demo_shell() -> Shell {
    Shell { demo: true, ..shell(Nav::Demo) }
}

fn card(n: u128, name: &str, service: &str, condition: Condition, why: Option<&str>) -> Card {
    Card {
        name: text(name),
        service: text(service),
        caption: format!("{service} is broken, and this is to be seen."),
        host: HostRef { id: id(n), name: format!("{service}-01") },
        client: text("Acme"),
        condition,
        hands_off: None,
        rest: None,
        incident: why.map(|why| IncidentRef {
            id: id(n + 50),
            title: format!("{service} stopped"),
            opened_at: before(MINUTE),
            why: text(why),
        }),
    }
}

/// Victims in the conditions that matter.
pub fn demo_page() -> DemoPage {
    let off = HandsOff { by: text("J. Tanaka"), until_at: before(-HOUR), reason: None };
    let rest = Rest { limit: text("This fix here, 10 min"), until_at: before(-9 * MINUTE) };
    let mut healed = card(1, "a", "website", Condition::Well, Some("“restart”, verified by the same check"));
    healed.rest = Some(rest.clone());
    let mut cooling = card(2, "b", "api", Condition::Held, Some("held by cooldown, 9:00 left"));
    cooling.rest = Some(rest);
    let mut held = card(3, "f", "shop", Condition::Held, Some("hands off by J. Tanaka"));
    held.hands_off = Some(off.clone());
    let mut well_off = card(4, "g", "mail", Condition::Well, None);
    well_off.hands_off = Some(off);
    DemoPage {
        shell: demo_shell(),
        clock: clock(),
        cards: vec![
            healed,
            cooling,
            card(5, "d", "reports", Condition::NeedsYou, Some("no known fix")),
            held,
            well_off,
            card(6, "h", "cache", Condition::Healing, Some("running “restart”")),
            card(7, "i", "queue", Condition::Broken, None),
            card(8, "j", "search", Condition::Unknown, None),
        ],
        mails: 3,
        may_act: true,
    }
}

fn mail(number: usize, subject: &str) -> Mail {
    Mail {
        number,
        subject: text(subject),
        from: text("mendwright@northwind.example"),
        to: text("oncall@northwind.example"),
        sent_at: Some(before(MINUTE)),
    }
}

/// The mailbox, with mails or empty.
pub fn mails_page(empty: bool) -> MailsPage {
    let mails = if empty { Vec::new() } else { vec![mail(2, "Needs you: reports"), mail(1, "Fixed: website")] };
    MailsPage { shell: demo_shell(), clock: clock(), mails }
}

/// One mail.
pub fn mail_page() -> MailPage {
    let text = text("website is back after 1.3 s\n\nRead the story: …");
    MailPage { shell: demo_shell(), clock: clock(), mail: mail(1, "Fixed: website"), text, incident: Some(id(51)) }
}
