//! A figure laid out on paper: lines, boxes and text at places in points, for any format of file.

use super::color::Rgb;
use super::export::{Caption, Page};
use super::{Chart, Figure};

mod graph;
mod list;
mod map;
mod plot;
mod shape;
#[cfg(test)]
mod tests;
mod text;

pub(super) use shape::{Anchor, Shape, Text};
use text::{shortened, text_width, wrapped};

/// Everything there is to draw, from the top left.
#[derive(Debug)]
pub(super) struct Scene {
    pub width: f32,
    pub height: f32,
    pub shapes: Vec<Shape>,

    /// The room between the edges of the page and what is drawn, and the room between those.
    margin: f32,
    room: f32,

    /// Whether charts are as wide as the page, or as they need.
    fills: bool,

    /// Whether there are [spots](Shape::Spot), which most formats have no use for.
    tells: bool,
}

/// The opacity of an area.
pub(super) const AREA_OPACITY: f32 = 0.2;

/// The distance from the middle of a text's height down to its baseline, as a multiple of its size.
pub(super) const BASELINE: f32 = 0.34;

/// The widest text of a page that is as wide as its charts, and the narrowest, in points.
const WIDTH: f32 = 480.0;
const LEAST_WIDTH: f32 = 240.0;

/// Around a page that is as wide as its charts, and around one that they fill.
const MARGIN: f32 = 10.0;
const THIN_MARGIN: f32 = 3.0;
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

/// The colour of MLPs.
const GREEN: Rgb = Rgb([27, 120, 55]);

impl Scene {
    pub fn of(figure: &Figure, page: Page) -> Self {
        Self::empty(page).laid_out(figure, page)
    }

    /// With what each place of the charts says.
    pub fn telling(figure: &Figure, page: Page) -> Self {
        Self { tells: true, ..Self::empty(page) }.laid_out(figure, page)
    }

    fn laid_out(mut self, figure: &Figure, page: Page) -> Self {
        self.charts(figure);
        if !self.fills {
            self.narrow(page);
        }
        if page.caption == Caption::Shown {
            self.caption(figure, page);
        }
        self.height += self.margin;
        self.make_room();
        self
    }

    fn empty(page: Page) -> Self {
        let (margin, width) = match page.width.points() {
            Some(width) => (THIN_MARGIN, width),
            None => (MARGIN, WIDTH + 2.0 * MARGIN),
        };
        Self {
            width,
            height: margin,
            shapes: Vec::new(),
            margin,
            room: width - 2.0 * margin,
            fills: page.width.points().is_some(),
            tells: false,
        }
    }

    /// Where what is drawn ends at the right.
    fn right(&self) -> f32 {
        self.margin + self.room
    }

    fn charts(&mut self, figure: &Figure) {
        let is_named = figure.charts.len() > 1;
        let mut groups = Chart::drawn_together(&figure.charts).peekable();
        while let Some(together) = groups.next() {
            let (chart, first, top) = (&together[0], self.shapes.len(), self.height);
            let small = Chart::small_maps(together);
            if small.is_empty() {
                if is_named {
                    let style = Style { size: PLAIN, is_bold: true, ..Style::plain() };
                    self.paragraph(chart.name(), style);
                    self.height += 2.0;
                }
                match chart {
                    Chart::Map(map) => self.map(map),
                    Chart::Bars(bars) => self.bars(bars, &[]),
                    Chart::Waterfall(it) => self.bars(&it.bars, &it.starts),
                    Chart::Lines(lines) => self.lines(lines),
                    Chart::Scatter(scatter) => self.scatter(scatter),
                    Chart::Graph(graph) => self.graph(graph),
                    Chart::Table(table) => self.table(table),
                }
            } else {
                self.small_maps(&small);
            }
            if self.fills {
                self.fit(first, top);
            }
            if groups.peek().is_some() {
                self.height += 8.0;
            }
        }
    }

