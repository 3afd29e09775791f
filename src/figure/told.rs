//! What each place of a chart says in words: the window's tooltips and the pages of reports have it
//! from here.

use super::number::{brief, exact, significant};
use super::tidy::{Block, Column, Values};
use super::words::capitalized;
use super::{
    Bars, Cell, Chart, DepthPart, Graph, Lines, Map, Point, Row, Scatter, Series, Side, Table,
};

/// What stands where there is no number.
pub(super) const NOT_COMPUTED: &str = "not computed";

/// How many edges into a node are told.
const N_TOLD: usize = 6;

impl Side {
    /// What a place is called in a sentence: “token 3 ·Tower”, “layer 12”.
    pub fn describe(&self, nth: usize) -> String {
        let Self { noun, labels, .. } = self;
        let label = &labels[nth];
        if self.is_tokens {
            // The label of a token that stands in the prompt twice ends with its place.
            let piece = label.strip_suffix(&format!(" {nth}")).unwrap_or(label);
            format!("{noun} {nth} {piece}")
        } else {
            format!("{noun} {label}")
        }
    }
}

impl Map {
    /// A cell's number with five digits, and whether it is an estimate.
    pub fn value_text(&self, nth: usize) -> String {
        let value = self.values[nth];
        if value.is_nan() {
            self.missing.to_owned()
        } else if self.estimated.get(nth) == Some(&true) {
            format!("{} (estimate)", exact(value))
        } else {
            exact(value)
        }
    }

    /// What a cell is: “token 3 ·Tower, layer 12”.
    pub fn place_text(&self, row: usize, column: usize) -> String {
        format!("{}, {}", self.rows.describe(row), self.columns.describe(column))
    }

    /// All that a cell says, a line each: what it is, its number, and more about it.
    pub(super) fn told(&self, nth: usize) -> String {
        let n_columns = self.n_columns().max(1);
        let place = capitalized(&self.place_text(nth / n_columns, nth % n_columns));
        let mut told = format!("{place}\n{}  {}", self.quantity, self.value_text(nth));
        if self.is_small {
            told = format!("{}\n{told}", self.name);
        }
        if let Some(details) = self.details.get(nth).filter(|it| !it.is_empty()) {
            told = format!("{told}\n{details}");
        }
        told
    }
}

impl Bars {
    /// A bar's number, with the sum so far where bars add up. `starts`: where bars start; none if all
    /// start at zero.
    pub fn value_text(&self, starts: &[f32], nth: usize) -> String {
        let value = self.bars[nth].value;
        match starts.get(nth) {
            Some(&start) if start != 0.0 && self.parts.get(nth) != Some(&DepthPart::Sum) => {
                format!("{}, sum so far {}", exact(value), exact(start + value))
            }
            _ => exact(value),
        }
    }

    /// What a bar says: “L3 H2: 0.1234”.
    pub fn told(&self, starts: &[f32], nth: usize) -> String {
        format!("{}: {}", self.bars[nth].label, self.value_text(starts, nth))
    }
}

impl Series {
    /// The number at a layer, with its interval.
    pub fn value_text(&self, layer: usize) -> String {
        let value = self.values.get(layer).copied().unwrap_or(f32::NAN);
        if !value.is_finite() {
            return NOT_COMPUTED.to_owned();
        }
        match self.band.get(layer) {
            Some((low, high)) if low.is_finite() && high.is_finite() => {
                format!("{} [{}, {}]", exact(value), brief(*low), brief(*high))
            }
            _ => exact(value),
        }
    }
}

impl Lines {
    /// What a point of a line says.
    pub(super) fn told(&self, series: &Series, layer: usize) -> String {
        let (title, value) = (&self.layer_title, series.value_text(layer));
        format!("{title} {layer}\n{}: {value}\n{}", series.name, self.quantity)
    }
}

impl Scatter {
    /// What a point says, a line each.
    pub fn told(&self, point: &Point) -> String {
        let (x, y) = (exact(point.x), exact(point.y));
        format!("{}\n{}  {x}\n{}  {y}", point.label, self.x_title, self.y_title)
    }
}

