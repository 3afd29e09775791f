//! The numbers of a figure as columns with types: what npz and Parquet files are written from.

use super::{Cell, Chart, Figure, Map, Side};

/// A column, all of one length within its table.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Column {
    pub name: String,
    pub values: Values,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Values {
    /// Counted from 0.
    Places(Vec<usize>),

    /// NaN where there is none.
    Numbers(Vec<f32>),
    Texts(Vec<String>),
    Flags(Vec<bool>),
}

/// One chart, a line for each number as in the CSV.
pub(super) fn columns(chart: &Chart) -> Vec<Column> {
    match chart {
        Chart::Map(map) => of_map(map),
        Chart::Bars(bars) => vec![
            texts("label", bars.bars.iter().map(|it| it.label.clone())),
            numbers(&bars.quantity, bars.bars.iter().map(|it| it.value)),
        ],
        Chart::Waterfall(it) => vec![
            texts("label", it.bars.bars.iter().map(|it| it.label.clone())),
            numbers(&it.bars.quantity, it.bars.bars.iter().map(|it| it.value)),
            numbers("from", it.starts.iter().copied()),
            numbers("to", it.ends()),
        ],
        Chart::Lines(lines) => {
            let n = |values: &[f32]| 0..values.len();
            let series = &lines.series;
            let mut columns = vec![
                texts(
                    "series",
                    series.iter().flat_map(|it| n(&it.values).map(|_| it.name.clone())),
                ),
                places("layer", series.iter().flat_map(|it| n(&it.values))),
                numbers(&lines.quantity, series.iter().flat_map(|it| it.values.clone())),
            ];
            if lines.has_bands() {
                let ends =
                    || series.iter().flat_map(|it| n(&it.values).map(|layer| it.ends(layer)));
                columns.push(numbers("low", ends().map(|it| it.0)));
                columns.push(numbers("high", ends().map(|it| it.1)));
            }
            columns
        }
        Chart::Scatter(scatter) => vec![
            texts("label", scatter.points.iter().map(|it| it.label.clone())),
            numbers(&scatter.x_title, scatter.points.iter().map(|it| it.x)),
            numbers(&scatter.y_title, scatter.points.iter().map(|it| it.y)),
        ],
        Chart::Graph(graph) => {
            let end = |nth: usize| graph.edges.iter().map(move |it| graph.ends(it)[nth].to_owned());
            vec![
                texts("from", end(0)),
                texts("via", graph.edges.iter().map(|it| it.via.clone())),
                texts("to", end(1)),
                numbers(&graph.quantity, graph.edges.iter().map(|it| it.weight)),
            ]
        }
        Chart::Table(table) => {
            let cells = |nth: usize| table.rows.iter().map(move |row| row.cells.get(nth));
            let column = |(nth, name): (usize, &String)| {
                let is_number = |cell: Option<&Cell>| matches!(cell, Some(Cell::Number(_)) | None);
                if cells(nth).all(is_number) {
                    numbers(
                        name,
                        cells(nth).map(|cell| match cell {
                            Some(Cell::Number(value)) => *value,
                            _ => f32::NAN,
                        }),
                    )
                } else {
                    texts(
                        name,
                        cells(nth).map(|cell| match cell {
                            Some(Cell::Text(text) | Cell::Token(text)) => text.clone(),
                            Some(Cell::Number(value)) => value.to_string(),
                            None => String::new(),
                        }),
                    )
                }
            };
            table.columns.iter().enumerate().map(column).collect()
        }
    }
}

fn of_map(map: &Map) -> Vec<Column> {
    let (n_rows, n_columns) = (map.n_rows(), map.n_columns());
    let rows = || (0..n_rows).flat_map(move |row| (0..n_columns).map(move |_| row));
    let across = || (0..n_rows).flat_map(move |_| 0..n_columns);
    let mut columns = Vec::new();
    let mut side = |side: &Side, nth: Vec<usize>| {
        let label = |nth: usize| side.labels[nth].clone();
        if side.is_tokens {
            columns.push(places(&side.noun, nth.iter().copied()));
            let name = format!("{} text", side.noun);
            columns.push(texts(&name, nth.into_iter().map(label)));
        } else if side.labels.iter().enumerate().all(|(nth, it)| *it == nth.to_string()) {
            columns.push(places(&side.noun, nth.into_iter()));
        } else {
            columns.push(texts(&side.noun, nth.into_iter().map(label)));
        }
    };
    side(&map.rows, rows().collect());
    side(&map.columns, across().collect());
    columns.push(numbers(&map.quantity, map.values.iter().copied()));
    if !map.texts.is_empty() {
        columns.push(texts("text", map.texts.iter().cloned()));
    }
    if !map.estimated.is_empty() {
        let values = Values::Flags(map.estimated.clone());
        columns.push(Column { name: "is estimate".to_owned(), values });
    }
    // Rows and columns may both be tokens.
    for nth in 1..columns.len() {
        let name = columns[nth].name.clone();
        if columns[..nth].iter().any(|it| it.name == name) {
            columns[nth].name = format!("{name} (column)");
        }
    }
    columns
}

fn numbers(name: &str, values: impl Iterator<Item = f32>) -> Column {
    Column { name: name.to_owned(), values: Values::Numbers(values.collect()) }
}

fn texts(name: &str, values: impl Iterator<Item = String>) -> Column {
    Column { name: name.to_owned(), values: Values::Texts(values.collect()) }
}

fn places(name: &str, values: impl Iterator<Item = usize>) -> Column {
    Column { name: name.to_owned(), values: Values::Places(values.collect()) }
}

impl Values {
    pub fn len(&self) -> usize {
        match self {
            Self::Places(it) => it.len(),
            Self::Numbers(it) => it.len(),
            Self::Texts(it) => it.len(),
            Self::Flags(it) => it.len(),
        }
    }
}

/// A name in letters that every program takes: `logit difference` as `logit_difference`.
pub(super) fn plain_name(name: &str) -> String {
    let mut plain = String::new();
    for c in name.to_lowercase().chars() {
        if c.is_ascii_alphanumeric() {
            plain.push(c);
        } else if !plain.is_empty() && !plain.ends_with('_') {
            plain.push('_');
        }
    }
    let plain = plain.trim_end_matches('_');
    if plain.is_empty() { "chart".to_owned() } else { plain.to_owned() }
}

/// The charts' names as [`plain_name`], each once.
pub(super) fn chart_names(figure: &Figure) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for chart in &figure.charts {
        let plain = plain_name(chart.name());
        let mut name = plain.clone();
        let mut nth = 2;
        while names.contains(&name) {
            name = format!("{plain}_{nth}");
            nth += 1;
        }
        names.push(name);
    }
    names
}
