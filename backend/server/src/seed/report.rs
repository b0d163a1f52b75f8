//! What a file changes, line by line: the difference that `--plan` prints is the one that `apply` makes.

use std::fmt;

use serde_json::{Value, json};

/// Characters of a value that are shown.
const SHOWN: usize = 100;

/// Characters of a value that the audit keeps whole.
const KEPT: usize = 1_000;

/// One difference.
#[derive(Clone, Debug, PartialEq)]
pub enum Line {
    /// It was not there.
    Created {
        /// What: `client "Alder"`.
        what: String,
    },
    /// It is another one now.
    Changed {
        /// What.
        what: String,
        /// Which field.
        field: String,
        /// What stood; none: nothing.
        old: Option<Value>,
        /// What stands; none: nothing.
        new: Option<Value>,
    },
    /// It loosens: it waits for a second person.
    Proposed {
        /// What.
        what: String,
        /// Which field.
        field: String,
        /// What stands, and goes on to stand.
        old: Option<Value>,
        /// What is wanted.
        new: Option<Value>,
        /// Exactly this waits already.
        waits_already: bool,
    },
    /// The file does not tell of it: it stays as it is.
    NotInFile {
        /// What.
        what: String,
    },
}

/// All differences, in the file's order.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// One by one.
    pub lines: Vec<Line>,
}

impl Report {
    /// It was not there.
    pub fn created(&mut self, what: impl Into<String>) {
        self.lines.push(Line::Created { what: what.into() });
    }

    /// The file does not tell of it.
    pub fn not_in_file(&mut self, what: impl Into<String>) {
        self.lines.push(Line::NotInFile { what: what.into() });
    }

    /// Every field in which two forms of a thing differ; says whether there was one.
    pub fn changed(&mut self, what: &str, old: &Value, new: &Value) -> bool {
        let mut fields = Vec::new();
        compare("", Some(old), Some(new), &mut fields);
        let any = !fields.is_empty();
        self.lines.extend(fields.into_iter().map(|(field, old, new)| Line::Changed {
            what: what.to_owned(),
            field,
            old: old.cloned(),
            new: new.cloned(),
        }));
        any
    }

    /// How what differs was and is, by thing and field, as the audit keeps it. What was not there has no field of its own: its line
    /// names it.
    pub fn sides(&self) -> (Value, Value) {
        let (mut before, mut after) = (json!({}), json!({}));
        for line in &self.lines {
            match line {
                Line::Created { what } => after[what.as_str()] = json!("new"),
                Line::Changed { what, field, old, new } => {
                    let key = format!("{what}: {field}");
                    (before[key.as_str()], after[key.as_str()]) = (kept(old), kept(new));
                }
                Line::Proposed { .. } | Line::NotInFile { .. } => {}
            }
        }
        (before, after)
    }

    /// Whether the file and the tenant are the same, as far as the file tells.
    pub fn is_empty(&self) -> bool {
        !self.lines.iter().any(|line| match line {
            Line::NotInFile { .. } => false,
            Line::Proposed { waits_already, .. } => !waits_already,
            Line::Created { .. } | Line::Changed { .. } => true,
        })
    }

    fn count(&self, is: impl Fn(&Line) -> bool) -> usize {
        self.lines.iter().filter(|line| is(line)).count()
    }
}

fn compare<'a>(
    path: &str,
    old: Option<&'a Value>,
    new: Option<&'a Value>,
    into: &mut Vec<(String, Option<&'a Value>, Option<&'a Value>)>,
) {
    match (old, new) {
        (Some(Value::Object(a)), Some(Value::Object(b))) => {
            let mut names: Vec<&String> = a.keys().chain(b.keys()).collect();
            names.sort();
            names.dedup();
            for name in names {
                let inner = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                compare(&inner, a.get(name), b.get(name), into);
            }
        }
        (Some(Value::Array(a)), Some(Value::Array(b))) => {
            for i in 0..a.len().max(b.len()) {
                compare(&format!("{path}[{i}]"), a.get(i), b.get(i), into);
            }
        }
        _ if old == new => {}
        _ => into.push((path.to_owned(), old, new)),
    }
}

