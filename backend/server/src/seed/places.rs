//! Where each key of a YAML file stands, so that a fault found after parsing names its line too.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

/// A place in the file, 1-based.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Line.
    pub line: u64,
    /// Column.
    pub column: u64,
}

/// Key paths with their places, in the file's order.
#[derive(Debug, Default)]
pub struct Places(Vec<Entry>);

#[derive(Debug)]
struct Entry {
    path: String,
    key: Place,
    value: Place,
}

impl Places {
    /// Of a text that may be faulty: then there are none.
    pub fn of(text: &str) -> Places {
        let mut places = Places::default();
        if let Ok(root) = serde_saphyr::from_str::<Spanned<Node>>(text) {
            let start = place(&root);
            collect(&root.value, "", start, &mut places.0);
        }
        places
    }

    /// Where `path` (`clients[0].hosts[1].name`) stands; the nearest key above it where it is missing.
    pub fn at(&self, path: &str) -> Place {
        let mut path = path;
        loop {
            if let Some(entry) = self.0.iter().find(|e| e.path == path) {
                return entry.value;
            }
            match path.rfind(['.', '[']) {
                Some(end) => path = &path[..end],
                None => return Place { line: 1, column: 1 },
            }
        }
    }

    /// The path of what stands at `place`, or of the last thing before it.
    pub fn path_at(&self, place: Place) -> &str {
        let exact = self.0.iter().rev().find(|e| e.key == place || e.value == place);
        let before = || self.0.iter().rev().find(|e| e.key <= place);
        exact.or_else(before).map_or("", |e| &e.path)
    }
}

enum Node {
    Map(Vec<(Spanned<String>, Spanned<Node>)>),
    List(Vec<Spanned<Node>>),
    Leaf,
}

fn place<T>(spanned: &Spanned<T>) -> Place {
    Place { line: spanned.referenced.line(), column: spanned.referenced.column() }
}

fn collect(node: &Node, path: &str, at: Place, into: &mut Vec<Entry>) {
    into.push(Entry { path: path.to_owned(), key: at, value: at });
    match node {
        Node::Leaf => {}
        Node::List(items) => {
            for (i, item) in items.iter().enumerate() {
                collect(&item.value, &format!("{path}[{i}]"), place(item), into);
            }
        }
        Node::Map(fields) => {
            for (key, value) in fields {
                let inner = if path.is_empty() { key.value.clone() } else { format!("{path}.{}", key.value) };
                let index = into.len();
                collect(&value.value, &inner, place(value), into);
                into[index].key = place(key);
            }
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Walk)
    }
}

struct Walk;

impl<'de> Visitor<'de> for Walk {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(Node::Map(fields))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Node, E> {
        Ok(Node::Leaf)
    }
    fn visit_i64<E>(self, _: i64) -> Result<Node, E> {
        Ok(Node::Leaf)
    }
    fn visit_u64<E>(self, _: u64) -> Result<Node, E> {
        Ok(Node::Leaf)
    }
    fn visit_f64<E>(self, _: f64) -> Result<Node, E> {
        Ok(Node::Leaf)
    }
    fn visit_str<E>(self, _: &str) -> Result<Node, E> {
        Ok(Node::Leaf)
    }
    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Leaf)
    }
    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Leaf)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_knows_its_line() {
        let places = Places::of("a:\n  - name: x\n    b: 1\n  - name: y\nc: {d: true}\n");
        assert_eq!(places.at("a[1].name"), Place { line: 4, column: 11 });
        assert_eq!(places.at("a[0].gone"), places.at("a[0]"));
        assert_eq!(places.path_at(Place { line: 3, column: 5 }), "a[0].b");
        assert_eq!(places.path_at(Place { line: 5, column: 8 }), "c.d");
    }
}
