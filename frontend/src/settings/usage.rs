//! What an organization may have, what it has, and each client's months.

use askama::Template;
use jiff::civil::Date;
use uuid::Uuid;

use super::Tab;
use crate::{Clock, Nav, Shell};

/// Something that a plan counts.
#[derive(Clone, Debug)]
pub struct Quota {
    /// What: "hosts".
    pub label: &'static str,
    /// How many there are.
    pub used: u32,
    /// How many there may be; none: as many as one likes.
    pub allowed: Option<u32>,
}

impl Quota {
    fn is_full(&self) -> bool {
        self.allowed.is_some_and(|allowed| self.used >= allowed)
    }
}

/// What a client used in a month.
#[derive(Clone, Debug)]
pub struct UsageMonth {
    /// The month's first day.
    pub month: Date,
    /// The client.
    pub client_id: Uuid,
    /// Its name.
    pub client: String,
    /// The sum of the days' most hosts.
    pub host_days: u32,
    /// The most hosts of any day.
    pub most: u32,
}

/// `/settings/usage`.
#[derive(Clone, Debug, Template)]
#[template(path = "settings/usage.html")]
pub struct UsagePage {
    /// The shell.
    pub shell: Shell,
    /// The page's clock.
    pub clock: Clock,
    /// The page.
    pub tab: Tab,
    /// The plan's name.
    pub plan: String,
    /// For how many days metrics and output are kept; none: as long as anybody's.
    pub keep_days: Option<u32>,
    /// Most reports of metrics a minute; none: as many as there are.
    pub reports: Option<u32>,
    /// How many were not kept this month.
    pub not_kept: u64,
    /// What the plan counts.
    pub counted: Vec<Quota>,
    /// The day.
    pub today: Date,
    /// This month's lines.
    pub months: Vec<UsageMonth>,
}

/// The lines as a table for a spreadsheet. A text is quoted, and one that a spreadsheet would take for a formula is made none
/// by an apostrophe before it.
pub fn usage_csv(months: &[UsageMonth]) -> String {
    let mut out = String::from("month,client,client_id,most_hosts_of_a_day,host_days\r\n");
    for UsageMonth { month, client_id, client, host_days, most } in months {
        out += &format!("{},{},{client_id},{most},{host_days}\r\n", month.strftime("%Y-%m"), csv_text(client));
    }
    out
}

fn csv_text(text: &str) -> String {
    let is_formula =
        text.trim_start().starts_with(['=', '+', '-', '@', '|', '%']) || text.starts_with(['\t', '\r', '\n']);
    format!("\"{}{}\"", if is_formula { "'" } else { "" }, text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_whose_name_is_a_formula_is_a_name_in_the_file() {
        let line = |client: &str| UsageMonth {
            month: Date::constant(2026, 11, 1),
            client_id: Uuid::nil(),
            client: client.to_owned(),
            host_days: 290,
            most: 10,
        };
        let csv = usage_csv(&[line("Alder \"& Co\", Ltd"), line("=HYPERLINK(\"x\")"), line(" @SUM(1)"), line("-1")]);
        let lines: Vec<&str> = csv.split("\r\n").collect();
        assert_eq!(lines[0], "month,client,client_id,most_hosts_of_a_day,host_days");
        assert!(lines[1].starts_with("2026-11,\"Alder \"\"& Co\"\", Ltd\",") && lines[1].ends_with(",10,290"));
        for line in &lines[2..5] {
            assert!(line.starts_with("2026-11,\"'"), "{line}");
        }
    }
}
