//! Columns of ids and codes, which stand beside one of names.

use std::collections::{BTreeMap, BTreeSet};

use super::columns::{Role, Row};

/// The columns for subject or object whose values are ids and no names, as LAMA's `sub` is, which
/// holds `/m/0abc12` beside a `sub_label`.
pub(super) struct Ids {
    are_ids: BTreeSet<String>,

    /// The columns of numbers and codes alone, which may be ids as well.
    are_codes: BTreeSet<String>,
}

/// What the columns for subject and object have held so far.
#[derive(Default)]
pub(super) struct IdCount {
    are_ids: BTreeMap<String, bool>,
    are_codes: BTreeMap<String, bool>,
}

impl IdCount {
    pub fn add(&mut self, row: &Row) {
        for role in [Role::Subject, Role::Object] {
            for (column, texts) in row.texts(role) {
                let all = |is: fn(&str) -> bool| texts.iter().all(|it| is(it));
                let ids = all(|it| is_id(it) || is_entity(it));
                let codes = all(is_code);
                for (kind, holds) in [(&mut self.are_ids, ids), (&mut self.are_codes, codes)] {
                    match kind.get_mut(column) {
                        Some(so_far) => *so_far &= holds,
                        None => _ = kind.insert(column.to_owned(), holds),
                    }
                }
            }
        }
    }
}

impl Ids {
    pub fn of(count: IdCount) -> Self {
        let whole = |kind: BTreeMap<String, bool>| {
            kind.into_iter().filter(|(_, all)| *all).map(|(column, _)| column).collect()
        };
        Self { are_ids: whole(count.are_ids), are_codes: whole(count.are_codes) }
    }

    /// Whether a column holds numbers and codes alone.
    pub fn is_code(&self, column: &str) -> bool {
        self.are_codes.contains(column)
    }

    /// Whether a column has an id here: all of it are ids, or this can be nothing else.
    pub fn is_one(&self, column: &str, text: &str) -> bool {
        self.are_ids.contains(column) || is_id(text) || is_item(text)
    }
}

/// Whether a text can only be an id: Freebase's `/m/0abc12`, an address, a UUID or a hash.
fn is_id(text: &str) -> bool {
    let text = text.strip_prefix('<').and_then(|it| it.strip_suffix('>')).unwrap_or(text);
    let is_path = text.starts_with('/') && text[1..].contains('/');
    let is_address = ["http://", "https://", "wd:", "dbr:"].iter().any(|it| text.starts_with(it));
    let freebase = text.strip_prefix("m.0").or_else(|| text.strip_prefix("g.1"));
    let is_word = |it: &str| it.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let is_hash = text.len() >= 32
        && is_code(text)
        && text.bytes().all(|it| it.is_ascii_hexdigit() || it == b'-');
    (is_path || is_address) && !text.contains(' ')
        || is_hash
        || freebase.is_some_and(|it| it.len() > 2 && is_word(it))
}

/// Whether a text is the id of one of Wikidata's many items: `Q585`. One with fewer digits may be a name.
fn is_item(text: &str) -> bool {
    text.len() > 3 && text.starts_with('Q') && is_entity(text)
}

/// Whether a text may be a number or a code where another column has names: `-7`, `1.50`, `0x1f`, `wn:07846`.
fn is_code(text: &str) -> bool {
    text.contains(|it: char| it.is_ascii_digit()) && !text.contains(char::is_whitespace)
}

/// Whether a text may be an id of Wikidata: `Q42`.
fn is_entity(text: &str) -> bool {
    let number = text.strip_prefix(['Q', 'P', 'L']);
    number.is_some_and(|it| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit()))
}
