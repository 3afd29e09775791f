//! What a result looks like, as plain data: axes with units, numbers, a colour scale, small print.
//!
//! A figure is made from a result once. The window draws it, a file holds it as SVG or PDF, and its
//! numbers go out as CSV: all show the same.

use serde::{Deserialize, Serialize};

pub mod color;
mod csv;
mod depth;
mod export;
mod file_format;
mod graph;
mod lines;
mod long;
pub mod font;
pub mod number;
mod made_with;
mod marks;
mod npz;
mod of;
#[cfg(feature = "parquet")]
mod parquet_table;
mod pdf;
mod ranges;
mod raster;
mod record;
mod scene;
mod side;
mod svg;
pub mod system_font;
mod text;
mod tidy;
mod together;
mod told;
pub mod words;

pub use self::csv::to_csv;
pub use color::{ColorMap, Rgb};
pub use depth::{DepthBar, DepthPart, DepthPlace};
pub use export::{Caption, Export, NoSuchChart, Page, PageWidth, Tokens};
pub use file_format::{FileFormat, UnknownFormat};
pub use graph::{Graph, GraphEdge, GraphKind, GraphNode};
pub use lines::{Lines, Series, band_pieces};
pub use long::{Number, Place};
pub use made_with::{AskedModel, about_edit, model_note, program};
pub use marks::Marks;
pub use npz::to_npz;
#[cfg(test)]
pub(crate) use of::draw_methods;
pub use of::{
    AttributionForm, Effect, HeadPicture, LensForm, Look, Looked, Shade, about_attention_end,
    attention_end, attention_map, head_picture, head_picture_side,
};
#[cfg(feature = "parquet")]
pub use parquet_table::{Cells, table_to_parquet, to_parquet};
pub use pdf::to_pdf;
pub use ranges::{Ranges, of_any_fact};
pub use raster::{Inked, Scale, inked, to_image, to_png};
pub use record::{Compared, Difference, Drawing, NoRecord, Record, carried};
pub use side::{Key, Side};
pub use svg::{escaped, to_svg, to_told_svg};
pub use text::to_text;
pub use together::behind;

/// One or more charts that belong together, below each other.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Figure {
    /// What a file of it is called, without the ending: `egypt-capital_causal-trace`.
    #[serde(skip)]
    pub file_name: String,
    pub title: String,

    /// What the numbers are parts or states of, where their quantities do not say it, in words that
    /// hold for any fact: `logit(answer) − logit(foil)`. [`Self::numbers`] has it with each number.
    #[serde(skip)]
    pub measured: Option<String>,

    /// A text that stands above the charts, such as one that the model wrote; empty if there is none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub text: String,
    pub charts: Vec<Chart>,

    /// Charts that are not drawn, because they are too large or say the same on another scale, but whose
    /// numbers are those of many facts too: [`Self::numbers`] has them.
    #[serde(skip)]
    pub undrawn: Vec<Chart>,

    /// What keeps the figure from meaning what it seems to mean.
    pub warnings: Vec<String>,

    /// Small print: what was done, with which settings, and how to read it.
    pub notes: Vec<String>,

    /// The model and the program that made the figure, which the window says elsewhere:
    /// [`Self::signed`] adds them to the notes.
    #[serde(skip)]
    pub made_with: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Chart {
    Map(Map),
    Bars(Bars),
    Waterfall(Waterfall),
    Lines(Lines),
    Scatter(Scatter),
    Graph(Graph),
    Table(Table),
}

/// What a place in a chart is about; a click there picks it in all views.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pick {
    pub layer: Option<usize>,
    pub position: Option<usize>,
    pub head: Option<usize>,
}

/// A grid of numbers as colours.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(clippy::struct_field_names, reason = "that is what a colour map is called")]
pub struct Map {
    /// The map's name, unique within its figure; screen readers say it.
    pub name: String,
    pub rows: Side,
    pub columns: Side,

    /// The numbers of one row after the other; NaN where there is none.
    pub values: Vec<f32>,

    /// The values at the ends of the colour scale; what lies outside is clipped.
    pub range: (f32, f32),
    pub color_map: ColorMap,

    /// What a value is, with its unit.
    pub quantity: String,

    pub is_square: bool,

    /// Whether the map is one of several like maps that are drawn small and without labels.
    pub is_small: bool,

    /// Whether each cell is an estimate. As many as values, or none.
    pub estimated: Vec<bool>,

    /// Whether each cell is set back by a line across it, such as what is not significant. As many as
    /// values, or none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub set_back: Vec<bool>,

    /// The text in each cell, where there is room. As many as values, or none.
    pub texts: Vec<String>,

    /// More about each cell, a line each. As many as values, or none.
    pub details: Vec<String>,

