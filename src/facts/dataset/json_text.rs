//! JSON that stays a text: its values are found where they are asked for, so that a large file needs
//! no memory but its own.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::cell::{Cell, is_unseen};

/// A value within a text that [`check`] has found right.
#[derive(Clone, Copy)]
pub(super) struct View<'a>(&'a str);

/// How many values of a list are kept in a cell.
const N_IN_CELL: usize = 10_000;

impl<'a> View<'a> {
    /// The value at the beginning of a text.
    pub fn new(text: &'a str) -> Self {
        Self(&text[..end_of(text.as_bytes())])
    }

    pub fn is_list(self) -> bool {
        self.0.starts_with('[')
    }

    pub fn is_object(self) -> bool {
        self.0.starts_with('{')
    }

    pub fn is_missing(self) -> bool {
        self.0 == "null"
    }

    /// The fields of an object; none of another value.
    pub fn fields(self) -> impl Iterator<Item = (Cow<'a, str>, Self)> {
        let mut values = if self.is_object() { Values(&self.0[1..]) } else { Values("") };
        std::iter::from_fn(move || Some((string(values.next()?.0), values.next()?)))
    }

    /// The elements of a list; none of another value.
    pub fn elements(self) -> impl Iterator<Item = Self> {
        if self.is_list() { Values(&self.0[1..]) } else { Values("") }
    }

    /// The values of a list or of an object.
    pub fn values(self) -> impl Iterator<Item = Self> {
        self.fields().map(|it| it.1).chain(self.elements())
    }

    pub fn n_values(self) -> usize {
        self.values().count()
    }

    /// The first field of this name.
    pub fn get(self, name: &str) -> Option<Self> {
        self.fields().find(|it| it.0 == name).map(|it| it.1)
    }

    /// A text, or a number or a truth value as a text.
    pub fn text(self) -> Option<String> {
        match self.0.as_bytes().first()? {
            b'[' | b'{' | b'n' => None,
            b'"' => Some(string(self.0).into_owned()),
            // pandas writes whole numbers with a point where some are missing.
            _ => Some(self.0.strip_suffix(".0").unwrap_or(self.0).to_owned()),
        }
    }

    /// The value apart from its text.
    pub fn cell(self) -> Cell {
        if self.is_list() {
            Cell::List(self.elements().take(N_IN_CELL).map(Self::cell).collect())
        } else if self.is_object() {
            let fields = self.fields().take(N_IN_CELL);
            Cell::Object(fields.map(|(name, it)| (name.into_owned(), it.cell())).collect())
        } else {
            self.text().map_or(Cell::Missing, Cell::Text)
        }
    }
}

/// The values that follow one another, with commas or colons between them, to the end of a list or an
/// object.
struct Values<'a>(&'a str);

impl<'a> Iterator for Values<'a> {
    type Item = View<'a>;

    fn next(&mut self) -> Option<View<'a>> {
        let is_between = |it: u8| it.is_ascii_whitespace() || matches!(it, b',' | b':');
        let start = self.0.bytes().position(|it| !is_between(it))?;
        let rest = &self.0[start..];
        if rest.starts_with([']', '}']) {
            return None;
        }
        let (value, after) = rest.split_at(end_of(rest.as_bytes()));
        self.0 = after;
        Some(View(value))
    }
}

/// The values that follow one another in a text, each with the lines before it.
pub(super) fn documents(text: &str) -> impl Iterator<Item = (u64, View<'_>)> {
    let (mut at, mut line) = (0, 0);
    std::iter::from_fn(move || {
        let start = at + text[at..].bytes().position(|it| !it.is_ascii_whitespace())?;
        let value = View::new(&text[start..]);
        line += n_lines(&text[at..start]);
        let found = (line, value);
        line += n_lines(value.0);
        at = start + value.0.len();
        Some(found)
    })
}

/// How many lines end in a text.
pub(super) fn n_lines(text: &str) -> u64 {
    text.bytes().filter(|it| *it == b'\n').count() as u64
}

/// Where the value ends that a text begins with.
fn end_of(text: &[u8]) -> usize {
    match text.first() {
        Some(b'"') => end_of_string(text),
        Some(b'[' | b'{') => {
            let (mut depth, mut at) = (0_usize, 0);
            while let Some(it) = text.get(at) {
                match it {
                    b'"' => at += end_of_string(&text[at..]) - 1,
                    b'[' | b'{' => depth += 1,
                    b']' | b'}' => depth -= 1,
                    _ => {}
                }
                at += 1;
                if depth == 0 {
                    break;
                }
            }
            at
        }
        _ => {
            // Values that follow one another need nothing between them: `9{}` are two.
            let is_end = |it: &u8| {
                it.is_ascii_whitespace()
                    || matches!(it, b',' | b':' | b'[' | b']' | b'{' | b'}' | b'"')
            };
            text.iter().position(is_end).unwrap_or(text.len())
        }
    }
}

fn end_of_string(text: &[u8]) -> usize {
    let mut at = 1;
    while let Some(it) = text.get(at) {
        match it {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    text.len()
}

/// What a text in quotes says.
fn string(quoted: &str) -> Cow<'_, str> {
    let inner = quoted.strip_prefix('"').and_then(|it| it.strip_suffix('"')).unwrap_or(quoted);
    if !inner.contains('\\') {
        return inner.into();
    }
    serde_json::from_str::<String>(quoted).map_or_else(|_| inner.into(), Cow::Owned)
}

/// Checks that values follow one another in a text, and nothing else.
pub(super) fn check(text: &str) -> Result<(), serde_json::Error> {
    serde_json::Deserializer::from_str(text).into_iter::<Checked>().try_for_each(|it| it.map(drop))
}

/// Checks that a text is one value.
pub(super) fn check_one(text: &str) -> Result<(), serde_json::Error> {
    serde_json::from_str::<Checked>(text).map(drop)
}

/// A value of which nothing is kept.
struct Checked;

impl<'de> Deserialize<'de> for Checked {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Checked {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self, A::Error> {
        while seq.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        while map.next_entry::<Self, Self>()?.is_some() {}
        Ok(self)
    }
}

/// A text without spaces and unseen characters before it.
pub(super) fn without_spaces(text: &str) -> &str {
    text.trim_start_matches(|c: char| c.is_whitespace() || is_unseen(c))
}

/// A text without the marks that begin each value of a JSON text sequence (RFC 7464), a character which no
/// value holds. Another text as it is.
pub(super) fn without_separators(text: &str) -> Cow<'_, str> {
    const SEPARATOR: char = '\u{1e}';
    let is_sequence = |it: &str| it.strip_prefix(SEPARATOR).is_some_and(is_json);
    if is_sequence(without_spaces(text)) {
        text.replace(SEPARATOR, " ").into()
    } else {
        text.into()
    }
}

/// The JSON within texts of JSON, of which each line is one: what a program writes that is given JSON as a text.
/// `None` for other texts.
pub(super) fn within_texts(text: &str) -> Option<String> {
    let mut lines = Vec::new();
    for line in text.lines() {
        let line = without_spaces(line).trim_end();
        if line.is_empty() {
            lines.push(String::new());
            continue;
        }
        let inner = serde_json::from_str::<String>(line).ok().filter(|it| is_json(it))?;
        // Lines stay those of the file; within texts JSON has no line ends of its own.
        lines.push(inner.replace(['\n', '\r'], " "));
    }
    Some(lines.join("\n")).filter(|it| !it.trim().is_empty())
}

/// Whether a text begins as JSON does.
pub(super) fn is_json(text: &str) -> bool {
    without_spaces(text).starts_with(['[', '{'])
}
