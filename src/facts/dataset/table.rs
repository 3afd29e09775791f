//! CSV, and its relatives with other delimiters.

use serde_json::{Map, Value};

use super::{Found, Place, row};

/// The likeliest delimiter of a header: the one that parts it into the most columns.
fn delimiter(header: &str) -> u8 {
    let count = |delimiter: u8| {
        let mut is_quoted = false;
        header
            .bytes()
            .filter(|&byte| {
                is_quoted ^= byte == b'"';
                byte == delimiter && !is_quoted
            })
            .count()
    };
    // The first of equals: `max_by_key` takes the last.
    *b"|;\t,".iter().max_by_key(|delimiter| count(**delimiter)).unwrap_or(&b',')
}

/// The rows of a table, or the columns of one that has no facts.
pub(super) fn records(
    text: &str,
    default_relation: Option<&str>,
) -> Result<Vec<Found>, Vec<String>> {
    let header = text.lines().next().unwrap_or_default();
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter(header))
        .flexible(true)
        .from_reader(text.as_bytes());
    let columns: Vec<String> = match reader.headers() {
        Ok(header) => header.iter().map(str::to_owned).collect(),
        Err(_) => Vec::new(),
    };
    if !row::is_table(&columns.iter().map(String::as_str).collect::<Vec<_>>()) {
        return Err(columns);
    }
    let mut found = Vec::new();
    for (index, cells) in reader.records().enumerate() {
        let cells = match cells {
            Ok(cells) => cells,
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                found.push((Place::Line(line), Err(error.to_string())));
                continue;
            }
        };
        let place = Place::Line(cells.position().map_or(0, csv::Position::line));
        if cells.len() != columns.len() {
            let (n, wanted) = (cells.len(), columns.len());
            let reason = format!(
                "{n} cells, and the header has {wanted}; put quotes around a cell with the \
                 delimiter in it"
            );
            found.push((place, Err(reason)));
            continue;
        }
        let cells = cells.iter().map(|cell| Value::String(cell.to_owned()));
        let row: Map<String, Value> = columns.iter().cloned().zip(cells).collect();
        found.push((place, row::record(&row, index.to_string(), default_relation)));
    }
    Ok(found)
}