    /// Why a cell has no number, where one has none.
    #[serde(skip)]
    pub missing: &'static str,
}

/// Named numbers as bars from zero, to either side.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(clippy::struct_field_names, reason = "bars have bars")]
pub struct Bars {
    pub name: String,
    pub quantity: String,
    pub bars: Vec<Bar>,

    /// The part of the model that each bar is of, for bars in order of depth, which are drawn over
    /// layers. As many as bars, or none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<DepthPart>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bar {
    pub label: String,
    pub value: f32,
    pub pick: Pick,
}

/// Numbers that add up: each bar starts where the one before ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Waterfall {
    pub bars: Bars,

    /// Where each bar starts; a bar that starts at zero is the sum so far. As many as bars.
    pub starts: Vec<f32>,
}

/// Pairs of numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scatter {
    pub name: String,
    pub x_title: String,
    pub y_title: String,
    pub points: Vec<Point>,

    /// Whether both numbers are the same quantity, so that a line shows where they are equal.
    pub has_diagonal: bool,

    /// Whether the points are a set: labels count them, and nearly equal ones may change places.
    #[serde(skip)]
    pub is_set: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Point {
    pub label: String,
    pub x: f32,
    pub y: f32,
    pub pick: Pick,
}

/// Rows of text and numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Table {
    pub name: String,
    pub columns: Vec<String>,
    pub rows: Vec<Row>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    pub cells: Vec<Cell>,
    pub pick: Pick,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Cell {
    Text(String),

    /// A token as [`crate::tokens::visible`] writes it.
    Token(String),

    /// The token that is asked for, set apart by a star and a colour.
    Answer(String),
    Number(f32),

    /// A number from 0 to 1, drawn as a bar beside it.
    Share(f32),
}

impl Figure {
    /// Whether each map has as many numbers as places, as it has unless its result was written by
    /// hand.
    pub fn is_whole(&self) -> bool {
        self.charts.iter().all(|chart| match chart {
            Chart::Map(map) => {
                let n = map.n_rows() * map.n_columns();
                let is_full_or_empty = |len: usize| len == n || len == 0;
                map.values.len() == n
                    && [&map.rows, &map.columns].iter().all(|it| it.keys.len() == it.labels.len())
                    && is_full_or_empty(map.estimated.len())
                    && is_full_or_empty(map.set_back.len())
                    && is_full_or_empty(map.texts.len())
                    && is_full_or_empty(map.details.len())
            }
            Chart::Bars(it) => it.is_whole(),
            Chart::Waterfall(it) => it.starts.len() == it.bars.bars.len() && it.bars.is_whole(),
            Chart::Lines(it) => it.series.iter().all(Series::is_whole),
            Chart::Graph(it) => it.is_whole(),
            Chart::Scatter(_) | Chart::Table(_) => true,
        })
    }
}

impl Chart {
    /// The chart's name, unique within its figure.
    pub fn name(&self) -> &str {
        match self {
            Self::Map(it) => &it.name,
            Self::Bars(it) => &it.name,
            Self::Waterfall(it) => &it.bars.name,
            Self::Lines(it) => &it.name,
            Self::Scatter(it) => &it.name,
            Self::Graph(it) => &it.name,
            Self::Table(it) => &it.name,
        }
    }

    /// The charts of a list one by one, but for small maps that share a scale, which are drawn together.
    pub fn drawn_together(charts: &[Self]) -> impl Iterator<Item = &[Self]> {
        let mut rest = charts;
        std::iter::from_fn(move || {
            let n = Self::small_maps(rest).len().max(1);
            let (together, behind) = rest.split_at_checked(n)?;
            rest = behind;
            Some(together)
        })
    }

    /// The small maps at the beginning of a list of charts that share the scale of the first.
    pub fn small_maps(charts: &[Self]) -> Vec<&Map> {
        let mut small = charts.iter().map_while(|chart| match chart {
            Self::Map(map) if map.is_small => Some(map),
            _ => None,
        });
        let Some(first) = small.next() else { return Vec::new() };
        let is_alike = |it: &&Map| it.range == first.range && it.color_map == first.color_map;
        [first].into_iter().chain(small.take_while(is_alike)).collect()
    }
}

impl Bars {
    /// Bars in the order of a list, not over layers.
    pub fn new(
        name: impl Into<String>,
        quantity: impl Into<String>,
        bars: impl IntoIterator<Item = Bar>,
    ) -> Self {
        let bars = bars.into_iter().collect();
        Self { name: name.into(), quantity: quantity.into(), bars, parts: Vec::new() }
    }

    fn is_whole(&self) -> bool {
        self.parts.is_empty() || self.parts.len() == self.bars.len()
    }
}

