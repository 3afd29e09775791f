//! Where the heads of one layer look: one pattern large, all of them small.

use std::hash::{Hash as _, Hasher as _};

use eframe::egui::{
    Align, Align2, Color32, ColorImage, DragValue, FontFamily, FontId, Layout, Pos2, Rect,
    Response, Role, Sense, Stroke, StrokeKind, TextureOptions, Ui, UiBuilder, WidgetInfo, pos2,
    vec2,
};

use super::{header_ui, token_labels};
use crate::analysis::attention::Attention;
use crate::tokens::{Bos, visible};
use crate::ui::theme::{ColorMap, palette};
use crate::ui::view::{Selection, ViewAction, ViewCtx};
use crate::ui::widgets::number::significant;
use crate::ui::widgets::{Axis, Caption, Cell, CellShape, Heatmap, Labels, Tone, cached_texture};

const THUMBNAIL: f32 = 52.0;
const THUMBNAIL_LABEL: f32 = 15.0;
const THUMBNAIL_GAP: f32 = 6.0;

/// The head that is shown is the selected one, or the first there is.
pub fn attention_ui(ui: &mut Ui, attention: &Attention, ctx: &ViewCtx<'_>) -> Option<ViewAction> {
    let layers = attention.spec.layers.clone();
    if layers.is_empty() {
        ui.weak("No layer of this prompt's attention was computed");
        return None;
    }
    let layer = ctx.selection.layer.unwrap_or(layers.start);
    let head = ctx.selection.head.unwrap_or(0).min(attention.n_heads - 1);
    let mut action = None;
    let mut select = |selection: Selection| action = Some(ViewAction::Select(selection));

    header_ui(ui, &format!("Attention pattern — L{layer} H{head}"), 280.0, |ui| {
        let (first, last) = (layers.start, layers.end - 1);
        if let Some(layer) = index_ui(ui, "Layer", layer, first, last) {
            select(Selection { layer: Some(layer), ..ctx.selection });
        }
        if let Some(head) = index_ui(ui, "Head", head, 0, attention.n_heads - 1) {
            select(Selection { layer: Some(layer), head: Some(head), ..ctx.selection });
        }
    });
    let Some(pattern) = attention.pattern(layer, head) else {
        let (first, last) = (layers.start, layers.end - 1);
        let note = format!("Not computed for layer {layer}. Computed are layers {first} to {last}");
        ui.weak(note);
        return action;
    };

    let caption = caption(attention, pattern, ctx);
    let room = vec2(ui.available_width(), ui.available_height() - caption.height(ui));
    let is_wide = room.x > room.y * 1.35;
    let columns = (room.x / (THUMBNAIL + THUMBNAIL_GAP)).floor().max(1.0);
    let n_rows = (attention.n_heads as f32 / columns).ceil();
    let below = n_rows * (THUMBNAIL + THUMBNAIL_LABEL + THUMBNAIL_GAP);

    let map = Heatmap {
        name: "Attention pattern",
        values: pattern,
        rows: Axis {
            title: "From (query)",
            noun: "from token",
            labels: &token_labels(&attention.prompt),
            marked: attention.prompt.subject.clone().unwrap_or(0..0),
            kind: Labels::Tokens,
        },
        columns: Axis {
            title: "To (key)",
            noun: "to token",
            labels: &token_labels(&attention.prompt),
            marked: attention.prompt.subject.clone().unwrap_or(0..0),
            kind: Labels::Tokens,
        },
        range: (0.0, 1.0),
        color_map: ColorMap::Blues,
        quantity: "Attention weight",
        selected_row: ctx.selection.position,
        selected_column: None,
        cell_shape: CellShape::Square,
        provisional: None,
        cell_text: None,
        max_height: if is_wide { room.y } else { (room.y - below - 8.0).max(160.0) },
    };
    let mut body = |ui: &mut Ui| {
        let shown = map.show(ui, |_| String::new());
        if let Some(Cell { row, .. }) = shown.picked {
            let position = Some(row);
            let layer = Some(layer);
            select(Selection { layer, head: Some(head), position });
        }
        if is_wide {
            ui.add_space(8.0);
        }
        let thumbnails = Layout::left_to_right(Align::Min).with_main_wrap(true);
        let mut room = ui.available_rect_before_wrap();
        if is_wide {
            // In line with the large one.
            room.min.y = shown.response.rect.top();
        }
        let picked = ui.scope_builder(UiBuilder::new().max_rect(room).layout(thumbnails), |ui| {
            ui.spacing_mut().item_spacing = vec2(THUMBNAIL_GAP, THUMBNAIL_GAP);
            let mut picked = None;
            for nth in 0..attention.n_heads {
                if thumbnail_ui(ui, attention, layer, nth, nth == head).clicked() {
                    picked = Some(nth);
                }
            }
            picked
        });
        if let Some(head) = picked.inner {
            select(Selection { layer: Some(layer), head: Some(head), ..ctx.selection });
        }
    };
    if is_wide {
        ui.horizontal_top(body);
    } else {
        body(ui);
    }
    caption.show(ui);
    action
}

