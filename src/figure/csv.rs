//! A figure's numbers as CSV, written as they were computed.

use csv::Writer;

use super::Figure;
use super::tidy::{Block, Column, Values};

/// One table per chart, an empty line between two. Each number has a line of its own and stands beside
/// what it is about. Where charts have the same columns, the first column names the chart.
///
/// # Panics
///
/// Never: memory can be written to, and the columns of a chart are of one length.
pub fn to_csv(figure: &Figure) -> String {
    let columns: Vec<Vec<Column>> = figure.charts.iter().map(|it| Block::of(it).lines()).collect();
    let heads: Vec<Vec<&str>> =
        columns.iter().map(|it| it.iter().map(|it| it.name.as_str()).collect()).collect();
    let tables = figure.charts.iter().zip(&columns).zip(&heads).map(|((chart, columns), head)| {
        let is_alone = heads.iter().filter(|it| *it == head).count() == 1;
        let name = (!is_alone).then(|| chart.name());
        let bytes = table(name, columns).expect("a table can be written to memory");
        String::from_utf8(bytes).expect("names and numbers are text")
    });
    tables.collect::<Vec<_>>().join("\n")
}

fn table(chart: Option<&str>, columns: &[Column]) -> Result<Vec<u8>, csv::Error> {
    let mut writer = Writer::from_writer(Vec::new());
    let head = columns.iter().map(|it| it.name.as_str());
    writer.write_record(chart.map(|_| CHART).into_iter().chain(head))?;
    for nth in 0..columns.first().map_or(0, |it| it.values.len()) {
        let cells = columns.iter().map(|it| cell(&it.values, nth));
        writer.write_record(chart.map(str::to_owned).into_iter().chain(cells))?;
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}

/// What the column is called that names the chart.
const CHART: &str = "chart";

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
