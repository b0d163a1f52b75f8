//! One layout for all mails: HTML in tables for mail programs, and the same in text.

use askama::Template;

use super::Rendered;
use crate::State;

/// A mail's parts, before they are laid out.
#[derive(Template)]
#[template(path = "mail/letter.html")]
pub(super) struct Letter {
    pub subject: String,
    pub state: State,
    pub status: String,
    pub title: String,
    pub lead: String,
    pub rows: Vec<Row>,
    pub button: &'static str,
    pub link: String,
    pub small_print: String,
}

/// A label and its lines; never empty.
pub(super) struct Row {
    pub label: &'static str,
    pub lines: Vec<String>,
}

/// Columns of the text part.
const WIDTH: usize = 72;
/// Columns of the labels before it.
const LABELS: usize = 12;

impl Letter {
    /// The rows that have something to say.
    pub fn rows<const N: usize>(rows: [(&'static str, Vec<String>); N]) -> Vec<Row> {
        rows.into_iter().filter(|(_, lines)| !lines.is_empty()).map(|(label, lines)| Row { label, lines }).collect()
    }

    /// The glyph of the state: a shape, so that the colour is never the only sign.
    fn glyph(&self) -> &'static str {
        match self.state {
            State::Ok => "●",
            State::Heal => "◐",
            State::Need => "■",
            State::Crit => "▲",
            State::Idle => "○",
        }
    }

    /// The state's text tone in the light variant; the dark one is in the style sheet.
    fn tone(&self) -> &'static str {
        match self.state {
            State::Ok => "#1a6b43",
            State::Heal => "#17628f",
            State::Need => "#8a4f12",
            State::Crit => "#a3231f",
            State::Idle => "#45433e",
        }
    }

    /// Lays it out.
    pub fn render(&self) -> Rendered {
        // Writing into a String cannot fail; an empty part would be seen by every test.
        let html = Template::render(self).unwrap_or_default();
        Rendered { subject: one_line(&self.subject), html, text: self.text() }
    }

    fn text(&self) -> String {
        let mut out =
            format!("{} {}\n\n{}\n\n{}\n\n", self.glyph(), self.status, wrap(&self.title, ""), wrap(&self.lead, ""));
        let column = " ".repeat(LABELS);
        for Row { label, lines } in &self.rows {
            for (index, line) in lines.iter().enumerate() {
                let label = if index == 0 { *label } else { "" };
                // One that leaves no room before the words has a line of its own.
                let label = match label.chars().count() < LABELS {
                    true => format!("{label:<LABELS$}"),
                    false => format!("{label}\n{column}"),
                };
                out.push_str(&format!("{label}{}\n", wrap(line, &column)));
            }
        }
        if !self.rows.is_empty() {
            out.push('\n');
        }
        out.push_str(&format!("{}:\n{}\n\n-- \n{}\n", self.button, self.link, wrap(&self.small_print, "")));
        out.replace('\u{a0}', " ")
    }
}

/// Control characters become spaces: what a host sent never makes a second header line.
fn one_line(subject: &str) -> String {
    subject.chars().map(|c| if c.is_control() || c == '\u{a0}' { ' ' } else { c }).collect()
}

/// Breaks lines at [`WIDTH`]; the first has `indent` already.
fn wrap(words: &str, indent: &str) -> String {
    let mut out = String::new();
    let mut column = indent.len();
    for word in words.split([' ', '\n', '\r', '\t']).filter(|word| !word.is_empty()) {
        let length = word.chars().count();
        if out.is_empty() {
        } else if column + 1 + length > WIDTH {
            out.push('\n');
            out.push_str(indent);
            column = indent.len();
        } else {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    out
}
