//! The colour bar beside a map.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use eframe::egui::text::LayoutJob;
use eframe::egui::{
    Align, Align2, ColorImage, Galley, Id, Pos2, Rect, Role, Sense, Stroke, StrokeKind,
    TextureOptions, Ui, WidgetInfo, pos2, vec2,
};

use super::made_once::cached_texture;
use super::number::{Ticks, exact};
use super::range_menu::{ColorRange, NewRange};
use super::text::rotated_text;
use crate::ui::theme::{ColorMap, axis_font, palette};

/// The legend of a colour map: what the colours mean, in numbers with a name.
pub struct ColorBar<'a> {
    /// One strip for each; more than one where maps of different colours share a scale.
    pub color_maps: &'a [ColorMap],
    pub range: ColorRange,

    /// The name of the quantity, with its unit.
    pub quantity: &'a str,
}

const WIDTH: f32 = 12.0;
const TICK: f32 = 4.0;
const GAP: f32 = 6.0;

/// The points from one number to the next at least, so that they do not touch.
const LEAST_PITCH: f32 = 14.0;

/// The points by which a name may be longer than its map is high.
const OVERHANG: f32 = 8.0;

impl ColorBar<'_> {
    /// The width of a bar of `height` with its numbers and its name in `n_lines`.
    pub fn width(&self, ui: &Ui, height: f32, n_lines: usize) -> f32 {
        let ticks = self.ticks(height);
        let widest = ticks
            .values
            .iter()
            .map(|&value| text_width(ui, ticks.label(value)))
            .fold(0.0, f32::max);
        let line = ui.fonts_mut(|fonts| fonts.row_height(&axis_font()));
        WIDTH + TICK + 3.0 + widest + GAP + line * n_lines as f32
    }

    /// How many lines the name has beside a map of `height`, if it may reach `below` that.
    pub fn n_lines(&self, ui: &Ui, height: f32, below: f32) -> usize {
        self.name(ui, height + OVERHANG + below).rows.len()
    }

    /// The name, in two lines where it is longer than its room.
    fn name(&self, ui: &Ui, room: f32) -> Arc<Galley> {
        let name = format!("{}{}", self.quantity, if self.range.is_held { " (held)" } else { "" });
        let ink = palette(ui).text;
        let galley = ui.painter().layout_no_wrap(name.clone(), axis_font(), ink);
        if galley.size().x <= room {
            return galley;
        }
        let mut job = LayoutJob::simple(name, axis_font(), ink, room);
        job.wrap.max_rows = 2;
        job.halign = Align::Center;
        ui.painter().layout_job(job)
    }

    /// Draws the bar with its left edge at `left`, as high as `beside`. `below`: how much farther down its
    /// name may reach, if it is long. A click opens the menu of its ends.
    pub fn show(&self, ui: &Ui, id: Id, left: f32, beside: Rect, below: f32) -> Option<NewRange> {
        let colors = palette(ui);
        let painter = ui.painter();
        let bar = Rect::from_min_size(pos2(left, beside.top()), vec2(WIDTH, beside.height()));

        let mut hasher = DefaultHasher::new();
        self.color_maps.hash(&mut hasher);
        let texture = cached_texture(ui, id, hasher.finish(), TextureOptions::NEAREST, || {
            let shares = (0..256).map(|nth| 1.0 - nth as f32 / 255.0);
            let pixels =
                shares.flat_map(|share| self.color_maps.iter().map(move |it| it.color(share)));
            ColorImage::new([self.color_maps.len(), 256], pixels.collect())
        });
        let uv = Rect::from_min_max(Pos2::ZERO, pos2(1.0, 1.0));
        painter.image(texture, bar, uv, eframe::egui::Color32::WHITE);
        painter.rect_stroke(bar, 0.0, Stroke::new(1.0, colors.line), StrokeKind::Outside);

        let (low, high) = self.range.ends;
        let ticks = self.ticks(bar.height());
        let mut widest = 0.0_f32;
        for &value in &ticks.values {
            let share = if high > low { (value - low) / (high - low) } else { 0.5 };
            let y = painter.round_to_pixel_center(bar.bottom() - share * bar.height());
            painter.hline(
                bar.right() + 1.0..=bar.right() + 1.0 + TICK,
                y,
                Stroke::new(1.0, colors.weak_text),
            );
            let text = painter.text(
                pos2(bar.right() + TICK + 4.0, y),
                Align2::LEFT_CENTER,
                ticks.label(value),
                axis_font(),
                colors.text,
            );
            widest = widest.max(text.width());
        }

        let room = beside.height() + OVERHANG;
        let galley = self.name(ui, room + below);
        let x = bar.right() + TICK + 3.0 + widest + GAP + galley.size().y / 2.0;
        let hangs = (galley.size().x - room).max(0.0);
        let at = pos2(x, beside.center().y + hangs / 2.0);
        let quarter = -std::f32::consts::FRAC_PI_2;
        rotated_text(painter, at, Align2::CENTER_CENTER, quarter, galley, colors.text);
        let response = ui.interact(bar.expand(2.0), id.with("range"), Sense::click());
        if response.has_focus() {
            let stroke = ui.visuals().selection.stroke;
            ui.painter().rect_stroke(bar.expand(2.0), 2.0, stroke, StrokeKind::Outside);
        }
        let spoken = format!("Colour range of {}", self.quantity);
        response.widget_info(|| WidgetInfo::labeled(Role::Button, ui.is_enabled(), &spoken));
        let response = response.on_hover_text(format!(
            "Colours from {} to {}{}. Click to change, or to hold them for all maps alike",
            exact(low),
            exact(high),
            if self.range.is_held { ", held" } else { "" },
        ));
        self.range.menu(&response, self.quantity)
    }

    fn ticks(&self, height: f32) -> Ticks {
        let n = (height / 32.0).clamp(2.0, 6.0) as usize;
        let mut ticks = Ticks::new(self.range.ends.0, self.range.ends.1, n);
        // A range that holds one round number has finer ones, which may be too many for a low bar.
        let n_most = (height / LEAST_PITCH).max(2.0) as usize;
        let stride = ticks.values.len().saturating_sub(1).div_ceil(n_most - 1).max(1);
        ticks.values = ticks.values.into_iter().step_by(stride).collect();
        ticks
    }
}

fn text_width(ui: &Ui, text: String) -> f32 {
    let color = eframe::egui::Color32::PLACEHOLDER;
    ui.painter().layout_no_wrap(text, axis_font(), color).size().x
}
