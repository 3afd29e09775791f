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
    "-nan",
    "-NaN",
    "1.#QNAN",
    "-1.#IND",
    "\\N",
    "(null)",
    "<null>",
    "nil",
    "()",
    "{}",
    "[]",
    "set()",
    "frozenset()",
    "#NUM!",
    "#NULL!",
    "#REF!",
    "#VALUE!",
    "#NAME?",
    "#DIV/0!",
    "<|endoftext|>",
];

/// The field of an object that holds its name: CounterFact's `{"str": "Paris", "id": "Q90"}`.
pub(super) const NAME: &[&str] = &["str", "label", "name", "text", "value", "title"];

impl Cell {
    /// The texts in a cell, which may hold a list, or a list as Python or JSON prints it.
    pub fn texts(&self) -> Vec<String> {
        match self {
            Self::Missing | Self::Unread => Vec::new(),
            Self::Text(text) => {
                let text = unquoted(trimmed(text));
                let all = printed(text)
                    .map_or_else(|| vec![text.to_owned()], Self::into_texts_as_they_are);
                all.into_iter().filter(|it| !is_missing(it)).collect()
            }
            Self::List(all) => all.iter().flat_map(Self::texts).collect(),
            Self::Object(_) => self.named().map(Self::texts).unwrap_or_default(),
        }
    }

    /// The texts in a cell of names, where `[1984]` is a title: a list of names has quotation marks.
    pub fn names(&self) -> Vec<String> {
        match self {
            Self::Text(text) if !text.contains(['\'', '"']) => {
                let name = trimmed(text);
                if is_missing(name) { Vec::new() } else { vec![name.to_owned()] }
            }
            _ => self.texts(),
        }
    }

    /// The texts in a list or an object that was printed; what stands in quotes is no list again.
    fn into_texts_as_they_are(self) -> Vec<String> {
        match self {
            Self::Missing | Self::Unread => Vec::new(),
            Self::Text(text) => vec![trimmed(&text).to_owned()],
            Self::List(all) => all.into_iter().flat_map(Self::into_texts_as_they_are).collect(),
            Self::Object(_) => {
                self.named().cloned().map(Self::into_texts_as_they_are).unwrap_or_default()
            }
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

fn is_missing(text: &str) -> bool {
    text.is_empty() || MISSING.contains(&text)
}

/// Without spaces at its ends, nor characters there that nobody sees.
pub(super) fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || is_unseen(c))
}

/// Without the marks that spreadsheets write to keep a text a text, `="007"`, and without those of RDF:
/// `"Norway"@en`, `"1905"^^xsd:gYear`.
fn unquoted(text: &str) -> &str {
    let formula = text.strip_prefix("=\"").and_then(|it| it.strip_suffix('"'));
    let literal = || {
        let (inner, kind) = text.strip_prefix('"')?.rsplit_once('"')?;
        let is_kind = !kind.contains(' ') && (kind.starts_with("^^") || kind.starts_with('@'));
        is_kind.then_some(inner)
    };
    formula.or_else(literal).unwrap_or(text)
}

/// Whether a character takes no room: a zero-width space or joiner, a mark of direction, a byte order mark.
pub(crate) fn is_unseen(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{2064}'
            | '\u{2066}'..='\u{2069}'
            | '\u{feff}'
    )
}

/// A list, a tuple, a set or a dictionary as Python, numpy or JSON prints it: `['a', "b's"]`,
/// `{'str': 'Paris'}`. `None` if the text is anything else, such as the template `[X]'s mother is [Y]`.
pub(super) fn printed(text: &str) -> Option<Cell> {
    let text = trimmed(text);
    // numpy says what it is: `array(['a'], dtype=object)`.
    let inner = text.strip_prefix("array(").and_then(|it| Some(&it[..=it.rfind(']')?]));
    if inner.is_none()
        && let Some((item, "")) = named_item(text)
    {
        return Some(Cell::Text(item));
    }
    let inner = inner.unwrap_or_else(|| within_call(text).unwrap_or(text));
    let (cell, rest) = printed_within(inner, N_DEEP)?;
    rest.is_empty().then_some(cell)
}