/// A value as the audit keeps it: whole, or, where it is long, as it is shown.
fn kept(value: &Option<Value>) -> Value {
    match value {
        Some(long) if long.to_string().chars().count() > KEPT => Value::String(Shown(value).to_string()),
        Some(value) => value.clone(),
        None => Value::Null,
    }
}

struct Shown<'a>(&'a Option<Value>);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(value) = self.0 else { return f.write_str("nothing") };
        let text = value.to_string();
        match text.char_indices().nth(SHOWN) {
            Some((end, _)) => write!(f, "{}…", &text[..end]),
            None => f.write_str(&text),
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Line::Created { what } => write!(f, "+ {what}"),
            Line::Changed { what, field, old, new } => write!(f, "~ {what}: {field}: {} → {}", Shown(old), Shown(new)),
            Line::Proposed { what, field, old, new, waits_already } => {
                let how = if *waits_already { "waits already" } else { "proposed" };
                write!(f, "? {what}: {field}: {} → {} ({how}; a second person decides)", Shown(old), Shown(new))
            }
            Line::NotInFile { what } => write!(f, "  {what}: not in the file, stays as it is"),
        }
    }
}

impl fmt::Display for Report {
    /// The lines, and a sum as the last one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.lines {
            writeln!(f, "{line}")?;
        }
        let created = self.count(|line| matches!(line, Line::Created { .. }));
        let changed = self.count(|line| matches!(line, Line::Changed { .. }));
        let proposed = self.count(|line| matches!(line, Line::Proposed { .. }));
        let others = self.count(|line| matches!(line, Line::NotInFile { .. }));
        write!(f, "{created} new, {changed} changed, {proposed} for a second person, {others} not in the file")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_that_differ_are_named_one_by_one() {
        let mut report = Report::default();
        let old = json!({"a": 1, "b": {"c": [1, 2], "d": "x"}, "e": true});
        let new = json!({"a": 1, "b": {"c": [1, 3, 4], "d": "y"}});
        assert!(report.changed("thing", &old, &new));
        let lines: Vec<String> = report.lines.iter().map(Line::to_string).collect();
        assert_eq!(
            lines,
            [
                "~ thing: b.c[1]: 2 → 3",
                "~ thing: b.c[2]: nothing → 4",
                "~ thing: b.d: \"x\" → \"y\"",
                "~ thing: e: true → nothing",
            ]
        );
        assert!(!Report::default().changed("thing", &old, &old));
    }

    #[test]
    fn the_audit_keeps_both_sides_of_what_differs_and_cuts_off_what_is_long() {
        let mut report = Report::default();
        report.created("client \"New\"");
        report.not_in_file("client \"Old\"");
        let (old, new) =
            (json!({"zone": "UTC", "text": "x"}), json!({"zone": "Europe/Vienna", "text": "y".repeat(KEPT)}));
        report.changed("client \"Alder\"", &old, &new);
        let (before, after) = report.sides();
        assert_eq!(before, json!({"client \"Alder\": text": "x", "client \"Alder\": zone": "UTC"}));
        let text = format!("\"{}…", "y".repeat(SHOWN - 1));
        let is =
            json!({"client \"New\"": "new", "client \"Alder\": text": text, "client \"Alder\": zone": "Europe/Vienna"});
        assert_eq!(after, is);
    }

    #[test]
    fn what_stays_and_what_waits_already_is_no_difference() {
        let mut report = Report::default();
        report.not_in_file("client \"Old\"");
        let (what, field) = ("mapping \"m\"".to_owned(), "mode".to_owned());
        let proposed = |waits_already| Line::Proposed {
            what: what.clone(),
            field: field.clone(),
            old: None,
            new: None,
            waits_already,
        };
        report.lines.push(proposed(true));
        assert!(report.is_empty());
        report.lines.push(proposed(false));
        assert!(!report.is_empty());
    }
}
