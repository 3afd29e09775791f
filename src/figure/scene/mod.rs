//! A figure laid out on paper: lines, boxes and text at places in points, for any format of file.

use super::color::Rgb;
use super::{Chart, Figure};

mod graph;
mod list;
mod map;
mod plot;
#[cfg(test)]
mod tests;
mod text;

use text::{text_width, wrapped};

/// Everything there is to draw, from the top left.
#[derive(Debug)]
pub(super) struct Scene {
    pub width: f32,
    pub height: f32,
    pub shapes: Vec<Shape>,
}

#[derive(Debug)]
pub(super) enum Shape {
    Box {
        at: [f32; 2],
        size: [f32; 2],
        fill: Option<Rgb>,
        line: Option<Rgb>,
    },
    Line {
        from: [f32; 2],
        to: [f32; 2],
        color: Rgb,
        width: f32,
        dash: Option<f32>,
    },
    Path {
        points: Vec<[f32; 2]>,
        color: Rgb,
        dash: Option<f32>,
    },

    /// Filled so that what lies below is seen through it.
    Area {
        points: Vec<[f32; 2]>,
        color: Rgb,
    },
    Dot {
        at: [f32; 2],
        radius: f32,
        color: Rgb,
    },
    Text(Text),
}

#[derive(Debug)]
#[expect(clippy::struct_field_names, reason = "a text has a text")]
pub(super) struct Text {
    /// On the middle of its height.
    pub at: [f32; 2],
    pub text: String,
    pub size: f32,
    pub anchor: Anchor,
    pub color: Rgb,
    pub is_mono: bool,
    pub is_bold: bool,

    /// In degrees, clockwise.
    pub turn: f32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// How much of its colour an area has.
pub(super) const AREA_OPACITY: f32 = 0.2;

/// From the middle of a text's height down to its baseline, in sizes.
pub(super) const BASELINE: f32 = 0.34;

/// The width of a page's text, in points.
const WIDTH: f32 = 480.0;
const MARGIN: f32 = 10.0;
const SMALL: f32 = 8.0;
const PLAIN: f32 = 9.0;
const TITLE: f32 = 11.0;
const LINE: f32 = 1.35;

const INK: Rgb = Rgb([20, 20, 20]);
const WEAK: Rgb = Rgb([95, 95, 95]);
const RULE: Rgb = Rgb([170, 170, 170]);
const FAINT: Rgb = Rgb([225, 225, 225]);
const MARKED: Rgb = Rgb([166, 74, 6]);
const POSITIVE: Rgb = Rgb([33, 102, 172]);
const NEGATIVE: Rgb = Rgb([178, 24, 43]);

/// Of MLPs.
const GREEN: Rgb = Rgb([27, 120, 55]);

impl Scene {
    pub fn of(figure: &Figure) -> Self {
        let mut scene = Self { width: WIDTH + 2.0 * MARGIN, height: MARGIN, shapes: Vec::new() };
        let title = Style { size: TITLE, is_bold: true, ..Style::plain() };
        scene.paragraph(&figure.title, title);
        scene.height += 4.0;
        let is_named = figure.charts.len() > 1;
        let mut charts = figure.charts.as_slice();
        while let Some(chart) = charts.first() {
            let small = Chart::small_maps(charts);
            // All of them together are one.
            charts = &charts[small.len().max(1)..];
            if small.is_empty() {
                if is_named {
                    let style = Style { size: PLAIN, is_bold: true, ..Style::plain() };
                    scene.paragraph(chart.name(), style);
                    scene.height += 2.0;
                }
                match chart {
                    Chart::Map(map) => scene.map(map),
                    Chart::Bars(bars) => scene.bars(bars, &[]),
                    Chart::Waterfall(it) => scene.bars(&it.bars, &it.starts),
                    Chart::Lines(lines) => scene.lines(lines),
                    Chart::Scatter(scatter) => scene.scatter(scatter),
                    Chart::Graph(graph) => scene.graph(graph),
                    Chart::Table(table) => scene.table(table),
                }
            } else {
                scene.small_maps(&small);
            }
            scene.height += 8.0;
        }
        for note in figure.warnings.iter().chain(&figure.notes) {
            scene.paragraph(note, Style { size: SMALL, color: WEAK, ..Style::plain() });
        }
        scene.height += MARGIN;
        scene.make_room();
        scene
    }

    /// Nothing is cut: what is wider than a page makes a wider page.
    fn make_room(&mut self) {
        let bounds = self.shapes.iter().map(Shape::bounds);
        let ([left, top], [right, bottom]) =
            bounds.fold(([0.0_f32; 2], [self.width, self.height]), |(low, high), (from, to)| {
                (
                    [low[0].min(from[0] - MARGIN), low[1].min(from[1] - MARGIN)],
                    [high[0].max(to[0] + MARGIN), high[1].max(to[1] + MARGIN)],
                )
            });
        (self.width, self.height) = (right - left, bottom - top);
        if left < 0.0 || top < 0.0 {
            for shape in &mut self.shapes {
                shape.move_by([-left, -top]);
            }
        }
    }

