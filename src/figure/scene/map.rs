//! Grids of colours.

use super::text::{shortened, text_width};
use super::{Anchor, FAINT, INK, MARKED, RULE, SMALL, Scene, Shape, Style, WEAK, step_of, widest};
use crate::figure::color::Rgb;
use crate::figure::number::Ticks;
use crate::figure::{Map, Marks, Side};

/// The widest label of a row or column, as a share of the page.
const LABEL: f32 = 0.26;

/// The distance between a map and what stands beside it.
const GAP: f32 = 5.0;
const BAR: f32 = 10.0;

/// The most small maps side by side, and the room between them.
const N_SMALL: usize = 6;
const SMALL_GAP: f32 = 10.0;

const WHITE: Rgb = Rgb([255, 255, 255]);

impl Scene {
    pub(super) fn map(&mut self, map: &Map) {
        let (n_rows, n_columns) = (map.n_rows(), map.n_columns());
        if n_rows == 0 || n_columns == 0 {
            self.paragraph("Nothing to show", Style::weak());
            return;
        }
        let row_style = Style::label(map.rows.is_tokens);
        let labels = shown_labels(&map.rows, row_style, self.room);
        let bar = ColorBar::new(map);
        let left = self.margin + SMALL + 2.0 * GAP + widest(&labels, row_style);
        let room = self.right() - left - bar.width;
        let cell = cell_size(map, room, self.fills);
        let size = [cell[0] * n_columns as f32, cell[1] * n_rows as f32];

        // Titles of the side and of the colours stand on their ends, or above a map that is too low
        // for them.
        let fits = |title: &str| text_width(title, Style::weak()) <= size[1].max(48.0);
        let (is_row_title_beside, is_quantity_beside) =
            (fits(&map.rows.title), fits(&map.quantity));
        let line = SMALL * 1.4;
        if !is_quantity_beside {
            let at = [left, self.height + SMALL / 2.0];
            self.text(at, &*map.quantity, Anchor::Start, Style::label(false));
            self.height += line;
        }
        if !is_row_title_beside {
            let at = [self.margin, self.height + SMALL / 2.0];
            self.text(at, &*map.rows.title, Anchor::Start, Style::weak());
            self.height += line;
        }
        let corner = [left, self.height + 2.0];
        if is_row_title_beside {
            let at = [self.margin + SMALL / 2.0, corner[1] + size[1] / 2.0];
            self.text(at, &*map.rows.title, Anchor::Middle, Style::weak().turned(-90.0));
        }

        self.cells(map, corner, cell);
        let step = step_of(n_rows, cell[1], SMALL * 1.05);
        for nth in shown_places(&map.rows, step) {
            let at = [corner[0] - GAP, corner[1] + (nth as f32 + 0.5) * cell[1]];
            self.label(&map.rows, nth, &labels[nth], at, Anchor::End, row_style);
        }
        let bar_height = size[1].max(40.0);
        let bar_at = [corner[0] + size[0] + 2.0 * GAP, corner[1]];
        bar.draw(self, bar_at, bar_height, map);
        if is_quantity_beside {
            let at = [bar_at[0] + bar.title_at(), corner[1] + bar_height / 2.0];
            let style = Style::label(false).turned(-90.0);
            self.text(at, &*map.quantity, Anchor::Middle, style);
        }
        let bottom = self.columns(&map.columns, corner, size, cell[0]);
        self.height = bottom.max(corner[1] + bar_height + SMALL);
    }

    /// Draws small maps beside each other, with one scale.
    pub(super) fn small_maps(&mut self, maps: &[&Map]) {
        let Some(first) = maps.first() else { return };
        let bar = ColorBar::new(first);
        let name = widest(maps.iter().map(|it| &it.name), Style::weak());
        let n_fitting = ((self.room - bar.width) / (name + SMALL_GAP)).floor().max(1.0) as usize;
        let n_beside = match maps.len().min(N_SMALL) {
            most if most <= n_fitting => most,
            // By twos, so that what stands beside each other in one line does in all.
            _ if n_fitting > 1 => n_fitting - n_fitting % 2,
            _ => 1,
        };
        let room = (self.room - bar.width) / n_beside as f32 - SMALL_GAP;
        let widest = room.min(100.0);
        let left = self.margin + SMALL + GAP;
        let mut top = self.height;
        for (nth, row) in maps.chunks(n_beside).enumerate() {
            let mut lowest = top;
            let mut right = left;
            for (column, map) in row.iter().enumerate() {
                let (n_rows, n_columns) = (map.n_rows().max(1), map.n_columns().max(1));
                let width = (widest / n_columns as f32).min(20.0);
                let height =
                    if map.is_square { width } else { (widest / n_rows as f32).min(width) };
                let corner = [left + column as f32 * (widest + SMALL_GAP), top + SMALL * 1.4];
                let size = [width * n_columns as f32, height * n_rows as f32];
                let at = [corner[0] + size[0] / 2.0, top + SMALL / 2.0];
                self.text(at, &*map.name, Anchor::Middle, Style::weak());
                self.cells(map, corner, [width, height]);
                lowest = lowest.max(corner[1] + size[1]);
                right = corner[0] + size[0];
            }
            if nth == 0 {
                let (at, top) = (right + 2.0 * GAP, top + SMALL * 1.4);
                let height = (lowest - top).max(40.0);
                bar.draw(self, [at, top], height, first);
                let title = shortened(&first.quantity, height + SMALL, Style::label(false));
                let at = [at + bar.title_at(), top + height / 2.0];
                self.text(at, title, Anchor::Middle, Style::label(false).turned(-90.0));
                lowest = lowest.max(top + height);
            }
            top = lowest + SMALL;
        }
        self.height = top;
    }

