//! Bars over depth: what embeddings and layers add, from zero or from where the one before ended.

use std::ops::Range;

use eframe::egui::{
    Align2, Color32, CornerRadius, EventFilter, Key, PopupAnchor, Pos2, Rect, Response, RichText,
    Sense, Stroke, StrokeKind, Tooltip, Ui, pos2, vec2,
};

use crate::ui::theme::{Palette, axis_font, palette};
use crate::ui::widgets::number::{Ticks, exact};
use crate::ui::widgets::rotated_text;

/// Bars of what belongs together: a layer, or an embedding.
pub(super) struct Group {
    pub label: String,
    pub layer: Option<usize>,
    pub bars: Vec<Bar>,
}

pub(super) struct Bar {
    pub name: &'static str,
    pub kind: Kind,

    /// In logits.
    pub value: f32,

    /// The sum of all bars before it; nothing where bars start at zero.
    pub start: Option<f32>,
}

impl Bar {
    fn ends(&self) -> (f32, f32) {
        let start = self.start.unwrap_or(0.0);
        (start, start + self.value)
    }

    /// Drawn hollow: bars that do not stand on zero go both ways.
    fn takes_away(&self) -> bool {
        self.start.is_some() && self.kind != Kind::Sum && self.value < 0.0
    }

    fn spoken(&self) -> String {
        let sum = match self.start {
            Some(_) if self.kind != Kind::Sum => {
                format!(", sum so far {}", exact(self.ends().1))
            }
            _ => String::new(),
        };
        format!("{} {}{sum}", self.name, exact(self.value))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Attn,
    Mlp,
    Embed,

    /// Of everything.
    Sum,
}

impl Kind {
    fn color(self, colors: &Palette) -> Color32 {
        match self {
            Self::Attn => colors.attn,
            Self::Mlp => colors.mlp,
            Self::Embed => colors.embed,
            Self::Sum => colors.weak_text,
        }
    }
}

/// Bars over depth, up for what speaks for the answer.
pub(super) struct DepthBars<'a> {
    groups: &'a [Group],
    area: Rect,
    corner: Pos2,
    pub response: Response,
    ticks: Ticks,

    /// Logits at the lower and the upper edge.
    range: (f32, f32),
    group_width: f32,

    /// Where each group stands; what is of no layer stands apart.
    places: Vec<usize>,
}

impl<'a> DepthBars<'a> {
    pub fn new(ui: &mut Ui, groups: &'a [Group], max_height: f32) -> Self {
        let values = groups.iter().flat_map(|group| group.bars.iter().map(|bar| bar.ends().1));
        let low = values.clone().fold(0.0, f32::min);
        let high = values.fold(0.0, f32::max);
        let margin = ((high - low) * 0.06).max(1e-6);
        let range = (low - margin, high + margin);

        let line = ui.fonts_mut(|fonts| fonts.row_height(&axis_font()));
        let width = ui.available_width();
        let height = max_height.clamp(140.0, 420.0);
        let ticks = Ticks::new(range.0, range.1, (height / 40.0).clamp(3.0, 8.0) as usize);
        let color = Color32::PLACEHOLDER;
        let number_width =
            |text: String| ui.painter().layout_no_wrap(text, axis_font(), color).size().x;
        let widest =
            ticks.values.iter().map(|&it| number_width(ticks.label(it))).fold(0.0, f32::max);
        let left = line + 4.0 + widest + 8.0;
        let (above, below) = (line + 10.0, line * 2.0 + 12.0);

        let mut places = Vec::with_capacity(groups.len());
        let mut n_places = 0;
        for (nth, group) in groups.iter().enumerate() {
            let is_apart = |it: &Group| it.layer.is_none();
            let has_gap = nth > 0 && (is_apart(group) || is_apart(&groups[nth - 1]));
            places.push(n_places + usize::from(has_gap));
            n_places = places[nth] + 1;
        }
        let n_places = n_places as f32;
        let group_width = ((width - left - 4.0) / n_places).clamp(4.0, 48.0);
        let area_size = vec2(group_width * n_places, height - above - below);
        let size = vec2(left + area_size.x + 4.0, height);
        let (outer, _) = ui.allocate_exact_size(size, Sense::hover());
        let area = Rect::from_min_size(outer.min + vec2(left, above), area_size);
        let id = ui.make_persistent_id("bars");
        let response = ui.interact(area, id, Sense::click());
        Self { groups, area, corner: outer.min, response, ticks, range, group_width, places }
    }

