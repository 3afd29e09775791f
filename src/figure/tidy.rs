//! The numbers of a chart, flattened once: what text, CSV, npz and Parquet are written from.

use super::{Cell, Chart, Figure, Graph, Lines, Map, Side, Table};

/// A chart as columns of one length: a line for each number, or for each row of a table.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Block {
    /// The two sides of what is a grid; its columns then have a value for each place, row by row.
    pub sides: Option<[Edge; 2]>,

    /// The columns; no two have the same name.
    pub columns: Vec<Column>,
}

/// What stands along one side of a grid.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Edge {
    /// “Restored layer”.
    pub title: String,

    /// “layer”, “token”.
    pub noun: String,
    pub labels: Vec<String>,

    /// The labels, and before them the numbers of what they name, if they are tokens.
    columns: Vec<Column>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Column {
    pub name: String,
    pub values: Values,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Values {
    /// Layers, heads, positions: counted from 0.
    Places(Vec<usize>),

    /// NaN where there is none.
    Numbers(Vec<f32>),
    Texts(Vec<String>),
    Flags(Vec<bool>),
}

impl Block {
    pub fn of(chart: &Chart) -> Self {
        match chart {
            Chart::Map(map) => Self::of_map(map),
            Chart::Lines(lines) => Self::of_lines(lines),
            Chart::Bars(bars) => Self::list(vec![
                texts("label", bars.bars.iter().map(|it| it.label.clone())),
                numbers(&bars.quantity, bars.bars.iter().map(|it| it.value)),
            ]),
            Chart::Waterfall(it) => Self::list(vec![
                texts("label", it.bars.bars.iter().map(|it| it.label.clone())),
                numbers(&it.bars.quantity, it.bars.bars.iter().map(|it| it.value)),
                numbers("from", it.starts.iter().copied()),
                numbers("to", it.ends()),
            ]),
            Chart::Scatter(scatter) => Self::list(vec![
                texts("label", scatter.points.iter().map(|it| it.label.clone())),
                numbers(&scatter.x_title, scatter.points.iter().map(|it| it.x)),
                numbers(&scatter.y_title, scatter.points.iter().map(|it| it.y)),
            ]),
            Chart::Graph(graph) => Self::of_graph(graph),
            Chart::Table(table) => Self::of_table(table),
        }
    }

    fn list(columns: Vec<Column>) -> Self {
        Self { sides: None, columns: each_named_once(columns) }
    }

    fn of_map(map: &Map) -> Self {
        let mut columns = vec![numbers(&map.quantity, map.values.iter().copied())];
        if !map.texts.is_empty() {
            columns.push(texts("text", map.texts.iter().cloned()));
        }
        if !map.estimated.is_empty() {
            columns.push(column("is estimate", Values::Flags(map.estimated.clone())));
        }
        if !map.set_back.is_empty() {
            columns.push(column("is set back", Values::Flags(map.set_back.clone())));
        }
        let sides = Some([&map.rows, &map.columns].map(Edge::of));
        Self { sides, columns: each_named_once(columns) }
    }

    /// Lines that are shorter than others have no number at their end.
    fn of_lines(lines: &Lines) -> Self {
        let n_layers = lines.series.iter().map(|it| it.values.len()).max().unwrap_or(0);
        let cells = || lines.series.iter().flat_map(|it| (0..n_layers).map(move |nth| (it, nth)));
        let value = |(it, nth): (&super::Series, usize)| it.values.get(nth).copied();
        let value = |cell| value(cell).unwrap_or(f32::NAN);
        let mut columns = vec![numbers(&lines.quantity, cells().map(value))];
        if lines.has_bands() {
            columns.push(numbers("low", cells().map(|(it, nth)| it.ends(nth).0)));
            columns.push(numbers("high", cells().map(|(it, nth)| it.ends(nth).1)));
        }
        let series = lines.series.iter().map(|it| it.name.clone()).collect();
        let sides =
            [Side::named("Series", "series", series), Side::layers(&lines.layer_title, n_layers)];
        Self { sides: Some(sides.each_ref().map(Edge::of)), columns: each_named_once(columns) }
    }

    /// The heaviest edge first.
    fn of_graph(graph: &Graph) -> Self {
        let edges = || graph.edges.iter().rev();
        let end = |nth: usize| edges().map(move |it| graph.ends(it)[nth].to_owned());
        Self::list(vec![
            texts("from", end(0)),
            texts("via", edges().map(|it| it.via.clone())),
            texts("to", end(1)),
            numbers(&graph.quantity, edges().map(|it| it.weight)),
        ])
    }

    fn of_table(table: &Table) -> Self {
        let cells = |nth: usize| table.rows.iter().map(move |row| row.cells.get(nth));
        let column = |(nth, name): (usize, &String)| {
            let is_number = |cell: Option<&Cell>| cell.is_none_or(|it| it.number().is_some());
            if cells(nth).all(is_number) {
                let number = |cell: Option<&Cell>| cell.and_then(Cell::number).unwrap_or(f32::NAN);
                numbers(name, cells(nth).map(number))
            } else {
                let text = |cell: Option<&Cell>| {
                    let number = cell.and_then(Cell::number).filter(|it| !it.is_nan());
                    let number = number.map(|it| it.to_string());
                    cell.and_then(Cell::text).or(number).unwrap_or_default()
                };
                texts(name, cells(nth).map(text))
            }
        };
        Self::list(table.columns.iter().enumerate().map(column).collect())
    }

    /// All columns, those of the sides first, with a line for each place.
    pub fn lines(&self) -> Vec<Column> {
        let Some([rows, columns]) = &self.sides else { return self.columns.clone() };
        let (n_rows, n_columns) = (rows.labels.len(), columns.labels.len());
        let row = (0..n_rows).flat_map(|row| std::iter::repeat_n(row, n_columns));
        let across = (0..n_rows).flat_map(|_| 0..n_columns);
        let (row, across): (Vec<usize>, Vec<usize>) = (row.collect(), across.collect());
        let rows = rows.columns.iter().map(|it| it.at(&row));
        // Rows and columns may both be tokens.
        let is_named =
            |name: &str| self.sides.iter().any(|it| it[0].columns.iter().any(|it| it.name == name));
        let across = columns.columns.iter().map(|it| it.at(&across)).map(|it| {
            let name = if is_named(&it.name) { format!("{} (column)", it.name) } else { it.name };
            Column { name, ..it }
        });
        each_named_once(rows.chain(across).chain(self.columns.iter().cloned()).collect())
    }
}

impl Edge {
    fn of(side: &Side) -> Self {
        let all = || 0..side.labels.len();
        let labels = || side.labels.iter().cloned();
        let is_counted = side.labels.iter().enumerate().all(|(nth, it)| *it == nth.to_string());
        let columns = if side.is_tokens {
            let text = format!("{} text", side.noun);
            vec![column(&side.noun, Values::Places(all().collect())), texts(&text, labels())]
        } else if is_counted {
            vec![column(&side.noun, Values::Places(all().collect()))]
        } else {
            vec![texts(&side.noun, labels())]
        };
        let (title, noun) = (side.title.clone(), side.noun.clone());
        Self { title, noun, labels: side.labels.clone(), columns }
    }

    /// What a place is called in a sentence: “layer 3”.
    pub fn name(&self, nth: usize) -> String {
        format!("{} {}", self.noun, self.labels[nth])
    }
}

impl Column {
    /// The values at these places.
    fn at(&self, places: &[usize]) -> Self {
        fn pick<T: Clone>(values: &[T], places: &[usize]) -> Vec<T> {
            places.iter().map(|&nth| values[nth].clone()).collect()
        }
        let values = match &self.values {
            Values::Places(it) => Values::Places(pick(it, places)),
            Values::Numbers(it) => Values::Numbers(pick(it, places)),
            Values::Texts(it) => Values::Texts(pick(it, places)),
            Values::Flags(it) => Values::Flags(pick(it, places)),
        };
        Self { name: self.name.clone(), values }
    }
}

fn column(name: &str, values: Values) -> Column {
    Column { name: name.to_owned(), values }
}

fn numbers(name: &str, values: impl Iterator<Item = f32>) -> Column {
    column(name, Values::Numbers(values.collect()))
}

fn texts(name: &str, values: impl Iterator<Item = String>) -> Column {
    column(name, Values::Texts(values.collect()))
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

/// A table may call two columns alike.
fn each_named_once(mut columns: Vec<Column>) -> Vec<Column> {
    let names = each_once(columns.iter().map(|it| it.name.clone()), ' ');
    for (column, name) in columns.iter_mut().zip(names) {
        column.name = name;
    }
    columns
}

/// Names of which each comes once: the second `p` is `p 2`.
fn each_once(all: impl Iterator<Item = String>, before_number: char) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for plain in all {
        let mut name = plain.clone();
        let mut nth = 2;
        while names.contains(&name) {
            name = format!("{plain}{before_number}{nth}");
            nth += 1;
        }
        names.push(name);
    }
    names
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

/// Names as [`plain_name`], each once.
pub(super) fn plain_names<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    each_once(names.map(plain_name), '_')
}

/// The charts' names as [`plain_name`], each once.
pub(super) fn chart_names(figure: &Figure) -> Vec<String> {
    plain_names(figure.charts.iter().map(Chart::name))
}
