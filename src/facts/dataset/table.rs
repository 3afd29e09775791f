//! Facts as a table: CSV, or the same with another delimiter.

use serde_json::{Map, Value};

use super::{Entry, RecordPlace, row};

/// The delimiter that parts a header into the most columns.
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
    // `max_by_key` takes the last of equals, so the most usual delimiter comes last.
    *b"|;\t,".iter().max_by_key(|delimiter| count(**delimiter)).unwrap_or(&b',')
}

/// The facts of a table, one a row. The error is the names of the columns of a table without facts.
pub(super) fn records(
    text: &str,
    default_relation: Option<&str>,
) -> Result<Vec<Entry>, Vec<String>> {
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
                found.push((RecordPlace::Line(line), Err(error.to_string())));
                continue;
            }
        };
        let place = RecordPlace::Line(cells.position().map_or(0, csv::Position::line));
        if cells.len() != columns.len() {
            let (n, wanted) = (cells.len(), columns.len());
            let reason = format!(
                "the row has {n} cells and the header {wanted}; put quotes around a cell that \
                 contains the delimiter"
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
