use std::fmt::Write as _;

use super::{Cell, Chart, Figure, Map};

/// The numbers of a figure, as they were computed: one table per chart, an empty line between two.
///
/// Maps are written one cell a line, so that each number stands beside what it is about.
pub fn to_csv(figure: &Figure) -> String {
    figure.charts.iter().map(chart).collect::<Vec<_>>().join("\n")
}

fn chart(chart: &Chart) -> String {
    let mut text = String::new();
    let mut line = |cells: &[String]| {
        _ = writeln!(text, "{}", cells.iter().map(|it| quoted(it)).collect::<Vec<_>>().join(","));
    };
    match chart {
        Chart::Map(map) => {
            line(&map_head(map));
            for row in 0..map.n_rows() {
                for column in 0..map.n_columns() {
                    line(&map_cell(map, row, column));
                }
            }
        }
        Chart::Bars(bars) => {
            line(&[bars.name.clone(), bars.quantity.clone()]);
            for bar in &bars.bars {
                line(&[bar.label.clone(), number(bar.value)]);
            }
        }
        Chart::Waterfall(it) => {
            let [from, to] = ["from", "to"].map(str::to_owned);
            line(&[it.bars.name.clone(), it.bars.quantity.clone(), from, to]);
            for ((bar, start), end) in it.bars.bars.iter().zip(&it.starts).zip(it.ends()) {
                line(&[bar.label.clone(), number(bar.value), number(*start), number(end)]);
            }
        }
        Chart::Lines(lines) => {
            let names = lines.series.iter().flat_map(|it| {
                let ends = ["low", "high"].map(|end| format!("{} {end}", it.name));
                let n_ends = if it.band.is_empty() { 0 } else { 2 };
                std::iter::once(it.name.clone()).chain(ends.into_iter().take(n_ends))
            });
            line(&std::iter::once("layer".to_owned()).chain(names).collect::<Vec<_>>());
            let n_layers = lines.series.iter().map(|it| it.values.len()).max().unwrap_or(0);
            for layer in 0..n_layers {
                let values = lines.series.iter().flat_map(|it| {
                    let value = it.values.get(layer).map_or_else(String::new, |it| number(*it));
                    let (low, high) = it.ends(layer);
                    let n_ends = if it.band.is_empty() { 0 } else { 2 };
                    std::iter::once(value).chain([low, high].map(number).into_iter().take(n_ends))
                });
                line(&std::iter::once(layer.to_string()).chain(values).collect::<Vec<_>>());
            }
        }
        Chart::Scatter(scatter) => {
            line(&[scatter.name.clone(), scatter.x_title.clone(), scatter.y_title.clone()]);
            for point in &scatter.points {
                line(&[point.label.clone(), number(point.x), number(point.y)]);
            }
        }
        Chart::Graph(graph) => {
            line(&["from", "via", "to", &*graph.quantity].map(str::to_owned));
            for edge in &graph.edges {
                let [from, to] = graph.ends(edge).map(str::to_owned);
                line(&[from, edge.via.clone(), to, number(edge.weight)]);
            }
        }
        Chart::Table(table) => {
            line(&table.columns);
            for row in &table.rows {
                let cells = row.cells.iter().map(|cell| match cell {
                    Cell::Text(text) | Cell::Token(text) => text.clone(),
                    Cell::Number(value) => number(*value),
                });
                line(&cells.collect::<Vec<_>>());
            }
        }
    }
    text
}

fn map_head(map: &Map) -> Vec<String> {
    let mut head = vec![map.rows.noun.clone()];
    if map.rows.is_tokens {
        head.push(format!("{} text", map.rows.noun));
    }
    head.push(map.columns.noun.clone());
    if map.columns.is_tokens {
        head.push(format!("{} text", map.columns.noun));
    }
    head.push(map.quantity.clone());
    if !map.texts.is_empty() {
        head.push("text".to_owned());
    }
    if !map.estimated.is_empty() {
        head.push("is estimate".to_owned());
    }
    head
}

fn map_cell(map: &Map, row: usize, column: usize) -> Vec<String> {
    let mut cells = Vec::new();
    for (side, nth) in [(&map.rows, row), (&map.columns, column)] {
        if side.is_tokens {
            cells.push(nth.to_string());
        }
        cells.push(side.labels[nth].clone());
    }
    let at = row * map.n_columns() + column;
    cells.push(number(map.values[at]));
    cells.extend(map.texts.get(at).cloned());
    if let Some(is_estimated) = map.estimated.get(at) {
        cells.push(is_estimated.to_string());
    }
    cells
}

/// As short as it can be read back the same; nothing for none.
fn number(value: f32) -> String {
    if value.is_nan() { String::new() } else { value.to_string() }
}

/// RFC 4180.
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}
