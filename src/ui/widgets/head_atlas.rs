//! Every head's attention at once: a heat map of layers and heads whose cells are small patterns.

use std::sync::Arc;

use eframe::egui::{
    Color32, ColorImage, Rect, Sense, Stroke, TextureFilter, TextureId, TextureOptions, Ui, Vec2,
};

use super::heatmap::{Cell, Heatmap};
use super::made_once::{Shared, cached_texture, made_once};
use crate::analysis::attention::Attention;
use crate::figure::words::attention_quantity;
use crate::figure::{Map, Shade, Side, head_picture, head_picture_side};
use crate::ui::theme::{ColorMap, palette};
use crate::ui::view::ViewCtx;

pub struct HeadAtlas<'a> {
    pub attention: &'a Attention,

    /// How many layers the model has; those that were not computed stay empty.
    pub n_layers: usize,

    /// How many neighbouring heads share keys and values; a line parts them from the next.
    pub n_sharing: usize,

    /// The layer and head that are outlined.
    pub selected: (usize, usize),

    /// The room for the atlas with its labels, in points.
    pub max_height: f32,
}

/// The least pixels that a picture has a side, about.
const LEAST_PIXELS: usize = 24;

impl HeadAtlas<'_> {
    /// Returns the layer and head that are picked in this frame, by click or arrow key. `about` says
    /// more of a head.
    pub fn show(
        &self,
        ui: &mut Ui,
        ctx: &ViewCtx<'_>,
        about: impl Fn(usize, usize) -> String,
    ) -> Option<(usize, usize)> {
        let map = self.map(ui);
        let about = |Cell { row: head, column: layer }| about(layer, head);
        let mut heatmap = Heatmap::new(&map, ctx);
        (heatmap.selected_row, heatmap.selected_column) =
            (Some(self.selected.1), Some(self.selected.0));
        heatmap.max_height = self.max_height;
        heatmap.picture = Some((self.texture(ui), &about));
        let shown = heatmap.show(ui, Sense::click());
        self.part_groups(ui, shown.response.rect);
        let picked = shown.picked?;
        Some((picked.column, picked.row))
    }

    /// Draws the lines between heads that read different keys.
    fn part_groups(&self, ui: &Ui, pictures: Rect) {
        if self.n_sharing == 1 {
            return;
        }
        let line = Stroke::new(1.0, palette(ui).text);
        for head in (self.n_sharing..self.attention.n_heads).step_by(self.n_sharing) {
            let y =
                pictures.top() + pictures.height() * head as f32 / self.attention.n_heads as f32;
            let painter = ui.painter();
            painter.hline(pictures.x_range(), painter.round_to_pixel_center(y - 1.0), line);
        }
    }

    /// How large it is when it is drawn in `room`: with its labels, and the pictures alone.
    pub fn sizes(&self, ui: &Ui, ctx: &ViewCtx<'_>, room: Vec2) -> [Vec2; 2] {
        let map = self.map(ui);
        let mut heatmap = Heatmap::new(&map, ctx);
        heatmap.picture = Some((self.texture(ui), &|_| String::new()));
        heatmap.sizes(ui, room)
    }

    /// The sides of the map, whose cells are pictures: their values only say which were computed.
    fn map(&self, ui: &Ui) -> Arc<Map> {
        let (n_heads, n_layers) = (self.attention.n_heads, self.n_layers);
        let (weighting, known) =
            (self.attention.spec.weighting, self.attention.spec.layers.clone());
        let id = ui.make_persistent_id("all heads");
        made_once(ui, id, (n_heads, n_layers, weighting, known.clone()), || {
            let (heads, layers) = (Side::heads(n_heads), Side::layers("Layer", n_layers));
            let value = |layer| if known.contains(&layer) { 0.0 } else { f32::NAN };
            let values = (0..n_heads).flat_map(|_| (0..n_layers).map(value)).collect();
            let quantity = attention_quantity(weighting);
            Map::new("All heads", heads, layers, values, quantity).square()
        })
    }

    /// The cells that a picture has a side, and how many pixels each has.
    fn scale(&self) -> (usize, usize) {
        let side = head_picture_side(self.attention.prompt.n_pos());
        (side, (LEAST_PIXELS / side).max(1))
    }

    /// The texture, which is made once for a result and a theme.
    fn texture(&self, ui: &Ui) -> TextureId {
        let gap = palette(ui).line;
        let weights = Shared(Arc::clone(self.attention.weights()));
        let options =
            TextureOptions { minification: TextureFilter::Linear, ..TextureOptions::NEAREST };
        let id = ui.make_persistent_id("all heads");
        cached_texture(ui, id, (weights, self.n_layers, gap), options, || self.image(gap))
    }

    fn image(&self, gap: Color32) -> ColorImage {
        let (side, scale) = self.scale();
        // From one head to the next: a picture, and a gap of one pixel.
        let tile = side * scale + 1;
        let size = [self.n_layers * tile, self.attention.n_heads * tile];
        let mut image = ColorImage::filled(size, gap);
        let layers = self.attention.spec.layers.clone();
        let ends: Vec<f32> = layers.clone().map(|layer| self.attention.scale(layer)).collect();
        for (layer, head) in self.attention.shown().filter(|(layer, _)| *layer < self.n_layers) {
            let end = ends[layer - layers.start];
            let Some(picture) = head_picture(self.attention, layer, head, end) else { continue };
            for y in 0..tile - 1 {
                let from = (head * tile + y) * size[0] + layer * tile;
                let row = &mut image.pixels[from..from + tile - 1];
                for (x, pixel) in row.iter_mut().enumerate() {
                    *pixel = match picture.shades[y / scale * side + x / scale] {
                        Shade::First(weight) => gray(weight),
                        Shade::Share(share) => ColorMap::Blues.color(share),
                    };
                }
            }
        }
        // Layers that were not computed show what lies below.
        let is_known = |layer: usize| self.attention.spec.layers.contains(&layer);
        for row in image.pixels.chunks_mut(size[0]) {
            for layer in (0..self.n_layers).filter(|layer| !is_known(*layer)) {
                row[layer * tile..(layer + 1) * tile - 1].fill(Color32::TRANSPARENT);
            }
        }
        image
    }
}

/// White for 0, and for 1 a grey beside which blue can still be seen.
fn gray(weight: f32) -> Color32 {
    Color32::from_gray((255.0 - 115.0 * weight.clamp(0.0, 1.0)) as u8)
}