    fn paragraph(&mut self, text: &str, style: Style) {
        for line in wrapped(text, style, WIDTH) {
            let middle = self.height + style.size * LINE / 2.0;
            self.text([MARGIN, middle], line, Anchor::Start, style);
            self.height += style.size * LINE;
        }
    }

    fn text(&mut self, at: [f32; 2], text: impl Into<String>, anchor: Anchor, style: Style) {
        let Style { size, color, is_mono, is_bold, turn } = style;
        let text = text.into();
        if !text.is_empty() {
            let text = Text { at, text, size, anchor, color, is_mono, is_bold, turn };
            self.shapes.push(Shape::Text(text));
        }
    }

    fn line(&mut self, from: [f32; 2], to: [f32; 2], color: Rgb) {
        self.shapes.push(Shape::Line { from, to, color, width: 0.5, dash: None });
    }

    fn fill(&mut self, at: [f32; 2], size: [f32; 2], fill: Rgb) {
        self.shapes.push(Shape::Box { at, size, fill: Some(fill), line: None });
    }

    fn frame(&mut self, at: [f32; 2], size: [f32; 2]) {
        self.shapes.push(Shape::Box { at, size, fill: None, line: Some(RULE) });
    }
}

impl Shape {
    /// Top left and bottom right.
    pub fn bounds(&self) -> ([f32; 2], [f32; 2]) {
        let corners: Vec<[f32; 2]> = match self {
            Self::Box { at, size, .. } => vec![*at, [at[0] + size[0], at[1] + size[1]]],
            Self::Line { from, to, .. } => vec![*from, *to],
            Self::Path { points, .. } | Self::Area { points, .. } => points.clone(),
            Self::Dot { at: [x, y], radius, .. } => {
                vec![[x - radius, y - radius], [x + radius, y + radius]]
            }
            Self::Text(text) => text.corners().into(),
        };
        let start = ([f32::INFINITY; 2], [f32::NEG_INFINITY; 2]);
        corners.into_iter().fold(start, |(low, high), [x, y]| {
            ([low[0].min(x), low[1].min(y)], [high[0].max(x), high[1].max(y)])
        })
    }

    fn move_by(&mut self, by: [f32; 2]) {
        let moved = |at: &mut [f32; 2]| *at = [at[0] + by[0], at[1] + by[1]];
        match self {
            Self::Box { at, .. } | Self::Dot { at, .. } => moved(at),
            Self::Line { from, to, .. } => {
                moved(from);
                moved(to);
            }
            Self::Path { points, .. } | Self::Area { points, .. } => {
                points.iter_mut().for_each(moved);
            }
            Self::Text(text) => moved(&mut text.at),
        }
    }
}

impl Text {
    fn style(&self) -> Style {
        let Self { size, color, is_mono, is_bold, turn, .. } = *self;
        Style { size, color, is_mono, is_bold, turn }
    }

    /// Of the box around it, turned with it.
    pub fn corners(&self) -> [[f32; 2]; 4] {
        let width = text_width(&self.text, self.style());
        let left = match self.anchor {
            Anchor::Start => 0.0,
            Anchor::Middle => -width / 2.0,
            Anchor::End => -width,
        };
        let half = self.size * 0.55;
        let (sin, cos) = self.turn.to_radians().sin_cos();
        [[left, -half], [left + width, -half], [left + width, half], [left, half]]
            .map(|[x, y]| [self.at[0] + x * cos - y * sin, self.at[1] + x * sin + y * cos])
    }
}

/// How text is written.
#[derive(Clone, Copy)]
struct Style {
    size: f32,
    color: Rgb,
    is_mono: bool,
    is_bold: bool,
    turn: f32,
}

impl Style {
    fn plain() -> Self {
        Self { size: PLAIN, color: INK, is_mono: false, is_bold: false, turn: 0.0 }
    }

    fn label(is_mono: bool) -> Self {
        Self { size: SMALL, is_mono, ..Self::plain() }
    }

    fn weak() -> Self {
        Self { color: WEAK, ..Self::label(false) }
    }

    fn turned(self, turn: f32) -> Self {
        Self { turn, ..self }
    }
}

/// As much of the colour on white.
fn paler(Rgb(color): Rgb, share: f32) -> Rgb {
    Rgb(color.map(|it| (255.0 + share * (f32::from(it) - 255.0)) as u8))
}

/// The widest of some labels.
fn widest<'a>(labels: impl IntoIterator<Item = &'a String>, style: Style) -> f32 {
    labels.into_iter().map(|it| text_width(it, style)).fold(0.0, f32::max)
}

/// Which labels can be written without touching.
fn step_of(n: usize, cell: f32, apart: f32) -> usize {
    let least = (apart / cell).ceil().max(1.0) as usize;
    [1, 2, 5, 10, 20, 50, 100].into_iter().find(|&step| step >= least).unwrap_or_else(|| n.max(1))
}
