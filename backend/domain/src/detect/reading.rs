//! What a check sees, and comparisons on it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A reading's value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// A number.
    Number(f64),
    /// A word.
    Text(String),
}

/// Named readings.
pub type Readings = BTreeMap<String, Value>;

/// What a check saw, in the spelling of the wire and of `observations.seen`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seen {
    /// Named readings.
    Data(Readings),
    /// Nothing that could be judged. Never good, never a trigger.
    NoData {
        /// A sentence.
        why: String,
    },
}

/// What the thresholds say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Good.
    Ok,
    /// Bad.
    Warning,
    /// Worse.
    Critical,
    /// Nobody can tell.
    NoData,
}

impl Verdict {
    /// The stored word.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::Warning => "warning",
            Verdict::Critical => "critical",
            Verdict::NoData => "no_data",
        }
    }

    /// The verdict of a stored word.
    pub fn parse(word: &str) -> Option<Verdict> {
        [Verdict::Ok, Verdict::Warning, Verdict::Critical, Verdict::NoData].into_iter().find(|v| v.word() == word)
    }
}

/// How bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Bad.
    Warning,
    /// Worse.
    #[default]
    Critical,
}

impl Severity {
    /// The stored word.
    pub fn word(self) -> &'static str {
        self.verdict().word()
    }

    /// The verdict that says so.
    pub fn verdict(self) -> Verdict {
        match self {
            Severity::Warning => Verdict::Warning,
            Severity::Critical => Verdict::Critical,
        }
    }
}

/// A comparison's operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// equal
    Eq,
    /// not equal
    Ne,
    /// less than (numbers)
    Lt,
    /// at most (numbers)
    Le,
    /// greater than (numbers)
    Gt,
    /// at least (numbers)
    Ge,
}

/// A comparison on a named reading. Written as `{reading, op, value}` or as a text, `state = failed`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Spelling")]
pub struct Comparison {
    /// Which reading.
    pub reading: String,
    /// How to compare.
    pub op: Op,
    /// With what.
    pub value: Value,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Spelling {
    Text(String),
    Fields(Fields),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    reading: String,
    op: Op,
    value: Value,
}

impl TryFrom<Spelling> for Comparison {
    type Error = String;

    fn try_from(spelling: Spelling) -> Result<Self, String> {
        let text = match spelling {
            Spelling::Fields(Fields { reading, op, value }) => return Ok(Comparison { reading, op, value }),
            Spelling::Text(text) => text,
        };
        let words: Vec<_> = text.split_whitespace().collect();
        let [reading, op, value] = words[..] else {
            return Err(format!("{text:?} is no comparison; write one like `state = failed`"));
        };
        let op = match op {
            "=" => Op::Eq,
            "!=" => Op::Ne,
            "<" => Op::Lt,
            "<=" => Op::Le,
            ">" => Op::Gt,
            ">=" => Op::Ge,
            other => return Err(format!("{other:?} is none of = != < <= > >=")),
        };
        let number = value.parse::<f64>().ok().filter(|n| n.is_finite());
        let value = number.map_or_else(|| Value::Text(value.to_owned()), Value::Number);
        Ok(Comparison { reading: reading.to_owned(), op, value })
    }
}

impl Comparison {
    /// `reading = word`.
    pub fn is(reading: &str, word: &str) -> Comparison {
        Comparison { reading: reading.to_owned(), op: Op::Eq, value: Value::Text(word.to_owned()) }
    }

    /// `reading >= number`.
    pub fn at_least(reading: &str, number: f64) -> Comparison {
        Comparison { reading: reading.to_owned(), op: Op::Ge, value: Value::Number(number) }
    }

    /// `reading < number`.
    pub fn below(reading: &str, number: f64) -> Comparison {
        Comparison { reading: reading.to_owned(), op: Op::Lt, value: Value::Number(number) }
    }

    /// Whether `readings` satisfy it; a missing reading or a comparison of unlike values never holds.
    pub fn holds(&self, readings: &Readings) -> bool {
        match (readings.get(&self.reading), &self.value, self.op) {
            (Some(Value::Text(a)), Value::Text(b), Op::Eq) => a == b,
            (Some(Value::Text(a)), Value::Text(b), Op::Ne) => a != b,
            (Some(Value::Number(a)), Value::Number(b), op) => match op {
                Op::Eq => a == b,
                Op::Ne => a != b,
                Op::Lt => a < b,
                Op::Le => a <= b,
                Op::Gt => a > b,
                Op::Ge => a >= b,
            },
            _ => false,
        }
    }
}

/// Whether there are comparisons and all hold.
pub fn all_hold(comparisons: &[Comparison], readings: &Readings) -> bool {
    !comparisons.is_empty() && comparisons.iter().all(|c| c.holds(readings))
}
