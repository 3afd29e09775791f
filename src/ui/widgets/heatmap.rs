//! A grid of coloured cells with labelled axes and a colour bar, as one texture.
//!
//! Cells are a whole number of pixels wide and high, so that all look the same and edges are crisp.

use std::f32::consts::{FRAC_PI_2, FRAC_PI_4};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::ops::Range;
use std::sync::Arc;

use eframe::egui::emath::GuiRounding as _;
use eframe::egui::text::LayoutJob;
use eframe::egui::{
    Align2, Color32, ColorImage, EventFilter, Galley, Id, Key, Painter, PopupAnchor, Pos2, Rect,
    Response, RichText, Role, Sense, Stroke, StrokeKind, TextFormat, TextureOptions, Tooltip, Ui,
    Vec2, WidgetInfo, pos2, vec2,
};

use super::color_bar::ColorBar;
use super::number::exact;
use super::text::{elide_middle, rotated_text};
use super::texture::cached_texture;
use crate::ui::theme::{ColorMap, axis_font, palette, text_on, token_font};

/// What to draw, and how it is called.
pub struct Heatmap<'a> {
    /// Name of the figure, for people who hear it: “Causal trace”. Unique within its parent.
    pub name: &'a str,

    /// One row after the other; NaN where nothing was computed.
    pub values: &'a [f32],

    pub rows: Axis<'a>,
    pub columns: Axis<'a>,

    /// Values at the ends of the colour map; what lies outside is clipped.
    pub range: (f32, f32),
    pub color_map: ColorMap,

    /// What a value is, with its unit, as it stands along the colour bar.
    pub quantity: &'a str,

    /// Outlined. A whole row or column if only one of them is set.
    pub selected_row: Option<usize>,
    pub selected_column: Option<usize>,

    pub cell_shape: CellShape,

    /// Text inside cells, where it fits.
    pub cell_text: Option<&'a dyn Fn(Cell) -> String>,

    /// How high it may get, labels included.
    pub max_height: f32,
}