/// An index with arrows beside it. Returns the new one.
fn index_ui(ui: &mut Ui, name: &str, index: usize, first: usize, last: usize) -> Option<usize> {
    let mut new = index;
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 3.0;
        ui.weak(name);
        let back = ui.add_enabled(index > first, eframe::egui::Button::new("‹"));
        if back.accessible_name(format!("Previous {}", name.to_lowercase())).clicked() {
            new = (index - 1).min(last);
        }
        let value = DragValue::new(&mut new).range(first..=last).clamp_existing_to_range(false);
        ui.add(value).accessible_name(name);
        let forward = ui.add_enabled(index < last, eframe::egui::Button::new("›"));
        if forward.accessible_name(format!("Next {}", name.to_lowercase())).clicked() {
            new = (index + 1).max(first);
        }
    });
    (new != index).then_some(new)
}

fn thumbnail_ui(
    ui: &mut Ui,
    attention: &Attention,
    layer: usize,
    head: usize,
    is_selected: bool,
) -> Response {
    let colors = palette(ui);
    let size = vec2(THUMBNAIL, THUMBNAIL + THUMBNAIL_LABEL);
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    let map = Rect::from_min_size(rect.min, vec2(THUMBNAIL, THUMBNAIL));
    if ui.is_rect_visible(rect)
        && let Some(pattern) = attention.pattern(layer, head)
    {
        let n_pos = attention.prompt.n_pos();
        let mut hasher = std::hash::DefaultHasher::new();
        for weight in pattern {
            weight.to_bits().hash(&mut hasher);
        }
        let id = ui.scope_id().with(("thumbnail", head));
        let texture = cached_texture(ui, id, hasher.finish(), TextureOptions::NEAREST, || {
            let pixels = pattern.iter().map(|&weight| ColorMap::Blues.color(weight)).collect();
            ColorImage::new([n_pos, n_pos], pixels)
        });
        let uv = Rect::from_min_max(Pos2::ZERO, pos2(1.0, 1.0));
        ui.painter().image(texture, map, uv, Color32::WHITE);
    }
    let outline = if is_selected || response.has_focus() {
        Stroke::new(2.0, colors.accent)
    } else if response.hovered() {
        Stroke::new(1.0, colors.strong_text)
    } else {
        Stroke::new(1.0, colors.line)
    };
    ui.painter().rect_stroke(map, 0.0, outline, StrokeKind::Outside);
    let name = format!("L{layer} H{head}");
    ui.painter().text(
        pos2(map.center().x, map.bottom() + 3.0),
        Align2::CENTER_TOP,
        &name,
        FontId::new(10.5, FontFamily::Proportional),
        if is_selected { colors.accent } else { colors.weak_text },
    );
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, is_selected, &name));
    response
}

/// How one query's weight is spread.
fn caption(attention: &Attention, pattern: &[f32], ctx: &ViewCtx<'_>) -> Caption {
    let prompt = &attention.prompt;
    let n_pos = prompt.n_pos();
    let query = ctx.selection.position.filter(|&pos| pos < n_pos).unwrap_or_else(|| prompt.last());
    let weights = &pattern[query * n_pos..(query + 1) * n_pos];
    let mut parts = Vec::new();
    if let Some(subject) = &prompt.subject
        && let Some(of_subject) = weights.get(subject.clone())
    {
        let sum: f32 = of_subject.iter().sum();
        let mean = sum / of_subject.len() as f32;
        let (sum, mean) = (significant(sum, 3), significant(mean, 3));
        parts.push(format!("subject {sum} (mean {mean} a token)"));
    }
    let first = match prompt.bos {
        Bos::On => "BOS",
        Bos::Off => "first token",
    };
    parts.push(format!("{first} {}", significant(weights[0], 3)));
    parts.push(format!("itself {}", significant(weights[query], 3)));
    let mut caption = Caption::default();
    let from = visible(&prompt.pieces[query]);
    let which = if query == prompt.last() { "the last token" } else { "token" };
    let parts = parts.join("  ·  ");
    caption.add(Tone::Plain, format!("From {which} {query} {from} to  {parts}"));
    caption.add(
        Tone::Note,
        "* subject. Each row sums to 1; a token attends to itself and to those before it",
    );
    caption
}