/// What stands within what Python or R call a list: `frozenset({'a'})`, `c("a", "b")`.
fn within_call(text: &str) -> Option<&str> {
    if text.starts_with("c(\"") {
        return Some(&text[1..]);
    }
    let of_python = ["frozenset(", "set(", "tuple(", "list(", "dict_keys(", "dict_values("];
    let inner = of_python.into_iter().find_map(|it| text.strip_prefix(it))?.strip_suffix(')')?;
    inner.starts_with(['[', '{', '(']).then_some(inner)
}

/// A text as Python names its type, and what comes after it: `u'a'`, `b'a'`, `np.str_('a')`.
fn named_item(text: &str) -> Option<(String, &str)> {
    let of_numpy = text.strip_prefix("np.str_(").or_else(|| text.strip_prefix("numpy.str_("));
    let quoted = of_numpy.or_else(|| text.strip_prefix(['u', 'b']))?;
    let quote = quoted.chars().next().filter(|it| matches!(it, '\'' | '"'))?;
    let (item, after) = quoted_item(quoted, quote)?;
    Some((item, if of_numpy.is_some() { after.strip_prefix(')')? } else { after }))
}

/// How deep lists may lie in each other.
const N_DEEP: usize = 8;

/// The list or dictionary that a text begins with, and what comes after it.
fn printed_within(text: &str, n_deep: usize) -> Option<(Cell, &str)> {
    let n_deep = n_deep.checked_sub(1)?;
    let (open, close) =
        [('[', ']'), ('(', ')'), ('{', '}')].into_iter().find(|it| text.starts_with(it.0))?;
    let mut rest = text[1..].trim_start();
    let (mut items, mut fields) = (Vec::new(), Vec::new());
    loop {
        if let Some(after) = rest.strip_prefix(close) {
            // An empty pair of brackets may be a slot.
            let is_list = fields.is_empty() && (open == '[' || !items.is_empty());
            let cell = if is_list { Cell::List(items) } else { Cell::Object(fields) };
            return (is_list || matches!(&cell, Cell::Object(it) if !it.is_empty()))
                .then_some((cell, after));
        }
        let is_plain_allowed = open == '[' || !items.is_empty() || !fields.is_empty();
        let (item, after) = item(rest, close, is_plain_allowed, n_deep)?;
        let next = after.trim_start();
        let after = match (next.strip_prefix(':'), item) {
            (Some(value), Cell::Text(name)) if open == '{' && items.is_empty() => {
                let (value, after) = self::item(value.trim_start(), close, true, n_deep)?;
                fields.push((name, value));
                after
            }
            (None, item) if fields.is_empty() => {
                items.push(item);
                after
            }
            _ => return None,
        };
        let next = after.trim_start();
        rest = match next.strip_prefix(',') {
            Some(next) => next.trim_start(),
            // numpy prints spaces between the items.
            None if next.starts_with(close) || after.len() > next.len() => next,
            None => return None,
        };
    }
}

/// The item of a list that a text begins with, and what comes after it.
fn item(text: &str, close: char, is_plain_allowed: bool, n_deep: usize) -> Option<(Cell, &str)> {
    if let Some((item, after)) = named_item(text) {
        return Some((Cell::Text(item), after));
    }
    match text.chars().next()? {
        quote @ ('\'' | '"') => quoted_item(text, quote).map(|(it, after)| (Cell::Text(it), after)),
        '[' | '(' | '{' => printed_within(text, n_deep),
        _ if is_plain_allowed => plain_item(text, close),
        _ => None,
    }
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

/// The number that a text begins with, or a word for a missing value or a truth.
fn plain_item(text: &str, close: char) -> Option<(Cell, &str)> {
    let (item, after) = text.split_at(text.find([',', ' ', '\n', close]).unwrap_or(text.len()));
    let is_number = item.ends_with(|it: char| it.is_ascii_digit()) && item.parse::<f64>().is_ok();
    let cell = match item {
        it if MISSING.contains(&it) => Cell::Missing,
        it if is_number || matches!(it, "True" | "False" | "true" | "false") => {
            Cell::Text(it.to_owned())
        }
        _ => return None,
    };
    Some((cell, after))
}
