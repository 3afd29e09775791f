//! Every head's attention at once: a row per layer, a column per head, as one texture.

use std::sync::Arc;

use eframe::egui::cache::FramePublisher;
use eframe::egui::emath::GuiRounding as _;
use eframe::egui::{
    Align2, Color32, ColorImage, FontId, Id, Pos2, Rect, Response, Role, Sense, Stroke, StrokeKind,
    TextureFilter, TextureHandle, TextureId, TextureOptions, Ui, Vec2, WidgetInfo, pos2, vec2,
};

use super::{arrow_steps, moved};
use crate::analysis::attention::Attention;
use crate::ui::theme::{ColorMap, axis_font, palette};

pub struct HeadAtlas<'a> {
    pub attention: &'a Attention,

    /// Of the model; layers that were not computed stay empty.
    pub n_layers: usize,

    /// Layer and head.
    pub selected: (usize, usize),

    /// From one head to the next, in points.
    pub pitch: f32,
}

/// Room for the names of layers and heads.
const LEFT: f32 = 28.0;
const TOP: f32 = 15.0;

/// A head's map has at most this many pixels a side; longer prompts are drawn by their largest
/// weights.
const MAX_SIDE: usize = 24;

impl HeadAtlas<'_> {
    /// How large it is drawn.
    pub fn size(n_layers: usize, n_heads: usize, pitch: f32) -> Vec2 {
        vec2(LEFT + n_heads as f32 * pitch, TOP + n_layers as f32 * pitch)
    }

    /// The widest that `room` has for it, between `least` and `most`.
    pub fn fitting(n_layers: usize, n_heads: usize, room: Vec2, least: f32, most: f32) -> f32 {
        let across = (room.x - LEFT) / n_heads as f32;
        let down = (room.y - TOP) / n_layers as f32;
        // To the side it cannot be scrolled.
        across.min(down).max(least).min(across).min(most).max(4.0)
    }

    /// Returns the layer and head that are picked in this frame, by click or arrow key. `details`
    /// says more of the head below the pointer.
    pub fn show(
        &self,
        ui: &mut Ui,
        details: impl FnOnce(usize, usize) -> String,
    ) -> Option<(usize, usize)> {
        let (n_layers, n_heads) = (self.n_layers, self.attention.n_heads);
        let pixel = 1.0 / ui.pixels_per_point();
        let pitch = (self.pitch / pixel).floor() * pixel;
        let (outer, _) =
            ui.allocate_exact_size(Self::size(n_layers, n_heads, pitch), Sense::hover());
        let corner = (outer.min + vec2(LEFT, TOP)).round_to_pixels(ui.pixels_per_point());
        let map = Rect::from_min_size(corner, vec2(n_heads as f32, n_layers as f32) * pitch);
        let id = ui.make_persistent_id("all heads");
        let mut response = ui.interact(map, id, Sense::click());

        let at = |pos: Pos2| {
            let at = (pos - map.min) / pitch;
            ((at.y.max(0.0) as usize).min(n_layers - 1), (at.x.max(0.0) as usize).min(n_heads - 1))
        };
        let hovered = response.hover_pos().map(at);
        let mut picked = None;
        if response.clicked() {
            response.request_focus();
            picked = response.interact_pointer_pos().map(at);
        }
        let of = |(layer, head): (usize, usize)| {
            let min = map.min + vec2(head as f32, layer as f32) * pitch;
            // Without the gap.
            Rect::from_min_size(min, Vec2::splat(pitch * (1.0 - 1.0 / self.tile() as f32)))
        };
        if response.has_focus() {
            let (down, right) = arrow_steps(ui, id);
            if (down, right) != (0, 0) {
                let (layer, head) = self.selected;
                let to = (moved(Some(layer), down, n_layers), moved(Some(head), right, n_heads));
                ui.scroll_to_rect(of(to).expand(pitch), None);
                picked = Some(to);
            }
        }
        if picked.is_some() {
            response.mark_changed();
        }
        if ui.is_rect_visible(outer) {
            self.paint(ui, id, map, pitch);
            self.paint_outlines(ui, &response, map, of(self.selected), hovered.map(of));
        }
        let (layer, head) = picked.unwrap_or(self.selected);
        response.widget_info(|| {
            let text = format!("All heads: layer {layer}, head {head}");
            WidgetInfo::labeled(Role::Canvas, ui.is_enabled(), text)
        });
        if let Some((layer, head)) = hovered {
            let text = format!("Layer {layer}, head {head}\n{}", details(layer, head));
            response.on_hover_text_at_pointer(text.trim_end());
        }
        picked
    }

    fn paint_outlines(
        &self,
        ui: &Ui,
        response: &Response,
        map: Rect,
        selected: Rect,
        hovered: Option<Rect>,
    ) {
        let (colors, painter) = (palette(ui), ui.painter());
        if response.has_focus() {
            let around = map.expand(3.0);
            painter.rect_stroke(around, 2.0, Stroke::new(1.0, colors.accent), StrokeKind::Middle);
        }
        if let Some(rect) = hovered {
            let line = Stroke::new(1.0, colors.strong_text);
            painter.rect_stroke(rect, 0.0, line, StrokeKind::Outside);
        }
        if self.selected.0 < self.n_layers {
            let line = Stroke::new(2.0, colors.accent);
            painter.rect_stroke(selected, 0.0, line, StrokeKind::Outside);
        }
    }

    fn paint(&self, ui: &Ui, id: Id, map: Rect, pitch: f32) {
        let colors = palette(ui);
        let painter = ui.painter();
        painter.rect_filled(map, 0.0, colors.not_computed);
        let uv = Rect::from_min_max(Pos2::ZERO, pos2(1.0, 1.0));
        painter.image(self.texture(ui, id, colors.line), map, uv, Color32::WHITE);
        painter.rect_stroke(map, 0.0, Stroke::new(1.0, colors.line), StrokeKind::Outside);

        let font = FontId { size: 10.0, ..axis_font() };
        let write = |at: Pos2, anchor: Align2, text: String, is_selected: bool| {
            let color = if is_selected { colors.accent } else { colors.weak_text };
            painter.text(at, anchor, text, font.clone(), color);
        };
        for layer in named(self.n_layers, self.selected.0, pitch, 12.0) {
            let at = pos2(map.left() - 4.0, map.top() + (layer as f32 + 0.5) * pitch);
            write(at, Align2::RIGHT_CENTER, format!("L{layer}"), layer == self.selected.0);
        }
        for head in named(self.attention.n_heads, self.selected.1, pitch, 23.0) {
            let at = pos2(map.left() + (head as f32 + 0.5) * pitch, map.top() - 2.0);
            write(at, Align2::CENTER_BOTTOM, format!("H{head}"), head == self.selected.1);
        }
    }

    /// Pixels of the texture from one head to the next: a map, and a gap of one.
    fn tile(&self) -> usize {
        let (n_groups, scale) = self.scale();
        n_groups * scale + 1
    }

    /// How many pixels a map has a side, and how many times each is repeated.
    fn scale(&self) -> (usize, usize) {
        let n_pos = self.attention.prompt.n_pos();
        let n_groups = n_pos.div_ceil(n_pos.div_ceil(MAX_SIDE));
        (n_groups, (MAX_SIDE / n_groups).max(1))
    }

    /// Made once for a result and a theme.
    fn texture(&self, ui: &Ui, id: Id, gap: Color32) -> TextureId {
        type Made = (Arc<[f32]>, Color32, usize, TextureHandle);
        type Textures = FramePublisher<Id, Made>;
        let weights = self.attention.weights();
        let cached = ui.memory_mut(|memory| memory.caches.cache::<Textures>().get(&id).cloned());
        let is_it = |(of, on, n_layers, _): &Made| {
            Arc::ptr_eq(of, weights) && *on == gap && *n_layers == self.n_layers
        };
        let (_, _, _, handle) = cached.filter(is_it).unwrap_or_else(|| {
            let options =
                TextureOptions { minification: TextureFilter::Linear, ..TextureOptions::NEAREST };
            let handle = ui.ctx().load_texture("all heads", self.image(gap), options);
            (Arc::clone(weights), gap, self.n_layers, handle)
        });
        let texture = handle.id();
        let made = (Arc::clone(weights), gap, self.n_layers, handle);
        ui.memory_mut(|memory| memory.caches.cache::<Textures>().set(id, made));
        texture
    }

    fn image(&self, gap: Color32) -> ColorImage {
        let (n_pos, tile, (n_groups, scale)) =
            (self.attention.prompt.n_pos(), self.tile(), self.scale());
        let group = n_pos.div_ceil(n_groups);
        let size = [self.attention.n_heads * tile, self.n_layers * tile];
        let mut image = ColorImage::filled(size, gap);
        let layers = self.attention.spec.layers.clone();
        let scales: Vec<f32> = layers.map(|layer| self.attention.scale(layer)).collect();
        for (layer, head) in self.attention.shown().filter(|(layer, _)| *layer < self.n_layers) {
            let Some(pattern) = self.attention.pattern(layer, head) else { continue };
            let end = scales[layer - self.attention.spec.layers.start];
            let mut largest = vec![0.0_f32; n_groups * n_groups];
            for (query, row) in pattern.chunks(n_pos).enumerate() {
                for (key, &weight) in row.iter().enumerate() {
                    let to = &mut largest[query / group * n_groups + key / group];
                    *to = to.max(weight);
                }
            }
            for y in 0..tile - 1 {
                let from = (layer * tile + y) * size[0] + head * tile;
                let row = &mut image.pixels[from..from + tile - 1];
                for (x, pixel) in row.iter_mut().enumerate() {
                    *pixel = ColorMap::Blues.color(largest[y / scale * n_groups + x / scale] / end);
                }
            }
        }
        // What was not computed shows what lies below.
        let is_known = |layer: usize| self.attention.spec.layers.contains(&layer);
        for layer in (0..self.n_layers).filter(|layer| !is_known(*layer)) {
            let rows = layer * tile * size[0]..((layer + 1) * tile - 1) * size[0];
            image.pixels[rows].fill(Color32::TRANSPARENT);
        }
        image
    }
}

/// Those that have room for their names, and the selected one, whose neighbours make way.
fn named(n: usize, selected: usize, pitch: f32, room: f32) -> impl Iterator<Item = usize> {
    let step = (room / pitch).ceil().max(1.0) as usize;
    (0..n).filter(move |nth| {
        *nth == selected || nth.is_multiple_of(step) && nth.abs_diff(selected) >= step
    })
}
