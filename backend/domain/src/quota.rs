//! What an organization's plan has room for. A plan bounds what is added, never what is done: nothing here is asked before
//! a fix, a result or a call.

/// What a plan counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// Hosts that are enrolled, of clients that are not archived.
    Hosts,
    /// Checks that are not archived.
    Checks,
    /// Members, service accounts, and who is invited.
    Members,
}

impl Counted {
    /// All, in the order they are shown.
    pub const ALL: [Counted; 3] = [Counted::Hosts, Counted::Checks, Counted::Members];

    /// What people call them.
    pub fn label(self) -> &'static str {
        match self {
            Counted::Hosts => "hosts",
            Counted::Checks => "checks",
            Counted::Members => "members",
        }
    }

    fn way_out(self) -> &'static str {
        match self {
            Counted::Hosts => "retire a host that is no more, archive a client that is not looked after any more",
            Counted::Checks => "archive a check that nobody needs",
            Counted::Members => "remove somebody, or take an invitation back",
        }
    }
}

/// Numbers of a plan; none: no limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Its name.
    pub name: String,
    /// Most hosts.
    pub max_hosts: Option<u32>,
    /// Most checks.
    pub max_checks: Option<u32>,
    /// Most members.
    pub max_members: Option<u32>,
    /// For how many days the output of fixes and metrics are kept at most.
    pub keep_days: Option<u32>,
    /// Most reports of metrics a minute, of all hosts together; more are thinned, see [`crate::ingest`].
    pub max_reports: Option<u32>,
}

impl Plan {
    /// The limit of what is counted.
    pub fn limit(&self, of: Counted) -> Option<u32> {
        match of {
            Counted::Hosts => self.max_hosts,
            Counted::Checks => self.max_checks,
            Counted::Members => self.max_members,
        }
    }

    /// Whether `more` have room beside `used`; else a sentence that says the limit and the way out.
    ///
    /// # Errors
    /// They have none.
    pub fn has_room(&self, of: Counted, used: u32, more: u32) -> Result<(), String> {
        match self.limit(of) {
            Some(limit) if more > 0 && used.saturating_add(more) > limit => Err(format!(
                "The plan {} has room for {limit} {}, and {used} are there: {}, or ask the platform's operator for a larger plan.",
                self.name,
                of.label(),
                of.way_out()
            )),
            _ => Ok(()),
        }
    }
}

/// Whether this can be the name of a plan: small letters, digits and dashes, 40 at most, none of them in front.
pub fn is_plan_name(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.len() <= 40 && name.starts_with(is_plain) && name.chars().all(|c| is_plain(c) || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_takes_as_many_as_it_says_and_says_so_when_it_is_full() {
        let plan = Plan { name: "small".to_owned(), max_hosts: Some(10), ..Plan::default() };
        assert_eq!(plan.has_room(Counted::Hosts, 9, 1), Ok(()));
        let full = plan.has_room(Counted::Hosts, 10, 1).unwrap_err();
        assert!(
            full.contains("plan small has room for 10 hosts, and 10 are there: retire a host")
                && full.contains("operator"),
            "{full}"
        );
        assert!(plan.has_room(Counted::Hosts, 8, 3).is_err());
    }

    #[test]
    fn what_is_there_already_is_never_too_much_and_no_limit_is_none() {
        let plan = Plan { name: "small".to_owned(), max_hosts: Some(10), ..Plan::default() };
        assert_eq!(plan.has_room(Counted::Hosts, 40, 0), Ok(()));
        assert_eq!(plan.has_room(Counted::Checks, u32::MAX, 1), Ok(()));
    }
}
