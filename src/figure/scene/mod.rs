//! A figure laid out on paper: lines, boxes and text at places in points, for any format of file.

use super::color::Rgb;
use super::{Chart, Figure};

mod graph;
mod list;
mod map;
mod plot;
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

/// The widest of some labels.
fn widest<'a>(labels: impl IntoIterator<Item = &'a String>, style: Style) -> f32 {
    labels.into_iter().map(|it| text_width(it, style)).fold(0.0, f32::max)
}

/// Which labels can be written without touching.
fn step_of(n: usize, cell: f32, apart: f32) -> usize {
    let least = (apart / cell).ceil().max(1.0) as usize;
    [1, 2, 5, 10, 20, 50, 100].into_iter().find(|&step| step >= least).unwrap_or_else(|| n.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::{
        Bar, Bars, Cell, Graph, GraphEdge, GraphKind, GraphNode, Lines, Map, Pick, Point, Row,
        Scatter, Series, Side, Table, to_pdf, to_svg,
    };

    /// Everything that is hard to lay out, in the shape of GPT-2-large and in that of a toy.
    #[expect(clippy::too_many_lines, reason = "a list")]
    fn figures() -> Vec<Figure> {
        let long = "·antidisestablishmentarianism·and·more".to_owned();
        let odd = ["·", "東京", "�", "↩", "W", "i", &long].map(str::to_owned);
        let tokens = |n: usize| (0..n).map(|nth| odd[nth % odd.len()].clone()).collect::<Vec<_>>();
        let map = |n_rows: usize, n_layers: usize, scale: f32| {
            let value = |nth: usize| {
                if nth % 7 == 3 { f32::NAN } else { ((nth * 31) % 17) as f32 * scale - 3.0 * scale }
            };
            let values: Vec<f32> = (0..n_rows * n_layers).map(value).collect();
            let rows = Side::tokens("Token", tokens(n_rows), Some(1..n_rows.min(4)));
            let title = "Layer at the centre of the restored window";
            let layers = Side::layers(title, n_layers).marking(2..3);
            let quantity = "Recovery of logit(·antidisestablishmentarianism) − logit(·Paris)";
            let mut map = Map::new("Trace", rows, layers, values, quantity).diverging();
            map.texts = tokens(n_rows * n_layers);
            map.estimated = (0..n_rows * n_layers).map(|nth| nth % 5 == 0).collect();
            map
        };
        let pattern = |n: usize, is_small: bool| {
            let side = |title: &str| Side::tokens(title, tokens(n), Some(0..2));
            let values = (0..n * n).map(|nth| (nth % 3) as f32 / 2.0).collect();
            let name = format!("Head {n}");
            let map = Map::new(&name, side("From (query)"), side("To (key)"), values, "Weight");
            Map { is_small, ..map.in_range(0.0, 1.0).square() }
        };
        let bars = |n: usize| Bars {
            name: "Bars".to_owned(),
            quantity: "Contribution (logits)".to_owned(),
            bars: (0..n)
                .map(|nth| Bar {
                    label: odd[nth % odd.len()].repeat(1 + nth % 2),
                    value: if nth == 2 { f32::NAN } else { nth as f32 - 3.5 },
                    pick: Pick::layer(nth),
                })
                .collect(),
        };
        let lines = |n_layers: usize| Lines {
            name: "Lines".to_owned(),
            quantity: "Change of p(·antidisestablishmentarianism) (%)".to_owned(),
            layer_title: "Layer".to_owned(),
            series: odd
                .iter()
                .map(|name| Series {
                    name: name.repeat(2),
                    values: (0..n_layers).map(|it| (it as f32 - 3.0) * 1e-8).collect(),
                    band: (0..n_layers)
                        .map(|it| match it {
                            2 => (f32::NAN, f32::NAN),
                            it => ((it as f32 - 9.0) * 1e-8, it as f32 * 3e-8),
                        })
                        .collect(),
                })
                .collect(),
        };
        let points = |n: usize| Scatter {
            name: "Scatter".to_owned(),
            x_title: "Estimated".to_owned(),
            y_title: "Patched".to_owned(),
            points: (0..n)
                .map(|nth| Point {
                    label: String::new(),
                    x: nth as f32 * 1e-7,
                    y: -(nth as f32),
                    pick: Pick::default(),
                })
                .collect(),
            has_diagonal: n > 1,
        };
        let row = |nth: usize| Row {
            cells: vec![
                Cell::Number(nth as f32),
                Cell::Token(odd[nth % odd.len()].clone()),
                Cell::Text(long.repeat(3)),
                Cell::Number(f32::NAN),
            ],
            pick: Pick::default(),
        };
        let table = Table {
            name: "Table".to_owned(),
            columns: ["Layer", "Token", "Prompt", "A number"].map(str::to_owned).into(),
            rows: (0..5).map(row).collect(),
        };
        let graph = |n_rows: usize, n_layers: usize| Graph {
            name: "Routes".to_owned(),
            rows: Side::tokens("Token", tokens(n_rows), Some(1..n_rows.min(4))),
            columns: Side::layers("Layer", n_layers),
            quantity: "Share of what arrives (0 to 1)".to_owned(),
            nodes: (0..n_rows * n_layers)
                .map(|nth| GraphNode {
                    label: String::new(),
                    at: [(nth % n_layers) as f32, (nth / n_layers) as f32],
                    kind: GraphKind::Stream,
                    pick: Pick::default(),
                })
                .collect(),
            edges: (1..n_rows * n_layers)
                .map(|to| GraphEdge {
                    from: to / 2,
                    to,
                    kind: GraphKind::ALL[to % 3],
                    via: String::new(),
                    weight: 1.0 / to as f32,
                })
                .collect(),
        };
        let figure = |charts: Vec<Chart>| Figure {
            title: format!("Restoring — {}", long.repeat(4)),
            charts,
            notes: vec!["A note with many words. ".repeat(20), "東京".repeat(60)],
            ..Figure::default()
        };
        // Labels on the slant that reach further left than the rows do.
        let slanted = Map::new(
            "Slanted",
            Side::heads(3),
            Side::tokens("At token", vec![long.clone(); 8], None),
            (0..24).map(|nth| nth as f32).collect(),
            "Weight",
        );
        let small = [12, 12, 12, 30, 5, 12, 12].map(|n| Chart::Map(pattern(n, true)));
        vec![
            figure(vec![Chart::Map(map(34, 36, 1e-8)), Chart::Lines(lines(36))]),
            figure(vec![Chart::Map(map(2, 4, 100.0)), Chart::Lines(lines(1))]),
            figure([Chart::Map(pattern(30, false))].into_iter().chain(small).collect()),
            figure(vec![Chart::Map(pattern(5, false)), Chart::Bars(bars(75))]),
            figure(vec![Chart::Map(slanted)]),
            figure(vec![Chart::Graph(graph(30, 37)), Chart::Graph(graph(2, 3))]),
            figure(vec![Chart::Map(pattern(32, false)), Chart::Map(pattern(60, false))]),
            figure(vec![Chart::Bars(bars(4)), Chart::Scatter(points(9)), Chart::Table(table)]),
            figure(vec![
                Chart::Scatter(points(1)),
                Chart::Bars(bars(0)),
                Chart::Map(map(0, 3, 1.0)),
            ]),
            Figure::default(),
        ]
    }

    #[test]
    fn nothing_leaves_the_page() {
        for figure in figures() {
            let scene = Scene::of(&figure);
            assert!(scene.width < 1000.0 && scene.height < 2000.0, "{}", scene.height);
            for shape in &scene.shapes {
                let ([left, top], [right, bottom]) = shape.bounds();
                let is_inside = left >= 0.0 && top >= 0.0;
                let is_inside = is_inside && right <= scene.width && bottom <= scene.height;
                assert!(is_inside, "{shape:?} is at {left}, {top}, {right}, {bottom}");
            }
        }
    }

    #[test]
    fn no_text_lies_on_another() {
        for figure in figures() {
            let scene = Scene::of(&figure);
            let texts: Vec<(&Text, [[f32; 2]; 4])> = scene
                .shapes
                .iter()
                .filter_map(|shape| match shape {
                    Shape::Text(text) => Some((text, shrunk(text.corners()))),
                    _ => None,
                })
                .collect();
            for (nth, one) in texts.iter().enumerate() {
                for other in &texts[nth + 1..] {
                    assert!(are_apart(one.1, other.1), "{:?} lies on {:?}", one.0, other.0);
                }
            }
        }
    }

    /// Without the room that lines leave above and below letters.
    fn shrunk(corners: [[f32; 2]; 4]) -> [[f32; 2]; 4] {
        let [from, _, _, down] = corners;
        let by = |nth: usize| (down[nth] - from[nth]) * 0.12;
        [0, 1, 2, 3].map(|corner| {
            let sign = if corner < 2 { 1.0 } else { -1.0 };
            [corners[corner][0] + sign * by(0), corners[corner][1] + sign * by(1)]
        })
    }

    /// Some side of either has all of the other beyond it.
    fn are_apart(one: [[f32; 2]; 4], other: [[f32; 2]; 4]) -> bool {
        let separates = |of: [[f32; 2]; 4]| {
            [(0, 1), (1, 2)].into_iter().any(|(a, b): (usize, usize)| {
                let axis = [of[a][1] - of[b][1], of[b][0] - of[a][0]];
                let range = |corners: [[f32; 2]; 4]| {
                    let at = corners.map(|[x, y]| x * axis[0] + y * axis[1]);
                    (
                        at.into_iter().fold(f32::INFINITY, f32::min),
                        at.into_iter().fold(f32::NEG_INFINITY, f32::max),
                    )
                };
                let ((low, high), (from, to)) = (range(one), range(other));
                high <= from || to <= low
            })
        };
        separates(one) || separates(other)
    }

    #[test]
    fn what_is_hard_to_lay_out_is_written_in_every_format() {
        for figure in figures() {
            assert!(to_svg(&figure).ends_with("</svg>\n"));
            assert!(to_pdf(&figure).ends_with(b"%%EOF"));
        }
    }
}