    /// The leftmost and the rightmost point of all shapes from one on.
    fn extent(&self, first: usize) -> (f32, f32) {
        let bounds = self.shapes[first..].iter().map(Shape::bounds);
        bounds.fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), it| {
            (low.min(it.0[0]), high.max(it.1[0]))
        })
    }

    /// Makes the page as wide as its charts. A caption has room to be read, too.
    fn narrow(&mut self, page: Page) {
        let (_, right) = self.extent(0);
        let least = match page.caption {
            Caption::Shown => LEAST_WIDTH,
            Caption::Hidden => 0.0,
        };
        if right.is_finite() {
            self.room = (right - self.margin).clamp(least, WIDTH);
            self.width = self.room + 2.0 * self.margin;
        }
    }

    /// Makes what is drawn of a chart smaller, if it is wider than the page. `first`: its first shape.
    /// `top`: where it begins.
    fn fit(&mut self, first: usize, top: f32) {
        let (left, right) = self.extent(first);
        let times = (self.room / (right - left).max(1.0)).min(1.0);
        let by = if times < 1.0 {
            self.margin / times - left
        } else {
            (self.margin - left).max(0.0) - (right - self.right()).max(0.0)
        };
        for shape in &mut self.shapes[first..] {
            shape.move_by([by, -top]);
            shape.scale_by(times);
            shape.move_by([0.0, top]);
        }
        self.height = top + times * (self.height - top);
    }

    /// Title and text above the charts, warnings and notes below them.
    fn caption(&mut self, figure: &Figure, page: Page) {
        let mut above = Self { room: self.room, ..Self::empty(page) };
        let title = Style { size: TITLE, is_bold: true, ..Style::plain() };
        above.paragraph(&figure.title, title);
        if !figure.text.is_empty() {
            above.paragraph(&figure.text, Style::plain());
        }
        let down = above.height + 4.0 - self.margin;
        self.shapes.iter_mut().for_each(|shape| shape.move_by([0.0, down]));
        self.shapes.append(&mut above.shapes);
        self.height += down + 8.0;
        for note in figure.warnings.iter().chain(&figure.notes) {
            self.paragraph(note, Style { size: SMALL, color: WEAK, ..Style::plain() });
        }
    }

    /// Makes the page wider and higher for what lies outside: nothing is cut.
    fn make_room(&mut self) {
        let bounds = self.shapes.iter().map(Shape::bounds);
        let margin = self.margin;
        let ([left, top], [right, bottom]) =
            bounds.fold(([0.0_f32; 2], [self.width, self.height]), |(low, high), (from, to)| {
                (
                    [low[0].min(from[0] - margin), low[1].min(from[1] - margin)],
                    [high[0].max(to[0] + margin), high[1].max(to[1] + margin)],
                )
            });
        // What is as wide as was asked for may be off by a rounding.
        if !self.fills || right - left > self.width + 1.0 {
            self.width = right - left;
        }
        self.height = bottom - top;
        if left < 0.0 || top < 0.0 {
            for shape in &mut self.shapes {
                shape.move_by([-left, -top]);
            }
        }
    }

    fn paragraph(&mut self, text: &str, style: Style) {
        for line in wrapped(text, style, self.room) {
            let middle = self.height + style.size * LINE / 2.0;
            self.text([self.margin, middle], line, Anchor::Start, style);
            self.height += style.size * LINE;
        }
    }

    /// What colours and lines mean, in as many lines as there is room for, from `left` on.
    fn legend(&mut self, left: f32, entries: &[(LegendKey, &str)]) {
        let style = Style::label(false);
        let mut x = left;
        for (key, name) in entries {
            let swatch = key.width();
            let name = shortened(name, (self.room - left - swatch).max(40.0), style);
            let width = swatch + text_width(&name, style);
            if x > left && x + width > self.right() {
                x = left;
                self.height += SMALL * 1.5;
            }
            let y = self.height + SMALL * 0.7;
            match *key {
                LegendKey::Line { color, width, dash } => {
                    let to = [x + 18.0, y];
                    self.shapes.push(Shape::Line { from: [x, y], to, color, width, dash });
                }
                LegendKey::Swatch { color, is_hollow } => {
                    self.swatch([x, y - SMALL / 2.0], [SMALL, SMALL], color, is_hollow);
                }
                LegendKey::None => {}
            }
            self.text([x + swatch, y], name, Anchor::Start, style);
            x += width + 16.0;
        }
        self.height += SMALL * 1.5;
    }

    /// A box of a colour, or hollow.
    fn swatch(&mut self, at: [f32; 2], size: [f32; 2], color: Rgb, is_hollow: bool) {
        let fill = if is_hollow { paler(color, 0.25) } else { color };
        let line = is_hollow.then_some(color);
        self.shapes.push(Shape::Box { at, size, fill: Some(fill), line });
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

    /// Says something where the pointer is, in formats that know a pointer. `about`: makes the words.
    fn tell(&mut self, at: [f32; 2], size: [f32; 2], about: impl FnOnce() -> String) {
        if self.tells {
            self.shapes.push(Shape::Spot { at, size, about: about() });
        }
    }

    /// Says something around a point that is drawn small.
    fn tell_around(&mut self, [x, y]: [f32; 2], about: impl FnOnce() -> String) {
        const REACH: f32 = 4.0;
        self.tell([x - REACH, y - REACH], [2.0 * REACH; 2], about);
    }

    fn frame(&mut self, at: [f32; 2], size: [f32; 2]) {
        self.shapes.push(Shape::Box { at, size, fill: None, line: Some(RULE) });
    }
}

/// What stands before a name in a legend.
#[derive(Clone, Copy)]
enum LegendKey {
    Line { color: Rgb, width: f32, dash: Option<f32> },
    Swatch { color: Rgb, is_hollow: bool },
    None,
}

impl LegendKey {
    /// The width with the gap behind it.
    fn width(self) -> f32 {
        match self {
            Self::Line { .. } => 22.0,
            Self::Swatch { .. } => SMALL + 4.0,
            Self::None => 0.0,
        }
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

/// A colour on white, with a share of its strength.
fn paler(Rgb(color): Rgb, share: f32) -> Rgb {
    Rgb(color.map(|it| (255.0 + share * (f32::from(it) - 255.0)) as u8))
}

/// The widest of some labels.
fn widest<'a>(labels: impl IntoIterator<Item = &'a String>, style: Style) -> f32 {
    labels.into_iter().map(|it| text_width(it, style)).fold(0.0, f32::max)
}

/// Every how many labels one can be written, so that they do not touch.
fn step_of(n: usize, cell: f32, apart: f32) -> usize {
    let least = (apart / cell).ceil().max(1.0) as usize;
    [1, 2, 5, 10, 20, 50, 100].into_iter().find(|&step| step >= least).unwrap_or_else(|| n.max(1))
}
