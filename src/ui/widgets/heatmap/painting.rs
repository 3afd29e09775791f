//! The painting of a heat map: cells, labels, marks and what is picked out.

use std::f32::consts::FRAC_PI_2;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use eframe::egui::{
    Align2, Color32, ColorImage, Id, Painter, Pos2, Rangef, Rect, Response, Sense, Stroke,
    StrokeKind, TextureId, TextureOptions, Ui, Vec2, pos2, vec2,
};

use super::layout::{LABEL_GAP, Layout};
use super::{Cell, Heatmap};
use crate::figure::Marks;
use crate::ui::theme::{axis_font, palette, text_on};
use crate::ui::widgets::made_once::cached_texture;
use crate::ui::widgets::text::{fitted, rotated_text};

const TICK: f32 = 3.0;

/// The room in points beside a text in its cell, of both sides.
const TEXT_MARGINS: f32 = 4.0;
const ELIDED_MARGINS: f32 = 6.0;

/// The width in points from which on a text that does not fit in its cell is shortened; in narrower
/// cells it is left out.
const ELIDED_FROM: f32 = 40.0;

/// The size in points of the smallest text in a cell; what does not fit then is shortened.
const SMALLEST: f32 = 9.0;

/// How strong marks over the colours of cells are.
const ESTIMATED: f32 = 0.45;
const SET_BACK: f32 = 0.7;

impl Heatmap<'_> {
    pub(super) fn paint_cells(&self, ui: &Ui, id: Id, map: Rect, cell: Vec2) {
        let colors = palette(ui);
        let (n_rows, n_columns) = (self.map.n_rows(), self.map.n_columns());
        let (low, high) = self.range.ends;
        let color = |value: f32| {
            let share = if high > low { (value - low) / (high - low) } else { 0.5 };
            // A colour map gives no colour for NaN.
            self.map.color_map.color(share)
        };
        let painter = ui.painter_at(map);
        if self.map.values.iter().any(|value| value.is_nan()) {
            paint_hatching(&painter, map, colors.not_computed, colors.hatching);
        }

        let texture = match self.picture {
            Some((texture, _)) => texture,
            None => self.texture(ui, id, color),
        };
        let uv = Rect::from_min_max(Pos2::ZERO, pos2(1.0, 1.0));
        painter.image(texture, map, uv, Color32::WHITE);
        ui.painter().rect_stroke(map, 0.0, Stroke::new(1.0, colors.line), StrokeKind::Outside);

        self.paint_marks(&painter, map, cell, color);

        let line = ui.fonts_mut(|fonts| fonts.row_height(&axis_font()));
        if self.map.texts.is_empty() || cell.y < line {
            return;
        }
        if cell.x < ELIDED_FROM && !self.most_texts_fit(&painter, cell.x) {
            return;
        }
        for row in 0..n_rows {
            for column in 0..n_columns {
                let at = Cell { row, column };
                let Some(text) = self.map.marks(self.nth(at)).text else { continue };
                let value = self.value(at);
                let ink = if value.is_nan() { colors.text } else { text_on(color(value)) };
                let mut font = axis_font();
                let mut galley = painter.layout_no_wrap(text.to_owned(), font.clone(), ink);
                if cell.x >= ELIDED_FROM {
                    let room = cell.x - ELIDED_MARGINS;
                    while font.size > SMALLEST && galley.size().x > room {
                        font.size = (font.size - 1.0).max(SMALLEST);
                        galley = painter.layout_no_wrap(text.to_owned(), font.clone(), ink);
                    }
                    galley = fitted(&painter, text, &font, ink, room);
                }
                if galley.size().x <= cell.x - TEXT_MARGINS {
                    let center = map.min + vec2(column as f32 + 0.5, row as f32 + 0.5) * cell;
                    painter.galley(center - galley.size() / 2.0, galley, ink);
                }
            }
        }
    }

    /// Whether most cells have room for all of their text, and the text is more than a sign. Where few
    /// have, only commas and full stops would be seen, which look like marks.
    fn most_texts_fit(&self, painter: &Painter, width: f32) -> bool {
        let known = self.map.texts.iter().zip(&self.map.values).filter(|(_, it)| !it.is_nan());
        let (mut n, mut n_fitting) = (0, 0);
        for (text, _) in known {
            let galley = painter.layout_no_wrap(text.clone(), axis_font(), Color32::BLACK);
            n += 1;
            let is_word = text.contains(char::is_alphanumeric);
            n_fitting += usize::from(is_word && galley.size().x <= width - TEXT_MARGINS);
        }
        2 * n_fitting >= n
    }

    /// The colours of the cells, a pixel each.
    fn texture(&self, ui: &Ui, id: Id, color: impl Fn(f32) -> Color32) -> TextureId {
        let (low, high) = self.range.ends;
        let size = [self.map.n_columns(), self.map.n_rows()];
        let mut hasher = DefaultHasher::new();
        (self.map.color_map, low.to_bits(), high.to_bits(), size).hash(&mut hasher);
        for value in &self.map.values {
            value.to_bits().hash(&mut hasher);
        }
        cached_texture(ui, id, hasher.finish(), TextureOptions::NEAREST, || {
            ColorImage::new(size, self.map.values.iter().map(|&value| color(value)).collect())
        })
    }

    /// Draws a dot in the middle of each estimated cell, and a line across each that is set back.
    fn paint_marks(
        &self,
        painter: &Painter,
        map: Rect,
        cell: Vec2,
        color: impl Fn(f32) -> Color32,
    ) {
        if self.map.estimated.is_empty() && self.map.set_back.is_empty() {
            return;
        }
        let radius = (cell.min_elem() / 7.0).clamp(0.8, 2.2);
        for (nth, &value) in self.map.values.iter().enumerate() {
            let (row, column) = (nth / self.map.n_columns(), nth % self.map.n_columns());
            let corner = map.min + vec2(column as f32, row as f32) * cell;
            let (marks, ink) = (self.map.marks(nth), text_on(color(value)));
            if marks.is_set_back {
                let line = Rect::from_min_size(corner, cell).shrink(Marks::INSET);
                let ends = [line.left_bottom(), line.right_top()];
                painter.line_segment(ends, Stroke::new(1.0, ink.gamma_multiply(SET_BACK)));
            }
            if marks.is_estimated {
                let dot = ink.gamma_multiply(ESTIMATED);
                painter.circle_filled(corner + cell / 2.0, radius, dot);
            }
        }
    }

    pub(super) fn paint_labels(&self, ui: &Ui, id: Id, corner: Pos2, layout: &Layout) {
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
                hover.on_hover_text(&self.map.rows.labels[label.nth]);
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
                hover.on_hover_text(&self.map.columns.labels[label.nth]);
            }
        }

        // Titles are beside the middle of the map, as far as there is room for them.
        let title = |text: &str, room: Rangef| {
            fitted(painter, text, &axis_font(), colors.weak_text, room.span())
        };
        let beside = |middle: f32, length: f32, room: Rangef| {
            let half = (length / 2.0).min(room.span() / 2.0);
            middle.max(room.min + half).min(room.max - half)
        };
        let down = Rangef::new(corner.y, corner.y + layout.size.y);
        let rows_title = title(&self.map.rows.title, down);
        let y = beside(map.center().y, rows_title.size().x, down);
        let at = pos2(corner.x + rows_title.size().y / 2.0, y);
        rotated_text(painter, at, Align2::CENTER_CENTER, -FRAC_PI_2, rows_title, colors.weak_text);
        let right = ui.clip_rect().right().max(corner.x + layout.size.x);
        let across = Rangef::new(corner.x, right - 1.0);
        let columns_title = title(&self.map.columns.title, across);
        let x = beside(map.center().x, columns_title.size().x, across);
        let at = pos2(x, map.bottom() + layout.below + 2.0);
        rotated_text(painter, at, Align2::CENTER_TOP, 0.0, columns_title, colors.weak_text);
    }
}

