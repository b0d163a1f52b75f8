//! A YAML file as a tree in which every key knows its line. What cannot be read is put aside, so that everything that is
//! wrong with a file is found at once.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_path_to_error::{Path, Segment};
use serde_saphyr::Spanned;

/// A place in the file, 1-based.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Line.
    pub line: u64,
    /// Column.
    pub column: u64,
}

/// One node of the file.
#[derive(Debug)]
pub struct Tree {
    key: Place,
    at: Place,
    gone: bool,
    node: Node,
}

#[derive(Debug)]
enum Node {
    Map(Vec<(String, Tree)>),
    List(Vec<Tree>),
    Leaf(Value),
}

/// The way to a node: indices among the children of each node on it, those put aside included.
pub type Way = Vec<usize>;

impl Tree {
    /// Reads a text.
    pub fn of(text: &str) -> Result<Tree, serde_saphyr::Error> {
        // `no` and `y` are words; `true` and `false` alone are not.
        let options = serde_saphyr::options! { strict_booleans: true };
        let root = serde_saphyr::from_str_with_options::<Spanned<Raw>>(text, options)?;
        let at = place(&root);
        Ok(Tree::grown(root.value, at, at))
    }

    fn grown(raw: Raw, key: Place, at: Place) -> Tree {
        let node = match raw {
            Raw::Leaf(value) => Node::Leaf(value),
            Raw::List(items) => Node::List(
                items
                    .into_iter()
                    .map(|item| {
                        let at = place(&item);
                        Tree::grown(item.value, at, at)
                    })
                    .collect(),
            ),
            Raw::Map(fields) => Node::Map(
                fields
                    .into_iter()
                    .map(|(name, value)| {
                        let (key, at) = (place(&name), place(&value));
                        (name.value, Tree::grown(value.value, key, at))
                    })
                    .collect(),
            ),
        };
        Tree { key, at, gone: false, node }
    }

    /// What is left of it.
    pub fn value(&self) -> Value {
        match &self.node {
            Node::Leaf(value) => value.clone(),
            Node::List(items) => Value::Array(items.iter().filter(|t| !t.gone).map(Tree::value).collect()),
            Node::Map(fields) => {
                let left = fields.iter().filter(|(_, t)| !t.gone);
                Value::Object(left.map(|(name, t)| (name.clone(), t.value())).collect())
            }
        }
    }

    /// The way of a reader's path through what is left.
    pub fn way(&self, path: &Path) -> Way {
        let (mut tree, mut way) = (self, Way::new());
        for segment in path {
            let found = match (&tree.node, segment) {
                (Node::Map(fields), Segment::Map { key }) => fields.iter().position(|(name, _)| name == key),
                (Node::List(items), Segment::Seq { index }) => left(items, *index),
                _ => None,
            };
            let Some(index) = found else { break };
            way.push(index);
            tree = tree.child(index);
        }
        way
    }

    /// The way of a written path (`clients[0].hosts[1].name`) through what is left, as far as there is one.
    pub fn way_of(&self, path: &str) -> Way {
        let (mut tree, mut way, mut rest) = (self, Way::new(), path);
        loop {
            let found = match &tree.node {
                Node::List(items) => rest
                    .strip_prefix('[')
                    .and_then(|r| r.split_once(']'))
                    .and_then(|(n, after)| Some((left(items, n.parse().ok()?)?, after))),
                Node::Map(fields) => {
                    let rest = rest.strip_prefix('.').unwrap_or(rest);
                    let fits = |name: &str| {
                        rest.strip_prefix(name).filter(|after| after.is_empty() || after.starts_with(['.', '[']))
                    };
                    let longest = fields.iter().enumerate().filter(|(_, (name, _))| fits(name).is_some());
                    let longest = longest.max_by_key(|(_, (name, _))| name.len());
                    longest.and_then(|(i, (name, _))| Some((i, fits(name)?)))
                }
                Node::Leaf(_) => None,
            };
            let Some((index, after)) = found else { return way };
            way.push(index);
            (tree, rest) = (tree.child(index), after);
        }
    }

    fn child(&self, index: usize) -> &Tree {
        match &self.node {
            Node::Map(fields) => &fields[index].1,
            Node::List(items) => &items[index],
            Node::Leaf(_) => self,
        }
    }