impl Bar {
    /// A bar of no place in the model.
    pub fn new(label: impl Into<String>, value: f32) -> Self {
        Self { label: label.into(), value, pick: Pick::default() }
    }

    pub fn about(self, pick: Pick) -> Self {
        Self { pick, ..self }
    }
}

impl Table {
    pub fn new(
        name: impl Into<String>,
        columns: impl IntoIterator<Item: Into<String>>,
        rows: impl IntoIterator<Item = Row>,
    ) -> Self {
        let columns = columns.into_iter().map(Into::into).collect();
        Self { name: name.into(), columns, rows: rows.into_iter().collect() }
    }
}

impl Row {
    /// A row about no place in the model.
    pub fn new(cells: impl IntoIterator<Item = Cell>) -> Self {
        Self { cells: cells.into_iter().collect(), pick: Pick::default() }
    }

    pub fn about(self, pick: Pick) -> Self {
        Self { pick, ..self }
    }
}

impl Cell {
    /// The cell's text; `None` for a number.
    pub fn text(&self) -> Option<String> {
        match self {
            Self::Text(text) | Self::Token(text) => Some(text.clone()),
            Self::Answer(text) => Some(format!("{text} *")),
            Self::Number(_) | Self::Share(_) => None,
        }
    }

    pub fn number(&self) -> Option<f32> {
        match self {
            Self::Text(_) | Self::Token(_) | Self::Answer(_) => None,
            Self::Number(value) | Self::Share(value) => Some(*value),
        }
    }
}

impl Waterfall {
    /// Where each bar ends.
    pub fn ends(&self) -> impl Iterator<Item = f32> {
        self.starts.iter().zip(&self.bars.bars).map(|(start, bar)| start + bar.value)
    }
}

impl Map {
    /// A map whose colours go from the smallest to the largest value, without estimates or details.
    pub fn new(name: &str, rows: Side, columns: Side, values: Vec<f32>, quantity: &str) -> Self {
        Self {
            name: name.to_owned(),
            range: extent(&values),
            rows,
            columns,
            values,
            color_map: ColorMap::Blues,
            quantity: quantity.to_owned(),
            is_square: false,
            is_small: false,
            estimated: Vec::new(),
            set_back: Vec::new(),
            texts: Vec::new(),
            details: Vec::new(),
            missing: told::NOT_COMPUTED,
        }
    }

    pub fn colored(self, color_map: ColorMap) -> Self {
        Self { color_map, ..self }
    }

    /// The map in colours from red to blue, whose range reaches as far down as up: zero is white.
    pub fn diverging(self) -> Self {
        let largest =
            self.values.iter().filter(|it| it.is_finite()).fold(0.0_f32, |a, b| a.max(b.abs()));
        let largest = if largest > 0.0 { largest } else { 1.0 };
        Self { range: (-largest, largest), color_map: ColorMap::RedBlue, ..self }
    }

    pub fn in_range(self, low: f32, high: f32) -> Self {
        Self { range: (low, high), ..self }
    }

    pub fn square(self) -> Self {
        Self { is_square: true, ..self }
    }

    pub fn n_rows(&self) -> usize {
        self.rows.labels.len()
    }

    pub fn n_columns(&self) -> usize {
        self.columns.labels.len()
    }

    /// The place in the model that a cell is about.
    pub fn pick(&self, row: usize, column: usize) -> Pick {
        let mut pick = Pick::default();
        for (side, nth) in [(&self.rows, row), (&self.columns, column)] {
            match side.keys.get(nth) {
                Some(Key::Layer(layer)) => pick.layer = Some(*layer),
                Some(Key::Head(head)) => pick.head = Some(*head),
                Some(Key::Position { pos, .. }) => pick.position = Some(*pos),
                _ => {}
            }
        }
        pick
    }
}

impl Pick {
    pub fn layer(layer: usize) -> Self {
        Self { layer: Some(layer), ..Self::default() }
    }

    pub fn head(layer: usize, head: usize) -> Self {
        Self { layer: Some(layer), head: Some(head), ..Self::default() }
    }

    /// This pick, completed by what was picked before.
    pub fn over(self, before: Self) -> Self {
        Self {
            layer: self.layer.or(before.layer),
            position: self.position.or(before.position),
            head: self.head.or(before.head),
        }
    }
}

/// The smallest and the largest of some numbers; a range that is never empty.
fn extent(values: &[f32]) -> (f32, f32) {
    let finite = || values.iter().copied().filter(|value| value.is_finite());
    let low = finite().fold(f32::INFINITY, f32::min);
    let high = finite().fold(f32::NEG_INFINITY, f32::max);
    if low < high {
        (low, high)
    } else if low == high {
        (low.min(0.0), high.max(low.min(0.0) + 1e-6))
    } else {
        (0.0, 1.0)
    }
}
