//! JSON as a tree whose fields keep their order, and its text with lists of numbers on one line each.

use std::fmt::{self, Write as _};

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};

/// A JSON value. Unlike [`Value`], an object keeps its fields in the order in which they stand.
#[derive(Clone, Debug, PartialEq)]
pub enum Tree {
    /// Text, a number, `true`, `false` or `null`.
    Plain(Value),
    List(Vec<Self>),
    Object(Vec<(String, Self)>),
}

impl Tree {
    /// The tree of anything that has a JSON form.
    pub fn of(value: &impl serde::Serialize) -> serde_json::Result<Self> {
        serde_json::from_str(&serde_json::to_string(value)?)
    }

    /// The value as a type.
    pub fn read<T: serde::de::DeserializeOwned>(&self) -> serde_json::Result<T> {
        serde_json::from_str(&self.compact())
    }

    /// The field of an object.
    pub fn get(&self, key: &str) -> Option<&Self> {
        let Self::Object(fields) = self else { return None };
        fields.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// The field of an object, to be changed.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Self> {
        let Self::Object(fields) = self else { return None };
        fields.iter_mut().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// Puts a field of an object in place of the one of that name, or behind all others.
    pub fn set(&mut self, key: &str, value: Self) {
        if let Some(field) = self.get_mut(key) {
            *field = value;
        } else if let Self::Object(fields) = self {
            fields.push((key.to_owned(), value));
        }
    }

    /// Leaves a field of an object out.
    pub fn remove(&mut self, key: &str) {
        if let Self::Object(fields) = self {
            fields.retain(|(name, _)| name != key);
        }
    }

    /// Changes all whole numbers in fields of this name, however deep, and says how many there are.
    pub fn change_numbers(&mut self, key: &str, change: &dyn Fn(u64) -> u64) -> usize {
        let change_field = |(name, value): &mut (String, Self)| match value {
            Self::Plain(number) if name == key && number.is_u64() => {
                *number = Value::from(change(number.as_u64().unwrap_or_default()));
                1
            }
            value => value.change_numbers(key, change),
        };
        match self {
            Self::Plain(_) => 0,
            Self::List(items) => items.iter_mut().map(|it| it.change_numbers(key, change)).sum(),
            Self::Object(fields) => fields.iter_mut().map(change_field).sum(),
        }
    }

    /// The numbers of a list of whole numbers that has some.
    pub fn ids(&self) -> Option<Vec<u32>> {
        let Self::List(items) = self else { return None };
        let id = |it: &Self| match it {
            Self::Plain(value) => u32::try_from(value.as_u64()?).ok(),
            _ => None,
        };
        let ids: Option<Vec<u32>> = items.iter().map(id).collect();
        ids.filter(|it| !it.is_empty())
    }

    /// Indented text. Lists of plain values stand on one line, and so do the objects that `is_short`
    /// picks out.
    pub fn pretty(&self, is_short: fn(&[(String, Self)]) -> bool) -> String {
        let mut text = String::new();
        self.write(&mut text, Some(0), is_short);
        text
    }

    /// The text on one line.
    pub fn compact(&self) -> String {
        let mut text = String::new();
        self.write(&mut text, None, |_| true);
        text
    }

    /// Writes the value, with lines that are indented `depth` times, or on one line if there is no
    /// depth.
    fn write(
        &self,
        text: &mut String,
        depth: Option<usize>,
        is_short: fn(&[(String, Self)]) -> bool,
    ) {
        match self {
            Self::Plain(value) => _ = write!(text, "{value}"),
            Self::List(items) => {
                let is_plain = items.iter().all(|it| matches!(it, Self::Plain(_)));
                let depth = depth.filter(|_| !is_plain);
                between(text, ['[', ']'], items, depth, |text, item, depth| {
                    item.write(text, depth, is_short);
                });
            }
            Self::Object(fields) => {
                let depth = depth.filter(|_| !is_short(fields) && !fields.is_empty());
                between(text, ['{', '}'], fields, depth, |text, (key, value), depth| {
                    _ = write!(text, "{}: ", Value::from(key.as_str()));
                    value.write(text, depth, is_short);
                });
            }
        }
    }
}

/// Writes items between two brackets.
fn between<T>(
    text: &mut String,
    [open, close]: [char; 2],
    items: &[T],
    depth: Option<usize>,
    write: impl Fn(&mut String, &T, Option<usize>),
) {
    let line = |text: &mut String, depth: usize| {
        text.push('\n');
        text.extend(std::iter::repeat_n("  ", depth));
    };
    text.push(open);
    for (nth, item) in items.iter().enumerate() {
        if nth > 0 {
            text.push_str(if depth.is_some() { "," } else { ", " });
        }
        if let Some(depth) = depth {
            line(text, depth + 1);
        }
        write(text, item, depth.map(|it| it + 1));
    }
    if let Some(depth) = depth {
        line(text, depth);
    }
    text.push(close);
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, it: bool) -> Result<Tree, E> {
        Ok(Tree::Plain(it.into()))
    }

    fn visit_i64<E>(self, it: i64) -> Result<Tree, E> {
        Ok(Tree::Plain(it.into()))
    }

    fn visit_u64<E>(self, it: u64) -> Result<Tree, E> {
        Ok(Tree::Plain(it.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, it: f64) -> Result<Tree, E> {
        let number = Number::from_f64(it).ok_or_else(|| E::custom("JSON has no infinity"))?;
        Ok(Tree::Plain(number.into()))
    }

    fn visit_str<E>(self, it: &str) -> Result<Tree, E> {
        Ok(Tree::Plain(it.into()))
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Plain(Value::Null))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Tree::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Tree, A::Error> {
        let mut object: Vec<(String, Tree)> = Vec::new();
        while let Some((key, value)) = fields.next_entry::<String, Tree>()? {
            if object.iter().any(|(known, _)| *known == key) {
                return Err(A::Error::custom(format!("duplicate field `{key}`")));
            }
            object.push((key, value));
        }
        Ok(Tree::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_keep_their_order_and_lists_of_numbers_take_one_line() {
        let text = r#"{"z":[1,2,3],"a":[[1],[2,3]],"m":{"x":0.25,"y":null},"e":[],"o":{}}"#;
        let tree: Tree = serde_json::from_str(text).unwrap();
        let expected = r#"{
  "z": [1, 2, 3],
  "a": [
    [1],
    [2, 3]
  ],
  "m": {"x": 0.25, "y": null},
  "e": [],
  "o": {}
}"#;
        assert_eq!(tree.pretty(|fields| fields.iter().any(|(key, _)| key == "x")), expected);
        assert_eq!(serde_json::from_str::<Tree>(expected).unwrap(), tree);
        assert_eq!(tree.compact().lines().count(), 1);
    }
}