    fn on(&self, way: &[usize]) -> &Tree {
        way.iter().fold(self, |tree, index| tree.child(*index))
    }

    /// Where the node at the end of a way stands.
    pub fn place(&self, way: &[usize]) -> Place {
        self.on(way).at
    }

    /// Where its key stands; of what has none, where it stands itself.
    pub fn key_place(&self, way: &[usize]) -> Place {
        self.on(way).key
    }

    /// The way as it is written in the file.
    pub fn written(&self, way: &[usize]) -> String {
        let (mut tree, mut path) = (self, String::new());
        for index in way {
            match &tree.node {
                Node::Map(fields) if path.is_empty() => path.clone_from(&fields[*index].0),
                Node::Map(fields) => path = format!("{path}.{}", fields[*index].0),
                _ => path = format!("{path}[{index}]"),
            }
            tree = tree.child(*index);
        }
        path
    }

    /// Whether something of this name was put aside here.
    pub fn misses(&self, way: &[usize], name: &str) -> bool {
        matches!(&self.on(way).node, Node::Map(fields) if fields.iter().any(|(n, t)| n == name && t.gone))
    }

    /// Whether the node at the end of a way is one of a list.
    pub fn is_item(&self, way: &[usize]) -> bool {
        let Some((_, parent)) = way.split_last() else { return false };
        matches!(self.on(parent).node, Node::List(_))
    }

    /// Puts a node aside; false for the whole file, and for what is aside already.
    pub fn put_aside(&mut self, way: &[usize]) -> bool {
        if way.is_empty() {
            return false;
        }
        let tree = way.iter().fold(self, |tree, index| match &mut tree.node {
            Node::Map(fields) => &mut fields[*index].1,
            Node::List(items) => &mut items[*index],
            Node::Leaf(_) => unreachable!("a way leads through maps and lists"),
        });
        !std::mem::replace(&mut tree.gone, true)
    }
}

/// The position of the `n`-th of those that are left.
fn left(items: &[Tree], n: usize) -> Option<usize> {
    items.iter().enumerate().filter(|(_, t)| !t.gone).nth(n).map(|(i, _)| i)
}

fn place<T>(spanned: &Spanned<T>) -> Place {
    Place { line: spanned.referenced.line(), column: spanned.referenced.column() }
}

enum Raw {
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
    List(Vec<Spanned<Raw>>),
    Leaf(Value),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Walk)
    }
}

struct Walk;

impl<'de> Visitor<'de> for Walk {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(Raw::Map(fields))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_bool<E>(self, it: bool) -> Result<Raw, E> {
        Ok(Raw::Leaf(it.into()))
    }
    fn visit_i64<E>(self, it: i64) -> Result<Raw, E> {
        Ok(Raw::Leaf(it.into()))
    }
    fn visit_u64<E>(self, it: u64) -> Result<Raw, E> {
        Ok(Raw::Leaf(it.into()))
    }
    fn visit_f64<E>(self, it: f64) -> Result<Raw, E> {
        Ok(Raw::Leaf(it.into()))
    }
    fn visit_str<E>(self, it: &str) -> Result<Raw, E> {
        Ok(Raw::Leaf(it.into()))
    }
    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Leaf(Value::Null))
    }
    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Leaf(Value::Null))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_knows_its_line() {
        let tree = Tree::of("a:\n  - name: x\n    b: 1\n  - name: y\nc: {d: true, d.e: 2}\n").unwrap();
        let at = |path: &str| tree.place(&tree.way_of(path));
        assert_eq!(at("a[1].name"), Place { line: 4, column: 11 });
        assert_eq!(at("a[0].gone"), at("a[0]"));
        assert_eq!(at("c.d.e"), Place { line: 5, column: 19 }, "a name may have a dot");
        assert_eq!(tree.key_place(&tree.way_of("a[0].b")), Place { line: 3, column: 5 });
        assert_eq!(tree.written(&tree.way_of("c.d.e")), "c.d.e");
    }

    #[test]
    fn what_is_put_aside_does_not_move_the_rest() {
        let mut tree = Tree::of("a: [x, y, z]\n").unwrap();
        assert!(tree.put_aside(&tree.way_of("a[0]")));
        assert_eq!(tree.value(), serde_json::json!({"a": ["y", "z"]}));
        assert_eq!(tree.written(&tree.way_of("a[1]")), "a[2]");
    }
}