    fn y(&self, value: f32) -> f32 {
        let (low, high) = self.range;
        self.area.bottom() - (value - low) / (high - low) * self.area.height()
    }

    fn x(&self, nth: usize) -> Range<f32> {
        let left = self.area.left() + self.places[nth] as f32 * self.group_width;
        left..left + self.group_width
    }

    pub fn group_at(&self, pos: Pos2) -> usize {
        let place = ((pos.x - self.area.left()) / self.group_width).max(0.0) as usize;
        self.places.partition_point(|it| *it <= place).saturating_sub(1)
    }

    /// The layer of a planted fact is set apart as on a map.
    pub fn paint_axes(&self, ui: &Ui, planted: Option<usize>) {
        let colors = palette(ui);
        let painter = ui.painter();
        for &value in &self.ticks.values {
            let y = painter.round_to_pixel_center(self.y(value));
            if value != 0.0 {
                painter.hline(self.area.x_range(), y, Stroke::new(1.0, colors.faint_line));
            }
            let at = pos2(self.area.left() - 6.0, y);
            let text = self.ticks.label(value);
            painter.text(at, Align2::RIGHT_CENTER, text, axis_font(), colors.text);
        }
        let title =
            |text: &str| painter.layout_no_wrap(text.to_owned(), axis_font(), colors.weak_text);
        let galley = title("Contribution (logits)");
        let at = pos2(self.corner.x + galley.size().y / 2.0, self.area.center().y);
        let quarter = -std::f32::consts::FRAC_PI_2;
        rotated_text(painter, at, Align2::CENTER_CENTER, quarter, galley, colors.weak_text);

        let mut free_from = f32::NEG_INFINITY;
        for (nth, group) in self.groups.iter().enumerate() {
            let x = self.x(nth).start + self.group_width / 2.0;
            let is_marked = group.layer.is_some() && group.layer == planted;
            let color = if is_marked { colors.subject } else { colors.text };
            let label = if is_marked { format!("{}*", group.label) } else { group.label.clone() };
            let galley = painter.layout_no_wrap(label, axis_font(), color);
            let left = x - galley.size().x / 2.0;
            // Round layers only, where not all have room.
            let step = if self.group_width < 20.0 { 5 } else { 1 };
            let is_between = group.layer.is_some_and(|layer| layer % step != 0) && !is_marked;
            if left < free_from || is_between {
                continue;
            }
            free_from = left + galley.size().x + 5.0;
            painter.galley(pos2(left, self.area.bottom() + 5.0), galley, color);
        }
        let galley = title("Layer");
        let at = pos2(self.area.center().x, self.area.bottom() + 8.0 + galley.size().y);
        rotated_text(painter, at, Align2::CENTER_TOP, 0.0, galley, colors.weak_text);
    }

    pub fn paint_bars(&self, ui: &Ui, selected: Option<usize>) {
        let colors = palette(ui);
        let painter = ui.painter();
        let pixels = |x: f32| painter.round_to_pixel_center(x) - 0.5 / ui.pixels_per_point();
        let hovered = self.response.hover_pos().map(|pos| self.group_at(pos));
        // Where the bar before ended, and where it began to be drawn.
        let mut before: Option<(f32, f32)> = None;
        for (nth, group) in self.groups.iter().enumerate() {
            let x = self.x(nth);
            let column = Rect::from_x_y_ranges(x.start..=x.end, self.area.y_range());
            if hovered == Some(nth) {
                painter.rect_filled(column, 0.0, colors.faint_line);
            }
            if selected == Some(nth) {
                painter.rect_filled(column, 0.0, colors.accent_fill.gamma_multiply(0.6));
            }
            let gap = (self.group_width * 0.14).min(4.0);
            let width = (self.group_width - 2.0 * gap) / group.bars.len() as f32;
            for (at, bar) in group.bars.iter().enumerate() {
                let left = pixels(x.start + gap + at as f32 * width);
                let right = pixels(x.start + gap + (at + 1) as f32 * width).max(left + 1.0);
                let (start, end) = bar.ends();
                let (top, bottom) = (self.y(start.max(end)), self.y(start.min(end)));
                let place = Rect::from_x_y_ranges(left..=right, top..=bottom);
                let color = bar.kind.color(colors);
                if bar.takes_away() {
                    painter.rect_filled(place, CornerRadius::ZERO, color.gamma_multiply(0.25));
                    let line = Stroke::new(1.0, color);
                    painter.rect_stroke(place, CornerRadius::ZERO, line, StrokeKind::Inside);
                } else {
                    painter.rect_filled(place, CornerRadius::ZERO, color);
                }
                if let Some((y, from)) = before.filter(|_| bar.start.is_some()) {
                    let line = Stroke::new(1.0, colors.weak_text);
                    painter.hline(from..=right, painter.round_to_pixel_center(y), line);
                }
                before = Some((self.y(end), left));
            }
        }
        let zero = painter.round_to_pixel_center(self.y(0.0));
        painter.hline(self.area.x_range(), zero, Stroke::new(1.0, colors.weak_text));
        if self.response.has_focus() {
            let stroke = Stroke::new(1.0, colors.accent);
            painter.rect_stroke(self.area, 2.0, stroke, StrokeKind::Outside);
        }
    }