/// One side of the grid.
pub struct Axis<'a> {
    /// What stands along it.
    pub title: &'a str,

    /// One of its places, in a sentence: “layer”, “token”.
    pub noun: &'a str,

    /// One per row or column.
    pub labels: &'a [String],

    /// Set apart by a star and a colour, like the subject in ROME's figures.
    pub marked: Range<usize>,

    pub kind: Labels,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Labels {
    /// Monospaced, and turned where they are below a column.
    Tokens,

    /// Thinned to round steps where they would overlap.
    Numbers,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CellShape {
    /// As the space allows, within reason.
    Free,

    Square,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    pub row: usize,
    pub column: usize,
}

pub struct HeatmapResponse {
    pub response: Response,

    /// Below the pointer.
    pub hovered: Option<Cell>,

    /// Picked in this frame, by click or arrow key.
    pub picked: Option<Cell>,
}

const MAX_LABEL_WIDTH: f32 = 140.0;
const LABEL_GAP: f32 = 6.0;
const TICK: f32 = 3.0;
const BAR_GAP: f32 = 12.0;

/// Where everything goes, relative to the widget's corner.
struct Layout {
    size: Vec2,

    /// The cells.
    map: Rect,
    cell: Vec2,

    row_labels: Vec<Label>,
    column_labels: Vec<Label>,
    column_angle: f32,

    /// Height of the column labels.
    below: f32,
}

struct Label {
    nth: usize,
    galley: Arc<Galley>,
    is_elided: bool,
}

impl Heatmap<'_> {
    /// `details` says more about the cell below the pointer, a line each.
    pub fn show(&self, ui: &mut Ui, details: impl FnOnce(Cell) -> String) -> HeatmapResponse {
        let (n_rows, n_columns) = (self.rows.labels.len(), self.columns.labels.len());
        assert_eq!(self.values.len(), n_rows * n_columns, "one value per cell");
        let id = ui.make_persistent_id(("heatmap", self.name));
        let bar =
            ColorBar { color_map: self.color_map, range: self.range, quantity: self.quantity };
        let layout = self.layout(ui, &bar);

        let (outer, _) = ui.allocate_exact_size(layout.size, Sense::hover());
        let corner = outer.min.round_to_pixels(ui.pixels_per_point());
        let map = layout.map.translate(corner.to_vec2());
        let mut response = ui.interact(map, id, Sense::click());

        let cell_at = |pos: Pos2| {
            let at = (pos - map.min) / layout.cell;
            Cell {
                row: (at.y.max(0.0) as usize).min(n_rows - 1),
                column: (at.x.max(0.0) as usize).min(n_columns - 1),
            }
        };
        let hovered = response.hover_pos().map(cell_at);
        let mut picked = None;
        if response.clicked() {
            response.request_focus();
            picked = response.interact_pointer_pos().map(cell_at);
        }
        if response.has_focus() {
            picked = picked.or_else(|| self.moved_by_keys(ui, id));
        }
        if picked.is_some() {
            response.mark_changed();
        }

        if ui.is_rect_visible(outer) {
            self.paint_cells(ui, id, map, layout.cell);
            self.paint_labels(ui, id, corner, &layout);
            bar.paint(ui, id.with("bar"), map.right() + BAR_GAP, map);
            let outlined = Outlines { map, cell: layout.cell };
            outlined.paint(ui, &response, self.selected_row, self.selected_column, hovered);
        }

        response.widget_info(|| {
            let shown = picked.or_else(|| self.selected());
            WidgetInfo::labeled(Role::Canvas, ui.is_enabled(), self.spoken(shown))
        });
        if let Some(cell) = hovered {
            self.tooltip(&response, cell, &details(cell));
        }
        HeatmapResponse { response, hovered, picked }
    }

    fn value(&self, cell: Cell) -> f32 {
        self.values[cell.row * self.columns.labels.len() + cell.column]
    }

    fn selected(&self) -> Option<Cell> {
        let (row, column) = (self.selected_row?, self.selected_column?);
        let exists = row < self.rows.labels.len() && column < self.columns.labels.len();
        exists.then_some(Cell { row, column })
    }

    fn value_text(&self, cell: Cell) -> String {
        let value = self.value(cell);
        if value.is_nan() { "not computed".to_owned() } else { exact(value) }
    }

    fn spoken(&self, cell: Option<Cell>) -> String {
        let Some(cell) = cell else {
            return self.name.to_owned();
        };
        let (row, column) = (self.rows.describe(cell.row), self.columns.describe(cell.column));
        format!("{}: {row}, {column}: {}", self.name, self.value_text(cell))
    }

    fn tooltip(&self, response: &Response, cell: Cell, details: &str) {
        let ctx = response.ctx.clone();
        let tooltip =
            Tooltip::always_open(ctx, response.layer_id, response.id, PopupAnchor::Pointer);
        tooltip.gap(14.0).show(|ui| {
            let (row, column) = (self.rows.describe(cell.row), self.columns.describe(cell.column));
            ui.label(RichText::new(sentence(&format!("{row}, {column}"))).weak());
            ui.label(
                RichText::new(format!("{}  {}", self.quantity, self.value_text(cell))).strong(),
            );
            if !details.is_empty() {
                ui.label(details);
            }
        });
    }

    fn moved_by_keys(&self, ui: &Ui, id: Id) -> Option<Cell> {
        let arrows =
            EventFilter { horizontal_arrows: true, vertical_arrows: true, ..Default::default() };
        ui.memory_mut(|memory| memory.set_focus_lock_filter(id, arrows));
        let pressed = |key: Key| ui.input(|input| input.key_pressed(key));
        let step =
            |forward: Key, back: Key| isize::from(pressed(forward)) - isize::from(pressed(back));
        let (down, right) =
            (step(Key::ArrowDown, Key::ArrowUp), step(Key::ArrowRight, Key::ArrowLeft));
        if down == 0 && right == 0 {
            return None;
        }
        let moved = |from: Option<usize>, by: isize, n: usize| {
            from.map_or(0, |from| from.saturating_add_signed(by)).min(n - 1)
        };
        Some(Cell {
            row: moved(self.selected_row, down, self.rows.labels.len()),
            column: moved(self.selected_column, right, self.columns.labels.len()),
        })
    }
}

