//! The places of a heat map's parts, worked out before it is drawn.

use std::f32::consts::{FRAC_PI_2, FRAC_PI_4};

use eframe::egui::emath::GuiRounding as _;
use eframe::egui::{Id, Rect, Ui, Vec2, pos2, vec2};

use super::Heatmap;
use super::axis::{Label, Labels};
use crate::ui::theme::axis_font;
use crate::ui::widgets::color_bar::ColorBar;

/// Where the parts of a map are, relative to the widget's corner.
pub(super) struct Layout {
    pub(super) size: Vec2,

    /// The place of all cells.
    pub(super) map: Rect,
    pub(super) cell: Vec2,

    pub(super) row_labels: Vec<Label>,
    pub(super) column_labels: Vec<Label>,
    pub(super) column_angle: f32,

    /// The height of the column labels.
    pub(super) below: f32,
}

/// The widest and the highest cell in points, so that a map of few cells stays a map.
const WIDEST: f32 = 112.0;
const HIGHEST: f32 = 64.0;

/// The height in points up to which a cell may be higher than it is wide.
const UPRIGHT: f32 = 34.0;

/// The side of the largest cell of a square map, in points.
const LARGEST: f32 = 56.0;

/// The least height of a map in points: colours can be told apart, and the numbers of the bar do not
/// touch.
const LEAST_MAP: f32 = 90.0;

/// Points between the lines of two labels.
const LINE_GAP: f32 = 1.0;

/// Points of all rows together from which on rows may be lower than their labels.
const LEAST_HEIGHT: f32 = 420.0;

/// Points; smaller cells need not be whole pixels, or the map would jump in size with its room.
const FINE: f32 = 4.0;

/// The height in points that the name of a quantity needs beside its map.
const NAME_HEIGHT: f32 = 112.0;

/// The width in points of the longest label, and the largest part of a map's width that the labels of its
/// rows take.
const MAX_LABEL_WIDTH: f32 = 140.0;
const MAX_LABEL_SHARE: f32 = 0.32;
pub(super) const LABEL_GAP: f32 = 6.0;
pub(super) const BAR_GAP: f32 = 12.0;

/// Points that maps leave for labels and bars at their sides, and the height that they have for all.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Around {
    left: f32,
    right: f32,
    height: f32,
}

impl Around {
    fn with(self, other: Self) -> Self {
        Self {
            left: self.left.max(other.left),
            right: self.right.max(other.right),
            height: self.height.min(other.height),
        }
    }

    /// What suits all maps that are compared with this one, as the last pass and this one have drawn them.
    fn of_compared(self, ui: &Ui) -> Self {
        let place = Id::unique("maps that are compared");
        let pass = ui.ctx().cumulative_pass_nr();
        let stored = ui.data(|data| data.get_temp::<(u64, Self, Self)>(place));
        let (last, now) = match stored {
            Some((at, last, now)) if at == pass => (last, now),
            Some((at, _, last)) if at + 1 == pass => (last, self),
            _ => (self, self),
        };
        ui.data_mut(|data| data.insert_temp(place, (pass, last, now.with(self))));
        let all = last.with(self);
        if all != last {
            // Maps that were drawn before this one have another size yet.
            ui.request_repaint();
        }
        all
    }
}