    pub fn paint_legend(&self, ui: &Ui) {
        let colors = palette(ui);
        let painter = ui.painter();
        let mut left = self.area.left();
        let middle = self.corner.y + 7.0;
        let bars = || self.groups.iter().flat_map(|group| &group.bars);
        let mut entry = |name: &str, color: Color32, is_hollow: bool| {
            let swatch = Rect::from_center_size(pos2(left + 5.0, middle), vec2(10.0, 10.0));
            if is_hollow {
                painter.rect_stroke(swatch, 1.0, Stroke::new(1.0, color), StrokeKind::Inside);
            } else {
                painter.rect_filled(swatch, 1.0, color);
            }
            let at = pos2(swatch.right() + 5.0, middle);
            let text = painter.text(at, Align2::LEFT_CENTER, name, axis_font(), colors.text);
            left = text.right() + 16.0;
        };
        let entries = [
            ("Attention", Kind::Attn),
            ("MLP", Kind::Mlp),
            ("Embeddings (emb)", Kind::Embed),
            ("Sum", Kind::Sum),
        ];
        for (name, kind) in entries {
            if bars().any(|bar| bar.kind == kind) {
                entry(name, kind.color(colors), false);
            }
        }
        if bars().any(Bar::takes_away) {
            entry("takes away", colors.text, true);
        }
    }

    pub fn spoken(&self, nth: usize) -> String {
        let group = &self.groups[nth];
        let place = group.layer.map_or_else(String::new, |layer| format!("layer {layer}, "));
        let bars = group.bars.iter().map(Bar::spoken);
        place + &bars.collect::<Vec<_>>().join(", ")
    }

    pub fn tooltip(&self, nth: usize) {
        let group = &self.groups[nth];
        let response = &self.response;
        let ctx = response.ctx.clone();
        let tooltip =
            Tooltip::always_open(ctx, response.layer_id, response.id, PopupAnchor::Pointer);
        tooltip.gap(14.0).show(|ui| {
            if let Some(layer) = group.layer {
                ui.label(RichText::new(format!("Layer {layer}")).weak());
            }
            for bar in &group.bars {
                let value = exact(bar.value);
                ui.label(RichText::new(format!("{}  {value} logits", bar.name)).strong());
                if bar.start.is_some() && bar.kind != Kind::Sum {
                    ui.label(format!("Sum so far  {}", exact(bar.ends().1)));
                }
            }
        });
    }

    pub fn moved_by_keys(&self, ui: &Ui, selected: Option<usize>) -> Option<usize> {
        let arrows = EventFilter { horizontal_arrows: true, ..Default::default() };
        ui.memory_mut(|memory| memory.set_focus_lock_filter(self.response.id, arrows));
        let pressed = |key: Key| ui.input(|input| input.key_pressed(key));
        let by = isize::from(pressed(Key::ArrowRight)) - isize::from(pressed(Key::ArrowLeft));
        if by == 0 {
            return None;
        }
        let to = selected.map_or(0, |nth| nth.saturating_add_signed(by));
        Some(to.min(self.groups.len() - 1))
    }
}
