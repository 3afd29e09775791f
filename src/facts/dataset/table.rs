//! Facts as a table: CSV, or the same with another delimiter.

use std::borrow::Cow;
use std::rc::Rc;

use super::cell::{Cell, trimmed};
use super::columns::{self, OF_SUMMARY, Row};
use super::{Entry, RecordError, RecordPlace};

/// How many rows are looked at for the names of the columns.
const N_BEFORE_HEADER: usize = 20;

/// The delimiters that a table may have. Of those that part a header into as many columns, the most
/// usual, which is the last, is taken.
const DELIMITERS: &[u8] = b"|;\t,";

/// The columns that a table may have.
const N_COLUMNS: usize = 4096;

/// The delimiters that a line may have; a cell of text may hold many.
const N_CELLS: usize = 1 << 18;

/// A table whose header has been found.
pub(super) struct Table<'a> {
    text: Cow<'a, str>,
    delimiter: u8,
    quote: u8,
    columns: Vec<String>,

    /// How many rows stand before the names of the columns.
    n_before: usize,

    /// Whether the row below the names of the columns says of which type each is.
    has_types: bool,

    /// Whether each line was a text in quotation marks.
    is_of_texts: bool,
}

/// Why a text is no table of facts.
pub(super) struct NoTable {
    /// The names of its columns.
    pub columns: Vec<String>,

    pub why: Why,
}

/// What else is wrong with a table.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// No columns have the names of a fact's parts.
    NoColumns,

    /// The table lies on its side: rows have the names that columns should have.
    Turned,

    /// The rows say how often values occur, as pandas' `describe()` does.
    Described,
}

/// Words for the type of a column, before what stands in brackets and without the size: `VARCHAR(20)`, `int64`.
const TYPES: &[&str] = &[
    "string", "str", "text", "varchar", "char", "object", "category", "int", "integer", "bigint",
    "float", "double", "number", "bool", "boolean", "date",
];

/// The table in a text.
pub(super) fn table(text: &str) -> Result<Table<'_>, NoTable> {
    let widest = |delimiters: &[u8]| {
        let headers =
            delimiters.iter().filter_map(|&delimiter| Some((delimiter, header(text, delimiter)?)));
        headers.max_by_key(|(_, (columns, _))| columns.len())
    };
    // What is named need not be what was written.
    let named = declared(text).and_then(|it| widest(&[it]));
    let Some((delimiter, (columns, n_before))) = named.or_else(|| widest(DELIMITERS)) else {
        if let Some(lines) = without_quotes_around_lines(text) {
            let table = self::table(&lines);
            return table.map(|it| {
                let text = it.text.into_owned().into();
                Table { text, is_of_texts: true, ..it }
            });
        }
        let narrow = || DELIMITERS.iter().filter(|it| !is_too_wide(text, **it));
        let first = narrow().filter_map(|it| first_rows(text, *it).next());
        let is_turned = narrow().any(|delimiter| {
            let names = first_rows(text, *delimiter).filter_map(|row| row.into_iter().next());
            columns::is_table(names)
        });
        let why = if is_turned { Why::Turned } else { Why::NoColumns };
        return Err(NoTable { columns: first.max_by_key(Vec::len).unwrap_or_default(), why });
    };
    if is_description(text, delimiter, n_before) {
        return Err(NoTable { columns, why: Why::Described });
    }
    let text = without_spaces_before_quotes(text, delimiter);
    let quote = quote(&text, delimiter, n_before);
    let has_types =
        first_rows(&text, delimiter).nth(n_before + 1).is_some_and(|it| is_of_types(&it));
    Ok(Table { text, delimiter, quote, columns, n_before, has_types, is_of_texts: false })
}

/// The delimiter that a first line names, as Excel writes and reads it: `sep=^`. Where it was saved anew, more of
/// them stand behind.
fn declared(text: &str) -> Option<u8> {
    let named = text.lines().next()?.trim_matches('"').to_lowercase();
    let named = named.strip_prefix("sep=")?.as_bytes();
    let delimiter = *named.first()?;
    let is_rest = |it: &u8| *it == delimiter || matches!(it, b' ' | b'"');
    let is_one = delimiter.is_ascii() && !delimiter.is_ascii_alphanumeric();
    (is_one && named.iter().all(is_rest)).then_some(delimiter)
}

