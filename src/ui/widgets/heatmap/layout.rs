//! The places of a heat map's parts, worked out before it is drawn.

use std::f32::consts::{FRAC_PI_2, FRAC_PI_4};

use eframe::egui::emath::GuiRounding as _;
use eframe::egui::{Rect, Ui, Vec2, pos2, vec2};

use super::Heatmap;
use super::axis::{Label, Labels};
use crate::ui::theme::axis_font;
use crate::ui::widgets::color_bar::ColorBar;

/// Where everything goes, relative to the widget's corner.
pub(super) struct Layout {
    pub(super) size: Vec2,

    /// The cells.
    pub(super) map: Rect,
    pub(super) cell: Vec2,

    pub(super) row_labels: Vec<Label>,
    pub(super) column_labels: Vec<Label>,
    pub(super) column_angle: f32,

    /// Height of the column labels.
    pub(super) below: f32,
}

/// Of the cells together.
const MIN_HEIGHT: f32 = 80.0;

/// Of the name of a quantity, as most are.
const NAME_HEIGHT: f32 = 112.0;

const MAX_LABEL_WIDTH: f32 = 140.0;
pub(super) const LABEL_GAP: f32 = 6.0;
pub(super) const BAR_GAP: f32 = 12.0;

impl Heatmap<'_> {
    pub(super) fn layout(&self, ui: &Ui, bar: &ColorBar<'_>) -> Layout {
        let (n_rows, n_columns) = (self.map.n_rows(), self.map.n_columns());
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
            Labels::Tokens | Labels::Words => widest(&column_labels),
        } + LABEL_GAP;

        let pixel = 1.0 / ui.pixels_per_point();
        let whole = |size: f32| ((size / pixel).floor() * pixel).max(pixel);
        let room = available - vec2(left + right, above + upright_below + title);
        let mut cell = vec2(room.x / n_columns as f32, room.y / n_rows as f32);
        // The longer the axis, the smaller the cells may get; alone they would be huge.
        cell = if self.map.is_square {
            Vec2::splat(cell.x.min(cell.y).clamp(3.0, 40.0))
        } else {
            let width = cell.x.clamp(3.0, 64.0);
            // However little room there is, rows must be told apart.
            let least = (MIN_HEIGHT / n_rows as f32).clamp(3.0, 12.0);
            // A few of them are taller, so that the name of what they show has room beside.
            let most = (NAME_HEIGHT / n_rows as f32).clamp(28.0, 56.0);
            vec2(width, cell.y.min(most).min(width * 3.0).max(least))
        };
        cell = vec2(whole(cell.x), whole(cell.y));

        let is_turned = match self.columns.kind {
            Labels::Numbers => false,
            Labels::Words => widest(&column_labels) + 6.0 > cell.x,
            Labels::Tokens => true,
        };
        // They lean where there is room for it, else they stand upright.
        let (column_angle, below) = match is_turned {
            true if cell.x >= line * 1.25 => {
                let lean = |width: f32| (width + line / 2.0) * FRAC_PI_4.sin();
                // The first labels may hang out to the left.
                for label in &column_labels {
                    let x = (label.nth as f32 + 0.5) * cell.x;
                    left = left.max(lean(label.galley.size().x) - x);
                }
                (-FRAC_PI_4, lean(widest(&column_labels)) + LABEL_GAP)
            }
            true => (-FRAC_PI_2, upright_below),
            false => (0.0, line + LABEL_GAP),
        };
        let map_size = vec2(cell.x * n_columns as f32, cell.y * n_rows as f32);
        let map_min = pos2(left, above).round_to_pixels(ui.pixels_per_point());
        // Few letters reach up and down as far as a line does.
        let beside = line * 0.85;
        let apart = if is_turned { beside } else { widest(&column_labels) + 6.0 };
        let row_labels = self.rows.thinned(row_labels, cell.y, beside, self.selected_row);
        let column_labels =
            self.columns.thinned(column_labels, cell.x, apart, self.selected_column);
        Layout {
            size: vec2(map_min.x + map_size.x + right, map_min.y + map_size.y + below + title),
            map: Rect::from_min_size(map_min, map_size),
            cell,
            row_labels,
            column_labels,
            column_angle,
            below,
        }
    }
}
