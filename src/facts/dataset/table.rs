//! Facts as a table: CSV, or the same with another delimiter.

use std::rc::Rc;

use super::cell::{Cell, trimmed};
use super::columns::{self, Row};
use super::{Found, RecordError, RecordPlace};

/// How many rows are looked at for the names of the columns.
const N_BEFORE_HEADER: usize = 20;

/// The delimiters that a table may have. Of those that part a header into as many columns, the most
/// usual, which is the last, is taken.
const DELIMITERS: &[u8] = b"|;\t,";

/// The records of a table, one a row. The error is the names of the columns of a table without
/// facts.
pub(super) fn records(text: &str) -> Result<Found, Vec<String>> {
    let headers =
        DELIMITERS.iter().filter_map(|&delimiter| Some((delimiter, header(text, delimiter)?)));
    let Some((delimiter, (columns, nth))) = headers.max_by_key(|(_, (columns, _))| columns.len())
    else {
        let first = DELIMITERS.iter().filter_map(|it| first_rows(text, *it).next());
        return Err(first.max_by_key(Vec::len).unwrap_or_default());
    };
    let mut found = Found::default();
    if nth > 0 {
        let rows = if nth == 1 { "row".to_owned() } else { format!("{nth} rows") };
        found
            .notes
            .insert(format!("passed over the first {rows}, before the names of the columns"));
    }
    let shared = Rc::default();
    let mut lines = Lines::new(text);
    for (index, cells) in reader(text, delimiter).records().skip(nth + 1).enumerate() {
        let refused = |line, reason| {
            Err(RecordError { place: RecordPlace::Line(line), id: index.to_string(), reason })
        };
        let cells = match cells {
            Ok(cells) => cells,
            Err(error) => {
                let at = error.position().map_or(0, csv::Position::byte);
                found.entries.push(refused(lines.at(at), error.to_string()));
                continue;
            }
        };
        let line = lines.at(cells.position().map_or(0, csv::Position::byte));
        let is_filled = |it: &usize| !trimmed(&cells[*it]).is_empty();
        let n_filled = (0..cells.len()).rev().find(is_filled).map_or(0, |it| it + 1);
        let n_cells =
            if n_filled <= columns.len() { cells.len().min(columns.len()) } else { cells.len() };
        if n_cells != columns.len() {
            let wanted = columns.len();
            found.entries.push(refused(line, format!(
                "the row has {n_cells} cells and the header {wanted}; put quotes around a cell that \
                 contains the delimiter"
            )));
            continue;
        }
        let cells = cells.iter().map(|cell| Cell::Text(cell.to_owned()));
        let fields = columns.iter().cloned().zip(cells).collect();
        let place = RecordPlace::Line(line);
        found.entries.push(Ok(Row::new(place, index.to_string(), fields, Rc::clone(&shared))));
    }
    Ok(found)
}

fn reader(text: &str, delimiter: u8) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .has_headers(false)
        .from_reader(text.as_bytes())
}

fn first_rows(text: &str, delimiter: u8) -> impl Iterator<Item = Vec<String>> {
    let rows = reader(text, delimiter).into_records().take(N_BEFORE_HEADER);
    rows.map_while(Result::ok).map(|row| row.iter().map(str::to_owned).collect())
}

/// The names of the columns, which may stand below a title, and how many rows stand before them.
fn header(text: &str, delimiter: u8) -> Option<(Vec<String>, usize)> {
    let mut rows = first_rows(text, delimiter).zip(0..);
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