    fn cells(&mut self, map: &Map, corner: [f32; 2], cell: [f32; 2]) {
        let n_columns = map.n_columns().max(1);
        let place = |row: usize, column: usize| {
            [corner[0] + column as f32 * cell[0], corner[1] + row as f32 * cell[1]]
        };
        let color = |value: f32| map.color_map.rgb(map.share(value));
        for (row, values) in map.values.chunks(n_columns).enumerate() {
            let mut column = 0;
            while let Some(&value) = values.get(column) {
                // Neighbours of the same colour are one box: patterns are mostly white.
                let shown = color(value);
                let n = values[column..].iter().take_while(|&&it| color(it) == shown).count();
                let size = [cell[0] * n as f32, cell[1]];
                self.fill(place(row, column), size, shown.unwrap_or(FAINT));
                if shown.is_none() {
                    for nth in column..column + n {
                        let at = place(row, nth);
                        self.line([at[0], at[1] + cell[1]], [at[0] + cell[0], at[1]], RULE);
                    }
                }
                column += n;
            }
        }
        let on = |value: f32| color(value).map_or(INK, readable);
        let style = Style { size: (cell[1] * 0.56).min(6.5), ..Style::label(true) };
        let room = cell[0] - 2.0;
        let has_room = !map.is_small && cell[1] >= 9.0 && room >= 3.5 * 0.603 * style.size;
        for (nth, &value) in map.values.iter().enumerate() {
            let at = place(nth / n_columns, nth % n_columns);
            let middle = [at[0] + cell[0] / 2.0, at[1] + cell[1] / 2.0];
            let marks = map.marks(nth);
            if marks.is_set_back {
                let [left, top] = at.map(|it| it + Marks::INSET);
                let [right, bottom] = [0, 1].map(|side| at[side] + cell[side] - Marks::INSET);
                self.line([left, bottom], [right, top], on(value));
            }
            if marks.is_estimated {
                let dot = Shape::Dot { at: middle, radius: 1.0, color: on(value) };
                self.shapes.push(dot);
            }
            if let Some(text) = marks.text.filter(|_| has_room) {
                let style = Style { color: on(value), ..style };
                self.text(middle, shortened(text, room, style), Anchor::Middle, style);
            }
        }
        for nth in 0..map.values.len() {
            self.tell(place(nth / n_columns, nth % n_columns), cell, || map.told(nth));
        }
        let size = [cell[0] * n_columns as f32, cell[1] * map.n_rows() as f32];
        self.frame(corner, size);
    }

    /// Draws the labels below a map, and returns where they end.
    pub(super) fn columns(
        &mut self,
        side: &Side,
        corner: [f32; 2],
        size: [f32; 2],
        cell: f32,
    ) -> f32 {
        let style = Style::label(side.is_tokens);
        let labels = shown_labels(side, style, self.room);
        let is_turned = {
            let widest = widest(&labels, style);
            widest + 3.0 > cell && (side.is_tokens || widest > 3.0 * SMALL)
        };
        // Beside each other on the slant, lines are nearer than columns are.
        let size_on_slant = (cell * 0.7).clamp(6.0, SMALL);
        let style = if is_turned { Style { size: size_on_slant, ..style } } else { style };
        let below = corner[1] + size[1];
        let widest = widest(&labels, style);
        let apart = if is_turned { size_on_slant * 1.41 } else { widest + 4.0 };
        let step = step_of(labels.len(), cell, apart);
        for nth in shown_places(side, step) {
            let x = corner[0] + (nth as f32 + 0.5) * cell;
            self.line([x, below], [x, below + 2.5], RULE);
            let (at, anchor, turn) = if is_turned {
                ([x + 1.5, below + 6.5], Anchor::End, -45.0)
            } else {
                ([x, below + 8.0], Anchor::Middle, 0.0)
            };
            self.label(side, nth, &labels[nth], at, anchor, style.turned(turn));
        }
        let height = if is_turned { widest * 0.71 + 14.0 } else { 15.0 };
        let half = text_width(&side.title, Style::weak()) / 2.0;
        let x = (corner[0] + size[0] / 2.0).max(self.margin + half);
        let at = [x, below + height + SMALL / 2.0];
        self.text(at, &*side.title, Anchor::Middle, Style::weak());
        below + height + SMALL * 1.5
    }

    pub(super) fn label(
        &mut self,
        side: &Side,
        nth: usize,
        text: &str,
        at: [f32; 2],
        anchor: Anchor,
        style: Style,
    ) {
        let color = if side.marked.contains(&nth) { MARKED } else { INK };
        self.text(at, text, anchor, Style { color, ..style });
    }
}