/// The lines of a text of which each is one cell in quotation marks, without these: rows that were written as
/// texts. `None` for other texts.
fn without_quotes_around_lines(text: &str) -> Option<String> {
    let cell = |line: &str| {
        let line = line.trim_end();
        let is_whole = line.len() > 2 && quoted_end(line.as_bytes()) == Some(line.len());
        is_whole.then(|| line[1..line.len() - 1].replace("\"\"", "\""))
    };
    let lines =
        text.lines().map(|it| if it.trim().is_empty() { Some(String::new()) } else { cell(it) });
    let lines = lines.collect::<Option<Vec<String>>>()?;
    lines
        .iter()
        .any(|it| DELIMITERS.iter().any(|delimiter| it.as_bytes().contains(delimiter)))
        .then(|| lines.join("\n"))
}

/// Whether the rows below the names of the columns are those of pandas' `describe()`.
fn is_description(text: &str, delimiter: u8, n_before: usize) -> bool {
    let rows = first_rows(text, delimiter).skip(n_before + 1);
    let mut names = rows.filter_map(|row| row.into_iter().next()).peekable();
    names.peek().is_some_and(|it| it == "count")
        && names.all(|it| it.is_empty() || OF_SUMMARY.contains(&&*it))
}

/// Whether a row says of which type each column is.
fn is_of_types(row: &[String]) -> bool {
    row.len() > 1
        && row.iter().all(|cell| {
            let word = trimmed(cell).split('(').next().unwrap_or_default().to_lowercase();
            TYPES.contains(&word.trim_end_matches(|it: char| it.is_ascii_digit()))
        })
}

/// The mark around cells: `'` where the first row has it around each of several cells.
fn quote(text: &str, delimiter: u8, n_before: usize) -> u8 {
    let first = first_rows(text, delimiter).nth(n_before + 1).unwrap_or_default();
    let is_quoted = |it: &String| it.len() > 1 && it.starts_with('\'') && it.ends_with('\'');
    if first.len() > 1 && first.iter().all(is_quoted) { b'\'' } else { b'"' }
}

/// A table without the spaces that some programs write between a delimiter and the quotation mark of a cell.
fn without_spaces_before_quotes(text: &str, delimiter: u8) -> Cow<'_, str> {
    let (bytes, mut at, mut copied, mut kept) = (text.as_bytes(), 0, 0, String::new());
    while at < bytes.len() {
        // A cell begins here.
        let n_spaces = bytes[at..].iter().take_while(|it| **it == b' ').count();
        let start = at + n_spaces;
        let end = quoted_end(&bytes[start..]).map(|it| start + it);
        let is_cell = |end: usize| {
            let next = bytes[end..].iter().find(|it| **it != b' ');
            next.is_none_or(|it| *it == delimiter || matches!(it, b'\r' | b'\n'))
        };
        at = match end.filter(|it| is_cell(*it)) {
            Some(end) if n_spaces > 0 => {
                kept.push_str(&text[copied..at]);
                copied = start;
                end
            }
            Some(end) => end,
            None => at,
        };
        let is_end = |it: &u8| *it == delimiter || matches!(it, b'\r' | b'\n');
        let rest = &bytes[at..];
        at += rest.iter().position(is_end).unwrap_or(rest.len()) + 1;
    }
    if copied == 0 {
        return text.into();
    }
    kept.push_str(&text[copied..]);
    kept.into()
}

/// Where the cell in quotation marks ends that a text begins with.
fn quoted_end(text: &[u8]) -> Option<usize> {
    let mut at = usize::from(text.first() == Some(&b'"'));
    while at > 0 {
        match (text.get(at), text.get(at + 1)) {
            (None, _) => return None,
            (Some(b'"'), Some(b'"')) => at += 2,
            (Some(b'"'), _) => return Some(at + 1),
            _ => at += 1,
        }
    }
    None
}