/// The place of the cells, to outline some of them.
pub(super) struct Outlines {
    pub(super) map: Rect,
    pub(super) cell: Vec2,
}

impl Outlines {
    pub(super) fn paint(
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

    pub(super) fn rect(&self, row: Option<usize>, column: Option<usize>) -> Rect {
        let x = column.map_or_else(
            || self.map.x_range(),
            |column| {
                let left = self.map.left() + column as f32 * self.cell.x;
                (left..=left + self.cell.x).into()
            },
        );
        let y = row.map_or_else(
            || self.map.y_range(),
            |row| {
                let top = self.map.top() + row as f32 * self.cell.y;
                (top..=top + self.cell.y).into()
            },
        );
        Rect::from_x_y_ranges(x, y)
    }
}

/// The colour of what is selected: the same on both themes, as are the cells below it.
const SELECTED: Color32 = Color32::from_rgb(14, 98, 208);

/// Paints hatching, which shows where cells have no value.
fn paint_hatching(painter: &Painter, rect: Rect, background: Color32, lines: Color32) {
    painter.rect_filled(rect, 0.0, background);
    let painter = painter.with_clip_rect(rect.intersect(painter.clip_rect()));
    let mut x = rect.left() - rect.height();
    while x < rect.right() {
        let ends = [pos2(x, rect.bottom()), pos2(x + rect.height(), rect.top())];
        painter.line_segment(ends, Stroke::new(1.0, lines));
        x += 6.0;
    }
}