impl Map {
    /// Where a value lies in the range, 0 to 1.
    fn share(&self, value: f32) -> f32 {
        let (low, high) = self.range;
        (value - low) / (high - low)
    }
}

/// The width and height of a cell: as its texts need, or as there is room for on a page that is filled.
fn cell_size(map: &Map, room: f32, fills: bool) -> [f32; 2] {
    /// A map that fills a page is at most so high, in widths.
    const HIGH: f32 = 0.5;
    let style = Style { size: 6.5, ..Style::label(true) };
    let text = map.texts.iter().map(|it| text_width(it, style) + 4.0).fold(0.0, f32::max);
    let n_rows = map.n_rows() as f32;
    let width = room / map.n_columns() as f32;
    let usual = if map.n_rows() > 30 { 9.0 } else { 13.0 };
    match (map.is_square, fills) {
        (true, true) => [width.min(room / n_rows); 2],
        (true, false) => [width.min(20.0); 2],
        (false, true) => [width, (width * 0.45).min(HIGH * room / n_rows).max(usual)],
        (false, false) => [width.min(text.clamp(32.0, 56.0)), usual],
    }
}

/// Labels as they are written, with a star where they are set apart.
pub(super) fn shown_labels(side: &Side, style: Style, room: f32) -> Vec<String> {
    let star = text_width("*", style);
    let numbered = side.labels.iter().enumerate();
    let label = |(nth, label): (usize, &String)| {
        let mark = if side.marked.contains(&nth) { "*" } else { "" };
        format!("{}{mark}", shortened(label, LABEL * room - star, style))
    };
    numbered.map(label).collect()
}

/// The places whose label is written: every so many, and those that are set apart, without their
/// neighbours.
pub(super) fn shown_places(side: &Side, step: usize) -> impl Iterator<Item = usize> {
    let is_marked = |nth: usize| side.marked.contains(&nth);
    (0..side.labels.len()).filter(move |&nth| {
        let is_near =
            (1..step).any(|by| is_marked(nth + by) || nth.checked_sub(by).is_some_and(is_marked));
        // Where a whole subject has no room, its first tokens are as good as any.
        let is_first = nth == side.marked.start || side.marked.len() < 2 || step == 1;
        (nth % step == 0 && !is_near) || (is_marked(nth) && is_first)
    })
}

/// Black or white, whichever can be read on a colour.
fn readable(Rgb([r, g, b]): Rgb) -> Rgb {
    let luma = 0.299 * f32::from(r) + 0.587 * f32::from(g) + 0.114 * f32::from(b);
    if luma < 140.0 { WHITE } else { INK }
}

/// The scale of a map.
struct ColorBar {
    /// The widest number beside it.
    number: f32,

    /// The width with the gap before it and its title.
    width: f32,
}

impl ColorBar {
    fn new(map: &Map) -> Self {
        let width = |height: f32| {
            let ticks = ticks(map, height);
            let labels: Vec<String> = ticks.values.iter().map(|&it| ticks.label(it)).collect();
            widest(&labels, Style::label(false))
        };
        // The widest number at any height that the bar may have.
        let number = [40.0, 70.0, 100.0, 140.0].map(width).into_iter().fold(0.0, f32::max);
        Self { number, width: 2.0 * GAP + BAR + 4.5 + number + GAP + SMALL + GAP }
    }

    /// The middle of a title on its end, from the left of the colours.
    fn title_at(&self) -> f32 {
        BAR + 4.5 + self.number + GAP + SMALL / 2.0
    }

    fn draw(&self, scene: &mut Scene, at: [f32; 2], height: f32, map: &Map) {
        const STEPS: usize = 64;
        let step = height / STEPS as f32;
        for nth in 0..STEPS {
            let share = 1.0 - (nth as f32 + 0.5) / STEPS as f32;
            if let Some(color) = map.color_map.rgb(share) {
                // A little over the next, so that no seam shows.
                let over = if nth + 1 < STEPS { 0.2 } else { 0.0 };
                scene.fill([at[0], at[1] + nth as f32 * step], [BAR, step + over], color);
            }
        }
        scene.frame(at, [BAR, height]);
        let ticks = ticks(map, height);
        for &value in &ticks.values {
            let y = at[1] + height * (1.0 - map.share(value));
            scene.line([at[0] + BAR, y], [at[0] + BAR + 2.5, y], WEAK);
            let at = [at[0] + BAR + 4.5 + self.number, y];
            scene.text(at, ticks.label(value), Anchor::End, Style::label(false));
        }
    }
}

/// As many ticks as have room, but enough to see that a scale is linear.
fn ticks(map: &Map, height: f32) -> Ticks {
    let (low, high) = map.range;
    let most = (height / 24.0).clamp(2.0, 6.0) as usize;
    let enough = if height < 60.0 { 2 } else { 3 };
    let found = (most..=6).map(|max| Ticks::new(low, high, max));
    let mut found = found.filter(|ticks| ticks.values.len() >= enough);
    found.next().unwrap_or_else(|| Ticks::new(low, high, 6))
}
