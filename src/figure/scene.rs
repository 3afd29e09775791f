//! A figure laid out on paper: lines, boxes and text at places in points, for any format of file.

use super::color::{Rgb, SERIES};
use super::number::{Ticks, significant};
use super::{Bars, Cell, Chart, Figure, Lines, Map, Scatter, Side, Table};

/// Everything there is to draw, from the top left.
#[derive(Debug)]
pub(super) struct Scene {
    pub width: f32,
    pub height: f32,
    pub shapes: Vec<Shape>,
}

#[derive(Debug)]
pub(super) enum Shape {
    Box { at: [f32; 2], size: [f32; 2], fill: Option<Rgb>, line: Option<Rgb> },
    Line { from: [f32; 2], to: [f32; 2], color: Rgb, width: f32, dash: Option<f32> },
    Path { points: Vec<[f32; 2]>, color: Rgb, dash: Option<f32> },
    Dot { at: [f32; 2], radius: f32, color: Rgb },
    Text(Text),
}

#[derive(Debug)]
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
        for chart in &figure.charts {
            match chart {
                Chart::Map(map) => scene.map(map),
                Chart::Bars(bars) => scene.bars(bars),
                Chart::Lines(lines) => scene.lines(lines),
                Chart::Scatter(scatter) => scene.scatter(scatter),
                Chart::Table(table) => scene.table(table),
            }
            scene.height += 8.0;
        }
        for note in &figure.notes {
            scene.paragraph(note, Style { size: SMALL, color: WEAK, ..Style::plain() });
        }
        scene.height += MARGIN;
        scene
    }

    fn paragraph(&mut self, text: &str, style: Style) {
        for line in wrapped(text, style.size, WIDTH) {
            let middle = self.height + style.size * LINE / 2.0;
            self.text([MARGIN, middle], line, Anchor::Start, style);
            self.height += style.size * LINE;
        }
    }

    fn text(&mut self, at: [f32; 2], text: impl Into<String>, anchor: Anchor, style: Style) {
        let Style { size, color, is_mono, is_bold, turn } = style;
        let text = text.into();
        self.shapes.push(Shape::Text(Text {
            at,
            text,
            size,
            anchor,
            color,
            is_mono,
            is_bold,
            turn,
        }));
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

    fn map(&mut self, map: &Map) {
        let (n_rows, n_columns) = (map.n_rows().max(1), map.n_columns().max(1));
        let row_style = Style::label(map.rows.is_tokens);
        let widest = widest(&map.rows.labels, row_style);
        let left = MARGIN + SMALL * LINE + 4.0 + widest.min(150.0) + 6.0;
        let bar_room = 62.0;
        let room = WIDTH + MARGIN - left - bar_room;
        let mut cell = [(room / n_columns as f32).min(26.0), 13.0];
        if map.is_square {
            cell = [cell[0].min(20.0); 2];
        } else if n_rows > 30 {
            cell[1] = 9.0;
        }
        let size = [cell[0] * n_columns as f32, cell[1] * n_rows as f32];
        let corner = [left, self.height + 2.0];
        let (low, high) = map.range;
        for (nth, &value) in map.values.iter().enumerate() {
            let (row, column) = (nth / n_columns, nth % n_columns);
            let at = [corner[0] + column as f32 * cell[0], corner[1] + row as f32 * cell[1]];
            match map.color_map.rgb((value - low) / (high - low)) {
                Some(color) => self.fill(at, cell, color),
                None => {
                    self.fill(at, cell, FAINT);
                    self.line([at[0], at[1] + cell[1]], [at[0] + cell[0], at[1]], RULE);
                }
            }
            if map.estimated.get(nth) == Some(&true) {
                let at = [at[0] + cell[0] / 2.0, at[1] + cell[1] / 2.0];
                self.shapes.push(Shape::Dot { at, radius: 1.0, color: WEAK });
            }
        }
        self.frame(corner, size);

        let step = step_of(n_rows, cell[1], row_style.size * 1.05);
        for nth in (0..n_rows).filter(|nth| nth % step == 0 || map.rows.marked.contains(nth)) {
            let at = [corner[0] - 5.0, corner[1] + (nth as f32 + 0.5) * cell[1]];
            self.label(&map.rows, nth, at, Anchor::End, row_style);
        }
        let middle = corner[1] + size[1] / 2.0;
        let style = Style { turn: -90.0, color: WEAK, ..Style::label(false) };
        self.text([MARGIN + SMALL / 2.0, middle], &*map.rows.title, Anchor::Middle, style);
        self.color_bar([corner[0] + size[0] + 10.0, corner[1]], size[1].max(40.0), map);

        let bottom = self.columns(map, corner, size, cell[0]);
        self.height = bottom.max(corner[1] + size[1].max(40.0) + 8.0);
    }

    /// What stands below a map; gives where that ends.
    fn columns(&mut self, map: &Map, corner: [f32; 2], size: [f32; 2], cell: f32) -> f32 {
        let style = Style::label(map.columns.is_tokens);
        let n_columns = map.n_columns();
        let below = corner[1] + size[1];
        let widest = widest(&map.columns.labels, style);
        let is_turned = widest + 3.0 > cell && map.columns.labels.iter().any(|it| it.len() > 3);
        let apart = if is_turned { style.size } else { widest + 4.0 };
        let step = step_of(n_columns, cell, apart);
        for nth in (0..n_columns).filter(|nth| nth % step == 0 || map.columns.marked.contains(nth))
        {
            let x = corner[0] + (nth as f32 + 0.5) * cell;
            self.line([x, below], [x, below + 2.5], RULE);
            let (at, anchor, turn) = if is_turned {
                ([x + 2.0, below + 6.0], Anchor::End, -45.0)
            } else {
                ([x, below + 8.0], Anchor::Middle, 0.0)
            };
            self.label(&map.columns, nth, at, anchor, Style { turn, ..style });
        }
        let height = if is_turned { widest * 0.72 + 12.0 } else { 15.0 };
        let title = Style { color: WEAK, ..Style::label(false) };
        let at = [corner[0] + size[0] / 2.0, below + height + SMALL / 2.0];
        self.text(at, &*map.columns.title, Anchor::Middle, title);
        below + height + SMALL * LINE
    }

    fn label(&mut self, side: &Side, nth: usize, at: [f32; 2], anchor: Anchor, style: Style) {
        let is_marked = side.marked.contains(&nth);
        let color = if is_marked { MARKED } else { INK };
        let star = if is_marked { "*" } else { "" };
        let text = format!("{}{star}", shortened(&side.labels[nth], 26));
        self.text(at, text, anchor, Style { color, ..style });
    }

    fn color_bar(&mut self, at: [f32; 2], height: f32, map: &Map) {
        const STEPS: usize = 64;
        let step = height / STEPS as f32;
        for nth in 0..STEPS {
            let share = 1.0 - (nth as f32 + 0.5) / STEPS as f32;
            if let Some(color) = map.color_map.rgb(share) {
                // A little over the next, so that no seam shows.
                self.fill([at[0], at[1] + nth as f32 * step], [10.0, step + 0.2], color);
            }
        }
        self.frame(at, [10.0, height]);
        let (low, high) = map.range;
        let ticks = Ticks::new(low, high, (height / 24.0).clamp(2.0, 6.0) as usize);
        let mut widest = 0.0_f32;
        for &value in &ticks.values {
            let y = at[1] + height * (1.0 - (value - low) / (high - low).max(f32::MIN_POSITIVE));
            self.line([at[0] + 10.0, y], [at[0] + 12.5, y], RULE);
            let text = ticks.label(value);
            widest = widest.max(text_width(&text, SMALL, false));
            self.text([at[0] + 14.5, y], text, Anchor::Start, Style::label(false));
        }
        let style = Style { turn: -90.0, ..Style::label(false) };
        let x = at[0] + 14.5 + widest + 4.0 + SMALL / 2.0;
        let name = shortened(&map.quantity, 60);
        self.text([x, at[1] + height / 2.0], name, Anchor::Middle, style);
    }

    fn bars(&mut self, bars: &Bars) {
        let labels: Vec<String> = bars.bars.iter().map(|it| it.label.clone()).collect();
        let style = Style::label(false);
        let label_room = widest(&labels, style).min(170.0) + 6.0;
        let number_room = 46.0;
        let left = MARGIN + label_room;
        let room = WIDTH - label_room - number_room;
        let values = || bars.bars.iter().map(|it| it.value).filter(|it| it.is_finite());
        let low = values().fold(0.0, f32::min);
        let high = values().fold(0.0, f32::max);
        let span = (high - low).max(f32::MIN_POSITIVE);
        let x_of = |value: f32| left + room * (value - low) / span;
        let top = self.height;
        for (nth, bar) in bars.bars.iter().enumerate() {
            let middle = top + (nth as f32 + 0.5) * 11.0;
            let label = shortened(&bar.label, 34);
            self.text([left - 5.0, middle], label, Anchor::End, style);
            if bar.value.is_finite() {
                let (zero, end) = (x_of(0.0), x_of(bar.value));
                let color = if bar.value < 0.0 { NEGATIVE } else { POSITIVE };
                let at = [zero.min(end), middle - 3.5];
                self.fill(at, [(end - zero).abs(), 7.0], color);
            }
            let number = significant(bar.value, 4);
            self.text([left + room + 5.0, middle], number, Anchor::Start, style);
        }
        let bottom = top + bars.bars.len() as f32 * 11.0;
        self.line([x_of(0.0), top], [x_of(0.0), bottom], RULE);
        let at = [left + room / 2.0, bottom + SMALL];
        self.text(at, &*bars.quantity, Anchor::Middle, Style { color: WEAK, ..style });
        self.height = bottom + SMALL * 2.0;
    }

    fn lines(&mut self, lines: &Lines) {
        const DASHES: [Option<f32>; 3] = [None, Some(4.0), Some(1.5)];
        let n_layers = lines.series.iter().map(|it| it.values.len()).max().unwrap_or(0).max(1);
        let values: Vec<f32> = lines.series.iter().flat_map(|it| it.values.clone()).collect();
        let finite = || values.iter().copied().filter(|it| it.is_finite());
        let (low, high) = (finite().fold(0.0, f32::min), finite().fold(0.0, f32::max));
        let plot = self.plot(
            (-0.5, n_layers as f32 - 0.5),
            (low, if high > low { high } else { low + 1.0 }),
            &lines.layer_title,
            &lines.quantity,
        );
        for (nth, series) in lines.series.iter().enumerate() {
            let (color, dash) = (SERIES[nth % SERIES.len()], DASHES[nth % DASHES.len()]);
            let numbered = series.values.iter().enumerate();
            let at: Vec<(usize, f32)> = numbered.map(|(layer, value)| (layer, *value)).collect();
            for piece in at.split(|(_, value)| !value.is_finite()) {
                let points: Vec<[f32; 2]> =
                    piece.iter().map(|&(layer, value)| plot.at(layer as f32, value)).collect();
                for &at in &points {
                    self.shapes.push(Shape::Dot { at, radius: 1.4, color });
                }
                if points.len() > 1 {
                    self.shapes.push(Shape::Path { points, color, dash });
                }
            }
            let y = self.height + SMALL * LINE / 2.0;
            let (from, to) = ([plot.corner[0], y], [plot.corner[0] + 18.0, y]);
            self.shapes.push(Shape::Line { from, to, color, width: 1.2, dash });
            let at = [plot.corner[0] + 23.0, y];
            self.text(at, &*series.name, Anchor::Start, Style::label(false));
            self.height += SMALL * LINE;
        }
    }

    fn scatter(&mut self, scatter: &Scatter) {
        let range = |of: &dyn Fn(&super::Point) -> f32| {
            let values: Vec<f32> = scatter.points.iter().map(of).collect();
            super::extent(&values)
        };
        let (mut x, mut y) = (range(&|it| it.x), range(&|it| it.y));
        if scatter.has_diagonal {
            x = (x.0.min(y.0), x.1.max(y.1));
            y = x;
        }
        let wider = |(low, high): (f32, f32)| {
            let margin = 0.04 * (high - low);
            (low - margin, high + margin)
        };
        let (x, y) = (wider(x), wider(y));
        let plot = self.plot(x, y, &scatter.x_title, &scatter.y_title);
        if scatter.has_diagonal {
            let (from, to) = (plot.at(x.0, x.0), plot.at(x.1, x.1));
            self.shapes.push(Shape::Line { from, to, color: RULE, width: 0.7, dash: Some(3.0) });
        }
        for point in scatter.points.iter().filter(|it| it.x.is_finite() && it.y.is_finite()) {
            let at = plot.at(point.x, point.y);
            self.shapes.push(Shape::Dot { at, radius: 1.8, color: POSITIVE });
        }
    }

    /// Axes with ticks, grid and titles.
    fn plot(&mut self, x: (f32, f32), y: (f32, f32), x_title: &str, y_title: &str) -> PlotArea {
        let size = [WIDTH - 70.0, 170.0];
        let corner = [MARGIN + 60.0, self.height + 2.0];
        let area = PlotArea { corner, size, x, y };
        let style = Style::label(false);
        let ticks = Ticks::new(x.0, x.1, 10);
        for &value in &ticks.values {
            let at = area.at(value, y.0);
            self.line(at, [at[0], at[1] + 3.0], RULE);
            self.text([at[0], at[1] + 9.0], ticks.label(value), Anchor::Middle, style);
        }
        let ticks = Ticks::new(y.0, y.1, 6);
        for &value in &ticks.values {
            let at = area.at(x.0, value);
            self.line(at, [at[0] + size[0], at[1]], FAINT);
            self.text([at[0] - 5.0, at[1]], ticks.label(value), Anchor::End, style);
        }
        self.frame(corner, size);
        let title = Style { color: WEAK, ..style };
        let below = corner[1] + size[1];
        let at = [corner[0] + size[0] / 2.0, below + 20.0];
        self.text(at, x_title, Anchor::Middle, title);
        let at = [MARGIN + SMALL / 2.0, corner[1] + size[1] / 2.0];
        self.text(at, y_title, Anchor::Middle, Style { turn: -90.0, ..title });
        self.height = below + 28.0;
        area
    }

    fn table(&mut self, table: &Table) {
        const ROW: f32 = 11.5;
        let text_of = |cell: &Cell| match cell {
            Cell::Text(text) | Cell::Token(text) => shortened(text, 60),
            Cell::Number(value) => significant(*value, 4),
        };
        let n_columns = table.columns.len();
        let mut widths: Vec<f32> =
            table.columns.iter().map(|it| text_width(it, SMALL, false)).collect();
        for row in &table.rows {
            for (width, cell) in widths.iter_mut().zip(&row.cells) {
                let is_mono = matches!(cell, Cell::Token(_));
                *width = width.max(text_width(&text_of(cell), SMALL, is_mono));
            }
        }
        let mut lefts = Vec::with_capacity(n_columns);
        let mut left = MARGIN;
        for width in &widths {
            lefts.push(left);
            left += width + 14.0;
        }
        // A wide table makes a wide page rather than a cut one.
        self.width = self.width.max(left + MARGIN);
        let is_number = |column: usize| {
            let mut cells = table.rows.iter().filter_map(|row| row.cells.get(column));
            cells.any(|cell| matches!(cell, Cell::Number(_)))
        };
        let place = |column: usize| {
            if is_number(column) {
                (lefts[column] + widths[column], Anchor::End)
            } else {
                (lefts[column], Anchor::Start)
            }
        };
        let middle = self.height + ROW / 2.0;
        for (column, head) in table.columns.iter().enumerate() {
            let (x, anchor) = place(column);
            self.text([x, middle], &**head, anchor, Style { color: WEAK, ..Style::label(false) });
        }
        self.height += ROW;
        self.line([MARGIN, self.height], [left - 14.0, self.height], RULE);
        for row in &table.rows {
            let middle = self.height + ROW / 2.0;
            for (column, cell) in row.cells.iter().take(n_columns).enumerate() {
                let (x, anchor) = place(column);
                let style = Style::label(matches!(cell, Cell::Token(_)));
                self.text([x, middle], text_of(cell), anchor, style);
            }
            self.height += ROW;
        }
    }
}