/// Layout.
impl Heatmap<'_> {
    fn layout(&self, ui: &Ui, bar: &ColorBar<'_>) -> Layout {
        let (n_rows, n_columns) = (self.rows.labels.len(), self.columns.labels.len());
        let line = ui.fonts_mut(|fonts| fonts.row_height(&axis_font()));
        let row_labels = self.rows.galleys(ui, MAX_LABEL_WIDTH);
        let column_labels = self.columns.galleys(ui, MAX_LABEL_WIDTH);
        let widest =
            |labels: &[Label]| labels.iter().map(|label| label.galley.size().x).fold(0.0, f32::max);

        // Half a number above and below, as ticks may lie at the very ends.
        let above = line / 2.0 + 1.0;
        let title = line + 4.0;
        let mut left = title + widest(&row_labels) + LABEL_GAP;
        let right = BAR_GAP + bar.width(ui, 200.0) + 1.0;
        let available = vec2(ui.available_width(), self.max_height);
        let upright_below = match self.columns.kind {
            Labels::Numbers => line,
            Labels::Tokens => widest(&column_labels),
        } + LABEL_GAP;

        let pixel = 1.0 / ui.pixels_per_point();
        let whole = |size: f32| ((size / pixel).floor() * pixel).max(pixel);
        let room = available - vec2(left + right, above + upright_below + title);
        let mut cell = vec2(room.x / n_columns as f32, room.y / n_rows as f32);
        // The longer the axis, the smaller the cells may get; alone they would be huge.
        cell = match self.cell_shape {
            CellShape::Free => {
                let width = cell.x.min(64.0).max(3.0);
                vec2(width, cell.y.min(28.0).min(width * 3.0).max(3.0))
            }
            CellShape::Square => Vec2::splat(cell.x.min(cell.y).clamp(3.0, 40.0)),
        };
        cell = vec2(whole(cell.x), whole(cell.y));

        // Tokens lean where there is room for it, else they stand upright.
        let (column_angle, below) = match self.columns.kind {
            Labels::Tokens if cell.x >= line * 1.25 => {
                let lean = (widest(&column_labels) + line / 2.0) * FRAC_PI_4.sin();
                // The first label hangs out to the left.
                left = left.max(lean - cell.x / 2.0);
                (-FRAC_PI_4, lean + LABEL_GAP)
            }
            Labels::Tokens => (-FRAC_PI_2, upright_below),
            Labels::Numbers => (0.0, upright_below),
        };
        let map_size = vec2(cell.x * n_columns as f32, cell.y * n_rows as f32);
        let map_min = pos2(left, above).round_to_pixels(ui.pixels_per_point());
        let row_step = self.rows.step(&row_labels, cell.y, line);
        let column_step = self.columns.step(&column_labels, cell.x, line);
        let thinned = |labels: Vec<Label>, step: usize| {
            labels.into_iter().filter(|label| label.nth % step == 0).collect()
        };
        Layout {
            size: vec2(map_min.x + map_size.x + right, map_min.y + map_size.y + below + title),
            map: Rect::from_min_size(map_min, map_size),
            cell,
            row_labels: thinned(row_labels, row_step),
            column_labels: thinned(column_labels, column_step),
            column_angle,
            below,
        }
    }
}