impl Table<'_> {
    /// What the reader decided.
    pub fn notes(&self) -> Vec<String> {
        let rows = match self.n_before {
            0 => None,
            1 => Some("row".to_owned()),
            n => Some(format!("{n} rows")),
        };
        let before = rows
            .map(|rows| format!("passed over the first {rows}, before the names of the columns"));
        let types = "passed over the row of types below the names of the columns";
        let texts = "each row was taken out of the quotation marks around its line";
        let [types, texts] = [(self.has_types, types), (self.is_of_texts, texts)]
            .map(|(is_so, it)| is_so.then_some(it));
        before.into_iter().chain([types, texts].into_iter().flatten().map(str::to_owned)).collect()
    }

    /// Gives each record to `add`, one a row.
    pub fn each(&self, add: &mut dyn FnMut(Entry)) {
        let shared = Rc::default();
        let mut lines = Lines::new(&self.text);
        let rows = reader(&self.text, self.delimiter, self.quote).into_records();
        let mut rows = rows.skip(self.n_before + 1 + usize::from(self.has_types)).peekable();
        let mut n_found = 0;
        while let Some(row) = rows.next() {
            let row = match row {
                Ok(row) => row,
                Err(error) => {
                    let at = error.position().map_or(0, csv::Position::byte);
                    let place = RecordPlace::Line(lines.at(at));
                    let (id, reason) = (n_found.to_string(), error.to_string());
                    n_found += 1;
                    add(Err(RecordError { place, id, reason }));
                    continue;
                }
            };
            let start = row.position().map_or(0, csv::Position::byte);
            let end = match rows.peek() {
                Some(Ok(next)) => next.position().map_or(0, csv::Position::byte),
                _ => self.text.len() as u64,
            };
            // Markdown has a line below the names of the columns, other programs have more of them.
            let is_rule = |cell: &str| trimmed(cell).trim_matches([':', '-', '+', '|']).is_empty();
            if row.iter().any(|it| it.contains("---")) && row.iter().all(is_rule) {
                continue;
            }
            let first = lines.at(start);
            let [start, end] = [start, end].map(|it| usize::try_from(it).unwrap_or(usize::MAX));
            let raw = self.text.get(start..end).unwrap_or_default().trim_matches(['\r', '\n']);
            let fault = quotation_fault(raw, self.delimiter).filter(|_| self.quote == b'"');
            let n_lines = line_ends(raw) + 1;
            let begins = fault.map(|it| it.0).or_else(|| self.swallowing(raw, &row));
            if let Some(begins) = begins
                && n_lines > 1
            {
                let last = first + n_lines - 1;
                let mark = first + line_ends(&raw[..begins]);
                let reason = format!(
                    "lines {first} to {last} were taken for one row, because a quotation mark in line {mark} \
                     is never closed, or only in a later line; close it, or take it away"
                );
                for line in first..=last {
                    let (place, id) = (RecordPlace::Line(line), n_found.to_string());
                    n_found += 1;
                    add(Err(RecordError { place, id, reason: reason.clone() }));
                }
                continue;
            }
            let place = RecordPlace::Line(first);
            let id = n_found.to_string();
            n_found += 1;
            let fault = fault.map(|it| it.1.to_owned());
            if let Some(reason) = fault.or_else(|| self.misfit(&row)) {
                add(Err(RecordError { place, id, reason }));
                continue;
            }
            let cells = row.iter().map(|cell| Cell::Text(cell.to_owned()));
            let fields = self.columns.iter().cloned().zip(cells).collect();
            add(Ok(Row::new(place, id, fields, Rc::clone(&shared))));
        }
    }

    /// Where a cell of a row begins that holds other rows: lines with as many cells as the table has
    /// columns, one after another.
    fn swallowing(&self, raw: &str, row: &csv::StringRecord) -> Option<usize> {
        /// A text may hold a line or two with as many commas by chance.
        const N_ROWS: usize = 3;
        let n_columns = self.columns.len();
        let is_row =
            |line: &&str| line.bytes().filter(|it| *it == self.delimiter).count() + 1 == n_columns;
        let holds_rows = |cell: &str| {
            let n_lines = cell.lines().count();
            let whole = || cell.lines().take(n_lines.saturating_sub(1)).skip(1);
            n_columns > 1 && whole().count() >= N_ROWS && whole().all(|line| is_row(&line))
        };
        let cell = row.iter().find(|cell| holds_rows(cell))?;
        let start = cell.lines().next().unwrap_or_default();
        Some(raw.find(start).unwrap_or(0))
    }

    /// Why a row's cells do not fit the names of the columns.
    fn misfit(&self, row: &csv::StringRecord) -> Option<String> {
        if row.iter().map(trimmed).eq(self.columns.iter().map(|it| trimmed(it))) {
            return Some("the row repeats the names of the columns".to_owned());
        }
        let wanted = self.columns.len();
        let n_named = self.columns.iter().rposition(|it| !trimmed(it).is_empty());
        let n_named = n_named.map_or(wanted, |it| it + 1);
        let is_filled = |it: &usize| !trimmed(&row[*it]).is_empty();
        let n_filled = (0..row.len()).rev().find(is_filled).map_or(0, |it| it + 1);
        let n_cells = if n_filled <= wanted { row.len().min(wanted) } else { row.len() };
        (!(n_named..=wanted).contains(&n_cells)).then(|| {
            format!(
                "the row has {n_cells} cell{} and the header {wanted}; put quotes around a cell that \
                 contains the delimiter",
                if n_cells == 1 { "" } else { "s" }
            )
        })
    }
}

