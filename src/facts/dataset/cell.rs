//! What a file of facts says in one place: the value of a column, whatever the file's format.

/// A value of a dataset. Numbers are kept as their text, since facts are text.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    /// JSON's `null`, and Python's `NaN` and `None`.
    Missing,

    /// A value that is not read, because its column says nothing of a fact.
    Unread,
    Text(String),
    List(Vec<Self>),

    /// Named cells in file order. A name may occur twice, as in a damaged file.
    Object(Vec<(String, Self)>),
}

/// Words for a missing value that pandas and spreadsheets write as text. `NA` is not among them: it
/// is the code of Namibia. `EasyEdit` has `<|endoftext|>` where it knows no right answer.
const MISSING: &[&str] = &[
    "NaN",
    "nan",
    "None",
    "null",
    "NULL",
    "<NA>",
    "#N/A",
    "#NA",
    "N/A",
    "n/a",
    "NaT",
    "<|endoftext|>",
];

/// The field of an object that holds its name: CounterFact's `{"str": "Paris", "id": "Q90"}`.
const NAME: &[&str] = &["str", "label", "name", "text", "value", "title"];

impl Cell {
    /// The texts in a cell, which may hold a list, or a list as Python or JSON prints it.
    pub fn texts(&self) -> Vec<String> {
        match self {
            Self::Missing | Self::Unread => Vec::new(),
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

    /// Whether the cell says nothing.
    pub fn is_empty(&self) -> bool {
        *self != Self::Unread && self.texts().is_empty()
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

/// The texts of a list, a tuple or a set as Python, numpy or JSON prints it: `['a', "b's"]`. `None` if
/// the text is anything else, such as the template `[X]'s mother is [Y]`.
fn listed(text: &str) -> Option<Vec<String>> {
    let (open, close) = [('[', ']'), ('(', ')'), ('{', '}')]
        .into_iter()
        .find(|it| text.starts_with(it.0) && text.ends_with(it.1) && text.len() > 1)?;
    let mut rest = text[open.len_utf8()..text.len() - close.len_utf8()].trim_start();
    if rest.is_empty() && open != '[' {
        return None;
    }
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (item, after) = match rest.chars().next().filter(|it| matches!(it, '\'' | '"')) {
            Some(quote) => quoted_item(rest, quote)?,
            None => plain_item(rest).filter(|_| open == '[' || !found.is_empty())?,
        };
        found.push(item);
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

/// The item in quotes that a text begins with, and what comes after it.
fn quoted_item(text: &str, quote: char) -> Option<(String, &str)> {
    let (mut item, mut is_escaped) = (String::new(), false);
    for (at, c) in text.char_indices().skip(1) {
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
            c if c == quote => return Some((trimmed(&item).to_owned(), &text[at + 1..])),
            c => item.push(c),
        }
    }
    None
}

/// The number that a text begins with, or the word for a missing value.
fn plain_item(text: &str) -> Option<(String, &str)> {
    let (item, after) = text.split_at(text.find([',', ' ', '\n']).unwrap_or(text.len()));
    let is_number = item.ends_with(|it: char| it.is_ascii_digit()) && item.parse::<f64>().is_ok();
    (is_number || MISSING.contains(&item)).then(|| (item.to_owned(), after))
}