/// Painting.
impl Heatmap<'_> {
    fn paint_cells(&self, ui: &Ui, id: Id, map: Rect, cell: Vec2) {
        let colors = palette(ui);
        let (low, high) = self.range;
        let color = |value: f32| {
            let share = if high > low { (value - low) / (high - low) } else { 0.5 };
            // Not clipped by the colour map if it is NaN.
            self.color_map.color(share)
        };
        let painter = ui.painter_at(map);
        if self.values.iter().any(|value| value.is_nan()) {
            paint_hatching(&painter, map, colors.not_computed, colors.hatching);
        }

        let mut hasher = DefaultHasher::new();
        (self.color_map, low.to_bits(), high.to_bits()).hash(&mut hasher);
        self.columns.labels.len().hash(&mut hasher);
        self.values.iter().for_each(|value| value.to_bits().hash(&mut hasher));
        let texture = cached_texture(ui, id, hasher.finish(), TextureOptions::NEAREST, || {
            let size = [self.columns.labels.len(), self.rows.labels.len()];
            ColorImage::new(size, self.values.iter().map(|&value| color(value)).collect())
        });
        let uv = Rect::from_min_max(Pos2::ZERO, pos2(1.0, 1.0));
        painter.image(texture, map, uv, Color32::WHITE);
        ui.painter().rect_stroke(map, 0.0, Stroke::new(1.0, colors.line), StrokeKind::Outside);

        let Some(text) = self.cell_text else { return };
        let line = ui.fonts_mut(|fonts| fonts.row_height(&axis_font()));
        if cell.y < line {
            return;
        }
        for row in 0..self.rows.labels.len() {
            for column in 0..self.columns.labels.len() {
                let at = Cell { row, column };
                let value = self.value(at);
                if value.is_nan() {
                    continue;
                }
                let ink = text_on(color(value));
                let galley = painter.layout_no_wrap(text(at), axis_font(), ink);
                if galley.size().x <= cell.x - 4.0 {
                    let center = map.min + vec2(column as f32 + 0.5, row as f32 + 0.5) * cell;
                    painter.galley(center - galley.size() / 2.0, galley, ink);
                }
            }
        }
    }

    fn paint_labels(&self, ui: &Ui, id: Id, corner: Pos2, layout: &Layout) {
        let colors = palette(ui);
        let painter = ui.painter();
        let map = layout.map.translate(corner.to_vec2());
        let tick = Stroke::new(1.0, colors.line);

        for label in &layout.row_labels {
            let y = map.top() + (label.nth as f32 + 0.5) * layout.cell.y;
            let at = pos2(map.left() - LABEL_GAP, y);
            painter.hline(at.x + 2.0..=map.left() - 1.0, painter.round_to_pixel_center(y), tick);
            let rect = Align2::RIGHT_CENTER.anchor_size(at, label.galley.size());
            painter.galley(rect.min, Arc::clone(&label.galley), colors.text);
            if label.is_elided {
                let hover = ui.interact(rect, id.with(("row", label.nth)), Sense::hover());
                hover.on_hover_text(&self.rows.labels[label.nth]);
            }
        }
        for label in &layout.column_labels {
            let x = map.left() + (label.nth as f32 + 0.5) * layout.cell.x;
            let at = pos2(x, map.bottom() + LABEL_GAP);
            let ticks = map.bottom() + 1.0..=map.bottom() + 1.0 + TICK;
            painter.vline(painter.round_to_pixel_center(x), ticks, tick);
            let anchor =
                if layout.column_angle == 0.0 { Align2::CENTER_TOP } else { Align2::RIGHT_CENTER };
            let galley = Arc::clone(&label.galley);
            rotated_text(painter, at, anchor, layout.column_angle, galley, colors.text);
            if label.is_elided {
                let rect = Rect::from_center_size(at + vec2(0.0, 10.0), vec2(layout.cell.x, 20.0));
                let hover = ui.interact(rect, id.with(("column", label.nth)), Sense::hover());
                hover.on_hover_text(&self.columns.labels[label.nth]);
            }
        }

        let title =
            |text: &str| painter.layout_no_wrap(text.to_owned(), axis_font(), colors.weak_text);
        let rows_title = title(self.rows.title);
        let at = pos2(corner.x + rows_title.size().y / 2.0, map.center().y);
        rotated_text(painter, at, Align2::CENTER_CENTER, -FRAC_PI_2, rows_title, colors.weak_text);
        let at = pos2(map.center().x, map.bottom() + layout.below + 2.0);
        rotated_text(
            painter,
            at,
            Align2::CENTER_TOP,
            0.0,
            title(self.columns.title),
            colors.weak_text,
        );
    }
}

