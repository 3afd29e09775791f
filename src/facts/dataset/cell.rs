//! What a file of facts says in one place: the value of a column, whatever the file's format.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// A value of a dataset. Numbers are kept as their text, since facts are text.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    /// JSON's `null`, and Python's `NaN` and `None`.
    Missing,
    Text(String),
    List(Vec<Self>),

    /// Named cells in file order. A name may occur twice, as in a damaged file.
    Object(Vec<(String, Self)>),
}

/// Words for a missing value that pandas and spreadsheets write as text. `NA` is not among them: it
/// is the code of Namibia.
const MISSING: &[&str] = &["NaN", "nan", "None", "null", "NULL", "<NA>", "#N/A"];

/// The field of an object that holds its name: CounterFact's `{"str": "Paris", "id": "Q90"}`.
const NAME: &[&str] = &["str", "label", "name", "text", "value", "title"];

impl Cell {
    /// The texts in a cell, which may hold a list, or a list as Python or JSON prints it.
    pub fn texts(&self) -> Vec<String> {
        match self {
            Self::Missing => Vec::new(),
            Self::Text(text) => {
                let text = trimmed(text);
                let all = listed(text).unwrap_or_else(|| vec![text.to_owned()]);
                all.into_iter().filter(|it| !it.is_empty() && !MISSING.contains(&&**it)).collect()
            }
            Self::List(all) => all.iter().flat_map(Self::texts).collect(),
            Self::Object(_) => self.named().map(Self::texts).unwrap_or_default(),
        }
    }

    /// The name that an object has for itself.
    pub fn named(&self) -> Option<&Self> {
        NAME.iter().find_map(|name| self.get(name))
    }

    /// The fields of an object.
    pub fn fields(self) -> Option<Vec<(String, Self)>> {
        match self {
            Self::Object(fields) => Some(fields),
            _ => None,
        }
    }

    /// The first field of this name, of an object.
    pub fn get(&self, name: &str) -> Option<&Self> {
        let Self::Object(fields) = self else { return None };
        fields.iter().find(|(key, _)| key == name).map(|(_, cell)| cell)
    }
}

/// Without spaces at its ends, nor characters there that nobody sees.
pub(super) fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || is_unseen(c))
}

/// Whether a character takes no room: a zero-width space or joiner, a byte order mark.
pub(crate) fn is_unseen(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')
}

/// The texts of a list as Python, numpy or JSON prints it: `['a', "b's"]`. `None` if the text is
/// anything else, such as the template `[X]'s mother is [Y]`.
fn listed(text: &str) -> Option<Vec<String>> {
    let mut rest = text.strip_prefix('[')?.strip_suffix(']')?.trim_start();
    let mut found = Vec::new();
    while !rest.is_empty() {
        let quote = rest.chars().next().filter(|it| matches!(it, '\'' | '"'))?;
        let (mut item, mut is_escaped, mut end) = (String::new(), false, None);
        for (at, c) in rest.char_indices().skip(1) {
            match c {
                _ if is_escaped => {
                    // Another escape stands for a character that no name has.
                    if !matches!(c, '\'' | '"' | '\\') {
                        item.push('\\');
                    }
                    item.push(c);
                    is_escaped = false;
                }
                '\\' => is_escaped = true,
                c if c == quote => {
                    end = Some(at + 1);
                    break;
                }
                c => item.push(c),
            }
        }
        found.push(trimmed(&item).to_owned());
        let after = &rest[end?..];
        rest = after.trim_start();
        match rest.strip_prefix(',') {
            Some(next) => rest = next.trim_start(),
            // numpy prints spaces between the items.
            None if rest.is_empty() || after.len() > rest.len() => {}
            None => return None,
        }
    }
    Some(found)
}

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CellVisitor)
    }
}

struct CellVisitor;

impl<'de> Visitor<'de> for CellVisitor {
    type Value = Cell;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, it: bool) -> Result<Cell, E> {
        Ok(Cell::Text(it.to_string()))
    }

    fn visit_i64<E>(self, it: i64) -> Result<Cell, E> {
        Ok(Cell::Text(it.to_string()))
    }

    fn visit_u64<E>(self, it: u64) -> Result<Cell, E> {
        Ok(Cell::Text(it.to_string()))
    }

    fn visit_f64<E>(self, it: f64) -> Result<Cell, E> {
        Ok(Cell::Text(it.to_string()))
    }

    fn visit_str<E>(self, it: &str) -> Result<Cell, E> {
        Ok(Cell::Text(it.to_owned()))
    }

    fn visit_string<E>(self, it: String) -> Result<Cell, E> {
        Ok(Cell::Text(it))
    }

    fn visit_unit<E>(self) -> Result<Cell, E> {
        Ok(Cell::Missing)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Cell, A::Error> {
        let mut all = Vec::new();
        while let Some(cell) = seq.next_element()? {
            all.push(cell);
        }
        Ok(Cell::List(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Cell, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(Cell::Object(fields))
    }
}