impl Heatmap<'_> {
    /// `room`: for the map with its labels and its bar.
    pub(super) fn layout(&self, ui: &Ui, bar: &ColorBar<'_>, room: Vec2) -> Layout {
        // In a narrow column long labels are cut short before the map is.
        let most = MAX_LABEL_WIDTH.min(MAX_LABEL_SHARE * room.x);
        let labels = [self.rows.galleys(ui, most), self.columns.galleys(ui, MAX_LABEL_WIDTH)];
        let layout = self.layout_beside(ui, bar, 1, room, labels.clone());
        let below = layout.size.y - layout.map.bottom();
        if self.picture.is_some() || bar.n_lines(ui, layout.map.height(), below) == 1 {
            return layout;
        }
        self.layout_beside(ui, bar, 2, room, labels)
    }

    /// `n_lines`: those of the bar's name. The labels are those of rows and of columns.
    fn layout_beside(
        &self,
        ui: &Ui,
        bar: &ColorBar<'_>,
        n_lines: usize,
        room: Vec2,
        [row_labels, column_labels]: [Vec<Label>; 2],
    ) -> Layout {
        let (n_rows, n_columns) = (self.map.n_rows(), self.map.n_columns());
        let line = ui.fonts_mut(|fonts| fonts.row_height(&axis_font())).ceil();
        let widest =
            |labels: &[Label]| labels.iter().map(|label| label.galley.size().x).fold(0.0, f32::max);
        let pixel = 1.0 / ui.pixels_per_point();
        // From one label to the next, across the lines that they are written in, in whole pixels.
        let apart = |labels: &[Label]| {
            let highest = labels.iter().map(|label| label.galley.size().y).fold(line, f32::max);
            ((highest + LINE_GAP) / pixel).ceil() * pixel
        };

        // Half a number above and below, as ticks may lie at the very ends.
        let above = line / 2.0 + 1.0;
        let title = line + 4.0;
        // In whole pixels, so that what is rounded later is no wider.
        let whole_pixels = |points: f32| (points / pixel).ceil() * pixel;
        let mut left = whole_pixels(title + widest(&row_labels) + LABEL_GAP);
        let above = whole_pixels(above);
        let mut right = match self.picture {
            None => BAR_GAP + bar.width(ui, 200.0, n_lines) + 1.0,
            Some(_) => 1.0,
        };
        let mut room = room;
        if self.is_compared {
            let own = Around { left, right, height: room.y };
            Around { left, right, height: room.y } = own.of_compared(ui);
        }
        let upright_below = match self.columns.kind {
            Labels::Numbers => line,
            Labels::Tokens | Labels::Words => widest(&column_labels),
        } + LABEL_GAP;

        let down = apart(&row_labels);
        let cell_in = |left: f32, below: f32| {
            self.cell(room - vec2(left + right, above + below + title), down, pixel)
        };
        let mut cell = cell_in(left, upright_below);
        let is_turned = match self.columns.kind {
            Labels::Numbers => false,
            Labels::Words => widest(&column_labels) + 6.0 > cell.x,
            Labels::Tokens => true,
        };
        // They lean where there is room for it, else they stand upright.
        let (mut column_angle, mut below) =
            if is_turned { (-FRAC_PI_2, upright_below) } else { (0.0, line + LABEL_GAP) };
        let can_lean = |cell: Vec2| cell.x * FRAC_PI_4.sin() >= apart(&column_labels);
        if is_turned && can_lean(cell) {
            let lean = |width: f32| (width + line / 2.0) * FRAC_PI_4.sin();
            let below_leaning = lean(widest(&column_labels)) + LABEL_GAP;
            let (mut further_left, mut narrower) = (left, cell);
            // The first labels may hang out to the left, which takes room from cells, and narrower cells
            // let them hang out a little more.
            for _ in 0..3 {
                for label in &column_labels {
                    let x = (label.nth as f32 + 0.5) * narrower.x;
                    further_left = further_left.max(lean(label.galley.size().x) - x);
                }
                further_left = whole_pixels(further_left);
                narrower = cell_in(further_left, below_leaning);
            }
            if can_lean(narrower) {
                (left, cell) = (further_left, narrower);
                (column_angle, below) = (-FRAC_PI_4, below_leaning);
            }
        }
        let map_size = vec2(cell.x * n_columns as f32, cell.y * n_rows as f32);
        let map_min = pos2(left, above).round_to_pixels(ui.pixels_per_point());
        let across = if is_turned { apart(&column_labels) } else { widest(&column_labels) + 6.0 };
        let row_labels = self.rows.thinned(row_labels, cell.y, down);
        let column_labels = self.columns.thinned(column_labels, cell.x, across);
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

    /// The size of a cell, where all have this room. `label`: the height of a row's label. `pixel`: its
    /// size in points.
    fn cell(&self, room: Vec2, label: f32, pixel: f32) -> Vec2 {
        let (n_rows, n_columns) = (self.map.n_rows() as f32, self.map.n_columns() as f32);
        let cell = vec2(room.x / n_columns, room.y / n_rows);
        let cell = if self.map.is_square {
            Vec2::splat(self.square_side(cell))
        } else {
            let width = cell.x.clamp(3.0, WIDEST);
            // However little room there is, rows have room for their labels, and if they are many
            // can be told apart: the pane scrolls.
            let least = (LEAST_HEIGHT / n_rows).clamp(3.0, label).max(LEAST_MAP / n_rows);
            // A few rows are taller, so that the name of what they show has room beside.
            let most = (NAME_HEIGHT / n_rows).max(HIGHEST);
            // In a narrow map a row is not higher than it is wide, unless that is too low to be read.
            let upright = (width * 2.0).min(width.max(UPRIGHT));
            vec2(width, cell.y.min(most).min(upright).max(least))
        };
        // What is whole already may be off by a rounding.
        let whole =
            |size: f32| if size < FINE { size } else { (size / pixel + 0.01).floor() * pixel };
        vec2(whole(cell.x), whole(cell.y))
    }

    /// The side of a square map's cells, of which `fitting` have room. A map of many tokens is drawn
    /// to fit, however many.
    fn square_side(&self, fitting: Vec2) -> f32 {
        let n_rows = self.map.n_rows() as f32;
        // Pictures are told apart before there is room for each label.
        let label = if self.picture.is_none() { 14.0 } else { 1.0 };
        let least = (0.5 * LEAST_HEIGHT / n_rows).clamp(1.0, label).max(LEAST_MAP / n_rows);
        // A few rows of many columns are lower, or the last column would be cut off.
        let least = least.min(fitting.x.max(LEAST_MAP / n_rows));
        fitting.min_elem().clamp(least.min(LARGEST), LARGEST)
    }
}