impl Axis<'_> {
    /// As it is said: “token 3 ·Tower”, “layer 12”.
    fn describe(&self, nth: usize) -> String {
        match self.kind {
            Labels::Tokens => format!("{} {nth} {}", self.noun, self.labels[nth]),
            Labels::Numbers => format!("{} {}", self.noun, self.labels[nth]),
        }
    }

    fn galleys(&self, ui: &Ui, max_width: f32) -> Vec<Label> {
        let colors = palette(ui);
        let font = match self.kind {
            Labels::Tokens => token_font(),
            Labels::Numbers => axis_font(),
        };
        let label = |(nth, full): (usize, &String)| {
            let text = elide_middle(ui.painter(), full, &font, max_width);
            let is_marked = self.marked.contains(&nth);
            let color = if is_marked { colors.subject } else { colors.text };
            let mut job = LayoutJob::default();
            job.append(&text, 0.0, TextFormat::simple(font.clone(), color));
            if is_marked {
                job.append("*", 0.0, TextFormat::simple(font.clone(), color));
            }
            Label { nth, is_elided: text != *full, galley: ui.painter().layout_job(job) }
        };
        self.labels.iter().enumerate().map(label).collect()
    }

    /// Every how-many-th label is drawn, so that none overlap.
    fn step(&self, labels: &[Label], cell: f32, line: f32) -> usize {
        let is_below = matches!(self.kind, Labels::Numbers) && cell < line * 4.0;
        let needed = if is_below {
            let widest = labels.iter().map(|label| label.galley.size().x).fold(0.0, f32::max);
            widest.max(line * 0.9) + 5.0
        } else {
            line * 0.92
        };
        let least = (needed / cell).ceil().max(1.0) as usize;
        match self.kind {
            Labels::Tokens => least,
            Labels::Numbers => {
                let round = [1, 2, 5, 10, 20, 50, 100];
                round.into_iter().find(|&step| step >= least).unwrap_or(least)
            }
        }
    }
}

/// Where cells are, to outline them.
struct Outlines {
    map: Rect,
    cell: Vec2,
}

impl Outlines {
    fn paint(
        &self,
        ui: &Ui,
        response: &Response,
        row: Option<usize>,
        column: Option<usize>,
        hovered: Option<Cell>,
    ) {
        let colors = palette(ui);
        let painter = ui.painter();
        if response.has_focus() {
            let around = self.map.expand(3.0);
            painter.rect_stroke(around, 2.0, Stroke::new(1.0, colors.accent), StrokeKind::Middle);
        }
        if let Some(cell) = hovered {
            let rect = self.rect(Some(cell.row), Some(cell.column));
            painter.rect_stroke(rect, 0.0, Stroke::new(2.0, Color32::WHITE), StrokeKind::Outside);
            painter.rect_stroke(rect, 0.0, Stroke::new(1.0, Color32::BLACK), StrokeKind::Outside);
        }
        let n_rows = (self.map.height() / self.cell.y).round() as usize;
        let n_columns = (self.map.width() / self.cell.x).round() as usize;
        let row = row.filter(|&row| row < n_rows);
        let column = column.filter(|&column| column < n_columns);
        if row.is_some() || column.is_some() {
            let rect = self.rect(row, column);
            // A light edge on both sides: the line must show on dark and on pale cells.
            let edge = Stroke::new(4.0, Color32::WHITE);
            painter.rect_stroke(rect, 1.0, edge, StrokeKind::Outside);
            let inner = rect.expand(1.0);
            let line = Stroke::new(2.0, SELECTED);
            painter.rect_stroke(inner, 1.0, line, StrokeKind::Outside);
        }
    }

    fn rect(&self, row: Option<usize>, column: Option<usize>) -> Rect {
        let x = column.map_or(self.map.x_range(), |column| {
            let left = self.map.left() + column as f32 * self.cell.x;
            (left..=left + self.cell.x).into()
        });
        let y = row.map_or(self.map.y_range(), |row| {
            let top = self.map.top() + row as f32 * self.cell.y;
            (top..=top + self.cell.y).into()
        });
        Rect::from_x_y_ranges(x, y)
    }
}

/// The same on both themes, as are the cells below it.
const SELECTED: Color32 = Color32::from_rgb(14, 98, 208);

/// Says “no value here” where cells are transparent.
pub fn paint_hatching(painter: &Painter, rect: Rect, background: Color32, lines: Color32) {
    painter.rect_filled(rect, 0.0, background);
    let painter = painter.with_clip_rect(rect.intersect(painter.clip_rect()));
    let mut x = rect.left() - rect.height();
    while x < rect.right() {
        let ends = [pos2(x, rect.bottom()), pos2(x + rect.height(), rect.top())];
        painter.line_segment(ends, Stroke::new(1.0, lines));
        x += 6.0;
    }
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