/// How many lines end within a text, of which `\r\n` ends one.
fn line_ends(text: &str) -> u64 {
    let bytes = text.as_bytes();
    let is_end = |at: &usize| {
        bytes[*at] == b'\n' || (bytes[*at] == b'\r' && bytes.get(at + 1) != Some(&b'\n'))
    };
    (0..bytes.len()).filter(is_end).count() as u64
}

/// What is wrong with the quotation marks around the cells of a row, and where the cell begins.
fn quotation_fault(row: &str, delimiter: u8) -> Option<(usize, &'static str)> {
    let bytes = row.as_bytes();
    let mut at = bytes.iter().take_while(|it| matches!(it, b'\r' | b'\n')).count();
    loop {
        let rest = &bytes[at..];
        let n = if rest.first() == Some(&b'"') {
            let mut end = 1;
            loop {
                match (rest.get(end), rest.get(end + 1)) {
                    (None, _) => {
                        return Some((
                            at,
                            "a cell begins with a quotation mark that is never closed; close it, or \
                             take it away",
                        ));
                    }
                    (Some(b'"'), Some(b'"')) => end += 2,
                    (Some(b'"'), _) => break,
                    _ => end += 1,
                }
            }
            match rest.get(end + 1) {
                Some(it) if *it != delimiter && !matches!(it, b'\r' | b'\n') => {
                    return Some((
                        at,
                        "a cell in quotation marks goes on behind its closing mark; within a cell, \
                         write a quotation mark as two (`\"\"`)",
                    ));
                }
                _ => end + 1,
            }
        } else {
            let is_end = |it: &u8| *it == delimiter || matches!(it, b'\r' | b'\n');
            rest.iter().position(is_end).unwrap_or(rest.len())
        };
        at += n;
        if bytes.get(at) != Some(&delimiter) {
            return None;
        }
        at += 1;
    }
}

fn reader(text: &str, delimiter: u8, quote: u8) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .quote(quote)
        .flexible(true)
        .has_headers(false)
        .from_reader(text.as_bytes())
}

fn first_rows(text: &str, delimiter: u8) -> impl Iterator<Item = Vec<String>> {
    let rows = reader(text, delimiter, b'"').into_records().take(N_BEFORE_HEADER + 1);
    rows.map_while(Result::ok).map(|row| row.iter().take(N_COLUMNS).map(str::to_owned).collect())
}

/// Whether a line has more cells than a table may have; each would take memory of its own.
fn is_too_wide(text: &str, delimiter: u8) -> bool {
    let mut lines = text.as_bytes().split(|it| matches!(it, b'\n' | b'\r'));
    lines.any(|line| line.split(|it| *it == delimiter).count() > N_CELLS + 1)
}

/// The names of the columns, which may stand below a title, and how many rows stand before them.
fn header(text: &str, delimiter: u8) -> Option<(Vec<String>, usize)> {
    if is_too_wide(text, delimiter) {
        return None;
    }
    let mut rows = first_rows(text, delimiter).take(N_BEFORE_HEADER).zip(0..);
    rows.find(|(row, _)| columns::is_table(row.iter().map(String::as_str)))
}

/// Counts the lines of a text up to bytes that follow one another.
struct Lines<'a> {
    text: &'a [u8],
    at: usize,
    line: u64,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str) -> Self {
        Self { text: text.as_bytes(), at: 0, line: 1 }
    }

    /// The line of the first byte from here on that ends no line, counted from 1.
    fn at(&mut self, byte: u64) -> u64 {
        let byte = usize::try_from(byte).unwrap_or(usize::MAX);
        while let Some(c) = self.text.get(self.at)
            && (self.at < byte || matches!(c, b'\r' | b'\n'))
        {
            // `\r\n` ends one line.
            let is_end = *c == b'\n' || (*c == b'\r' && self.text.get(self.at + 1) != Some(&b'\n'));
            self.line += u64::from(is_end);
            self.at += 1;
        }
        self.line
    }
}