/// Where values lie in a plot.
struct PlotArea {
    corner: [f32; 2],
    size: [f32; 2],
    x: (f32, f32),
    y: (f32, f32),
}

impl PlotArea {
    fn at(&self, x: f32, y: f32) -> [f32; 2] {
        let share = |value: f32, (low, high): (f32, f32)| (value - low) / (high - low);
        [
            self.corner[0] + share(x, self.x) * self.size[0],
            self.corner[1] + (1.0 - share(y, self.y)) * self.size[1],
        ]
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
}

fn widest(labels: &[String], style: Style) -> f32 {
    let width = |label: &String| {
        let star = text_width("*", style.size, style.is_mono);
        star + text_width(&shortened(label, 26), style.size, style.is_mono)
    };
    labels.iter().map(width).fold(0.0, f32::max)
}

/// Which labels can be written without touching.
fn step_of(n: usize, cell: f32, apart: f32) -> usize {
    let least = (apart / cell).ceil().max(1.0) as usize;
    [1, 2, 5, 10, 20, 50, 100].into_iter().find(|&step| step >= least).unwrap_or(n.max(1))
}

/// About: the font that is there in the end is not known here. On the wide side, so that nothing
/// touches.
pub(super) fn text_width(text: &str, size: f32, is_mono: bool) -> f32 {
    let width = |c: char| match c {
        _ if is_mono => 0.603,
        'i' | 'j' | 'l' | '.' | ',' | ':' | ';' | '|' | '!' | '\'' | '(' | ')' | ' ' | 'f'
        | 't' => 0.31,
        'm' | 'w' | 'M' | 'W' | '%' => 0.89,
        'A'..='Z' => 0.69,
        // Ideographs and the like are as wide as high.
        c if c >= '\u{1100}' => 1.0,
        _ => 0.56,
    };
    text.chars().map(width).sum::<f32>() * size
}

fn shortened(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    let start: String = text.chars().take(max - 1).collect();
    format!("{}…", start.trim_end())
}

fn wrapped(text: &str, size: f32, width: f32) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in paragraph.split(' ') {
            let longer = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
            if !line.is_empty() && text_width(&longer, size, false) > width {
                lines.push(std::mem::replace(&mut line, word.to_owned()));
            } else {
                line = longer;
            }
        }
        lines.push(line);
    }
    lines
}