impl Graph {
    /// What a node is, and from where the heaviest edges come to it.
    pub fn told(&self, nth: usize) -> String {
        let mut edges: Vec<_> = self.edges.iter().filter(|it| it.to == nth).collect();
        edges.sort_by(|a, b| b.weight.total_cmp(&a.weight));
        let mut lines = vec![self.nodes[nth].label.clone()];
        lines.extend(edges.iter().take(N_TOLD).map(|edge| {
            let [from, _] = self.ends(edge);
            format!("{}  {} from {from}", significant(edge.weight, 3), edge.via)
        }));
        if edges.len() > N_TOLD {
            lines.push(format!("and {} more", edges.len() - N_TOLD));
        }
        lines.join("\n")
    }
}

impl Chart {
    /// The chart's numbers in rows and columns, as its sides have them.
    pub fn as_table(&self) -> Table {
        let block = Block::of(self);
        let Some([rows, columns]) = &block.sides else { return list(self.name(), &block.columns) };
        let n_columns = columns.labels.len();
        let number = |nth: usize| match block.columns.first().map(|it| &it.values) {
            Some(Values::Numbers(it)) => Cell::Number(it.get(nth).copied().unwrap_or(f32::NAN)),
            _ => Cell::Number(f32::NAN),
        };
        let row = |(row, label): (usize, &String)| {
            let numbers = (0..n_columns).map(|column| number(row * n_columns + column));
            Row::new([Cell::Text(label.clone())].into_iter().chain(numbers))
        };
        let heads = [&rows.title].into_iter().chain(&columns.labels).cloned();
        Table::new(self.name(), heads, rows.labels.iter().enumerate().map(row))
    }

    /// What the chart shows, for somebody who does not see it: its axes, its unit and its largest number.
    pub fn spoken(&self) -> String {
        let name = self.name();
        match self {
            Self::Map(map) => format!("{name}: {}", map.spoken()),
            Self::Bars(bars) | Self::Waterfall(super::Waterfall { bars, .. }) => {
                format!("{name}: {} as {} bars{}", bars.quantity, bars.bars.len(), {
                    let longest = bars.bars.iter().filter(|it| it.value.is_finite());
                    let longest = longest.max_by(|a, b| a.value.abs().total_cmp(&b.value.abs()));
                    longest.map_or_else(String::new, |it| {
                        format!(", the longest {} ({})", it.label, exact(it.value))
                    })
                })
            }
            Self::Lines(lines) => {
                let names: Vec<&str> = lines.series.iter().map(|it| &*it.name).collect();
                let (quantity, across) = (&lines.quantity, &lines.layer_title);
                format!("{name}: {quantity} over {across}, lines {}", names.join(", "))
            }
            Self::Scatter(it) => {
                let n = it.points.len();
                format!("{name}: {n} points, {} across, {} up", it.x_title, it.y_title)
            }
            Self::Graph(it) => {
                let (rows, columns) = (&it.rows.title, &it.columns.title);
                format!("{name}: {} edges, {rows} down, {columns} across", it.edges.len())
            }
            Self::Table(it) => format!("{name}: {}", it.columns.join(", ")),
        }
    }
}

/// Columns as rows.
fn list(name: &str, columns: &[Column]) -> Table {
    let cell = |column: &Column, nth: usize| match &column.values {
        Values::Places(it) => Cell::Number(it[nth] as f32),
        Values::Numbers(it) => Cell::Number(it[nth]),
        Values::Texts(it) => Cell::Text(it[nth].clone()),
        Values::Flags(it) => Cell::Text(if it[nth] { "yes" } else { "no" }.to_owned()),
    };
    let n = columns.first().map_or(0, |it| it.values.len());
    let row = |nth: usize| Row::new(columns.iter().map(|it| cell(it, nth)));
    Table::new(name, columns.iter().map(|it| &*it.name), (0..n).map(row))
}

impl Map {
    fn spoken(&self) -> String {
        let (rows, columns) = (&self.rows.title, &self.columns.title);
        let (low, high) = (exact(self.range.0), exact(self.range.1));
        let quantity = &self.quantity;
        let axes =
            format!("{rows} down, {columns} across, colours {quantity} from {low} to {high}");
        let numbered = self.values.iter().enumerate().filter(|(_, it)| it.is_finite());
        let largest = numbered.max_by(|a, b| a.1.abs().total_cmp(&b.1.abs()));
        let n_columns = self.n_columns().max(1);
        match largest {
            Some((nth, value)) => {
                let place = self.place_text(nth / n_columns, nth % n_columns);
                format!("{axes}; the largest is {} at {place}", exact(*value))
            }
            None => axes,
        }
    }
}
