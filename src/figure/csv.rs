//! A figure's numbers as CSV, written as they were computed.

use csv::Writer;

use super::Figure;
use super::tidy::{Block, Values};

/// One table per chart, an empty line between two. Each number has a line of its own and stands beside
/// what it is about.
///
/// # Panics
///
/// Never: memory can be written to, and the columns of a chart are of one length.
pub fn to_csv(figure: &Figure) -> String {
    let charts = figure.charts.iter().map(|chart| {
        let bytes = table(&Block::of(chart)).expect("a table can be written to memory");
        String::from_utf8(bytes).expect("names and numbers are text")
    });
    charts.collect::<Vec<_>>().join("\n")
}

fn table(block: &Block) -> Result<Vec<u8>, csv::Error> {
    let columns = block.lines();
    let mut writer = Writer::from_writer(Vec::new());
    writer.write_record(columns.iter().map(|it| &it.name))?;
    for nth in 0..columns.first().map_or(0, |it| it.values.len()) {
        writer.write_record(columns.iter().map(|it| cell(&it.values, nth)))?;
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}

/// A cell of a table: a number as short as it can be read back the same, and empty for no number.
fn cell(values: &Values, nth: usize) -> String {
    match values {
        Values::Places(it) => it[nth].to_string(),
        Values::Numbers(it) if it[nth].is_nan() => String::new(),
        Values::Numbers(it) => it[nth].to_string(),
        Values::Texts(it) => it[nth].clone(),
        Values::Flags(it) => it[nth].to_string(),
    }
}
