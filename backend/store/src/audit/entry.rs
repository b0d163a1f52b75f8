//! What an entry says. Whoever writes one chooses what it tells of: something made, changed, removed or done; so there is no
//! entry of a change that leaves out how it was before or is after.

use serde_json::{Value, json};
use uuid::Uuid;

/// An entry, but for who writes it, when and from where: those are the transaction's.
#[derive(Clone, Debug)]
#[must_use = "an entry is written by `insert`"]
pub struct Entry<'a> {
    pub(crate) action: &'a str,
    pub(crate) subject_kind: &'a str,
    pub(crate) subject_id: Uuid,
    pub(crate) before: Option<Value>,
    pub(crate) after: Option<Value>,
    pub(crate) detail: Value,
}

impl<'a> Entry<'a> {
    /// Something was done that is no change of a value: somebody looked, came, went, asked or answered.
    pub fn done(action: &'a str, subject: (&'a str, Uuid)) -> Entry<'a> {
        Entry::of(action, subject, None, None)
    }

    /// Something is there that was not; `after` says what.
    pub fn made(action: &'a str, subject: (&'a str, Uuid), after: Value) -> Entry<'a> {
        Entry::of(action, subject, None, Some(after))
    }

    /// Something was `before` and is `after`: the values that changed, or by which people know it, and never a secret.
    pub fn changed(action: &'a str, subject: (&'a str, Uuid), before: Value, after: Value) -> Entry<'a> {
        Entry::of(action, subject, Some(before), Some(after))
    }

    /// Something is not there any more; `before` says what.
    pub fn removed(action: &'a str, subject: (&'a str, Uuid), before: Value) -> Entry<'a> {
        Entry::of(action, subject, Some(before), None)
    }

    /// Says more about it: why, how many, by what; what is no value of the thing itself.
    pub fn with(self, detail: Value) -> Entry<'a> {
        Entry { detail, ..self }
    }

    fn of(
        action: &'a str,
        (subject_kind, subject_id): (&'a str, Uuid),
        before: Option<Value>,
        after: Option<Value>,
    ) -> Entry<'a> {
        Entry { action, subject_kind, subject_id, before, after, detail: json!({}) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_entry_has_the_sides_it_is_named_for() {
        let (subject, x, y) = (("site", Uuid::nil()), json!({ "name": "x" }), json!({ "name": "y" }));
        let sides = |entry: Entry<'_>| (entry.before, entry.after, entry.detail);
        let (none, more) = (json!({}), json!({ "why": "so" }));
        assert_eq!(sides(Entry::done("a", subject)), (None, None, none.clone()));
        assert_eq!(sides(Entry::made("a", subject, y.clone())), (None, Some(y.clone()), none.clone()));
        assert_eq!(sides(Entry::removed("a", subject, x.clone())), (Some(x.clone()), None, none));
        let changed = Entry::changed("a", subject, x.clone(), y.clone()).with(more.clone());
        assert_eq!(sides(changed), (Some(x), Some(y), more));
    }
}
