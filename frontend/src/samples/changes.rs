use super::{DAY, MINUTE, before, clock, id, shell, text};
use crate::Nav;
use crate::changes::{Ask, ChangeRow, ChangesPage, Standing};

/// The page of changes: one of somebody else's, one's own, one that is confirmed, and those that are over; or none.
pub fn changes_page(none: bool) -> ChangesPage {
    let mode = "Its fix would run without asking anybody, within every limit.";
    let limit = "More could be touched in the same time.";
    let row = |n, what: &str, was: &str, wanted: &str, standing, ask| ChangeRow {
        id: id(n),
        what: text(what),
        was: text(was),
        wanted: text(wanted),
        means: text(if what.starts_with("Mapping") { mode } else { limit }),
        by: text("J. Tanaka"),
        why: text(if what.starts_with("Client") { "Ten new web hosts since May" } else { "" }),
        proposed_at: before(if ask == Ask::Nothing { 4 * DAY } else { 25 * MINUTE }),
        reason: None,
        standing,
        ask,
    };
    let over = |applied, how: &str| Standing::Over { applied, how: text(how), at: before(3 * DAY) };
    let web = "Mapping “Website is started again”";
    let rows = vec![
        row(1, web, "ask first", "fixes by itself", Standing::Waits { lapses_at: before(-6 * DAY) }, Ask::YesOrNo),
        row(
            2,
            "Client: runs in a window",
            "4 in 10 min",
            "8 in 10 min",
            Standing::Waits { lapses_at: before(-DAY) },
            Ask::No,
        ),
        row(
            3,
            "Host: runs in an hour",
            "3",
            "5",
            Standing::Confirmed { by: text("Sam Rivera"), due_at: before(-22 * MINUTE) },
            Ask::No,
        ),
        row(4, web, "watch only", "ask first", over(true, "took effect"), Ask::Nothing),
        row(5, web, "watch only", "fixes by itself", over(false, "rejected by Sam Rivera"), Ask::Nothing),
    ];
    ChangesPage {
        shell: shell(Nav::Changes),
        clock: clock(),
        rows: if none { Vec::new() } else { rows },
        delay: text("30 min after the yes"),
    }
}
