//! Where heads look: one large, as a map or as lines, and all heads of all layers small.

use std::fmt::Write as _;

use eframe::egui::{Button, DragValue, Sense, Slider, Ui, vec2};

use super::attention_lines::{Weights, attention_lines_ui};
use super::cut_view::{CutView, cut_ui, paint_ui};
use super::header_ui;
use crate::analysis::attention::{Attention, Weighting};
use crate::figure::attention_map;
use crate::figure::words::{about_attention, attention_spread, attention_title};
use crate::tokens::visible;
use crate::ui::command::Command;
use crate::ui::state::{AttentionSettings, Drawing};
use crate::ui::view::{Selection, ViewAction, ViewCtx};
use crate::ui::widgets::number::significant;
use crate::ui::widgets::{Caption, Cell, ColorRange, HeadAtlas, Heatmap, Tone};

pub struct AttentionView<'a> {
    pub attention: &'a Attention,

    /// Of the model.
    pub n_layers: usize,
    pub settings: &'a mut AttentionSettings,
    pub cut: CutView<'a>,
}

/// About as high as what is said of painted edges, in points.
const CUT_HEIGHT: f32 = 190.0;

/// Of what is above it.
const LEAST_HEIGHT: f32 = 220.0;

/// The head that is shown is the selected one, or the first there is.
pub fn attention_ui(
    ui: &mut Ui,
    view: &mut AttentionView<'_>,
    ctx: &ViewCtx<'_>,
    commands: &mut Vec<Command>,
) -> Option<ViewAction> {
    let (attention, n_layers) = (view.attention, view.n_layers);
    let layers = attention.spec.layers.clone();
    if layers.is_empty() {
        ui.weak("No layer of this prompt's attention was computed");
        return None;
    }
    let layer = ctx.selection.layer.unwrap_or(layers.start);
    let head = ctx.selection.head.unwrap_or(0).min(attention.n_heads - 1);
    let mut selection = Selection { layer: Some(layer), head: Some(head), ..ctx.selection };
    let before = selection;

    let title = attention_title(attention.spec.weighting);
    header_ui(ui, &format!("{title} — L{layer} H{head}"), 380.0, |ui| {
        selection.layer = Some(index_ui(ui, "Layer", layer, n_layers - 1));
        selection.head = Some(index_ui(ui, "Head", head, attention.n_heads - 1));
        ui.add_space(4.0);
        let choices = [
            (Drawing::Map, "Map", "Queries down, keys across"),
            (Drawing::Lines, "Lines", "From token to token, as BertViz draws it"),
        ];
        for (drawing, text, tooltip) in choices {
            ui.selectable_value(&mut view.settings.drawing, drawing, text).on_hover_text(tooltip);
        }
    });
    ui.horizontal_wrapped(|ui| {
        ui.label("Show");
        for weighting in Weighting::OF_HEADS {
            let command = Command::WeighAttention(weighting);
            let is_chosen = view.settings.weighting == weighting;
            let choice = ui.selectable_label(is_chosen, command.text());
            if choice.on_hover_text(command.tooltip()).clicked() {
                commands.push(command);
            }
        }
    });

    let mut caption = caption(attention, layer, head, n_layers, ctx);
    caption.add(Tone::Note, about_cuts(view.settings.drawing, view.cut.painted.len()));
    let mut room = vec2(ui.available_width(), ui.available_height() - caption.height(ui));
    let is_wide = room.x > room.y * 1.35;
    if makes_room_for_cuts(ui, !view.cut.painted.is_empty()) {
        // What is above should not jump far when the first edge is painted.
        room.y = (room.y - CUT_HEIGHT).max(LEAST_HEIGHT.min(room.y));
    }
    let n_heads = attention.n_heads;
    let pitch = if is_wide {
        HeadAtlas::fitting(n_layers, n_heads, vec2(0.48 * room.x, room.y), 16.0, 60.0)
    } else {
        HeadAtlas::fitting(n_layers, n_heads, vec2(room.x, 0.42 * room.y), 20.0, 44.0)
    };
    let atlas = HeadAtlas { attention, n_layers, selected: (layer, head), pitch };
    let atlas_size = HeadAtlas::size(n_layers, n_heads, pitch);
    let max_height = if is_wide { room.y } else { (room.y - atlas_size.y - 8.0).max(LEAST_HEIGHT) };

    let about = |layer, head| about_head(attention, layer, head);
    let (position, picked);
    if is_wide {
        (position, picked) = ui
            .horizontal_top(|ui| {
                let large = ui.vertical(|ui| {
                    ui.set_max_width(room.x - atlas_size.x - 12.0);
                    large_ui(ui, view, max_height, before, ctx, commands)
                });
                ui.add_space(4.0);
                (large.inner, atlas.show(ui, about))
            })
            .inner;
        cut_ui(ui, &mut view.cut, &attention.prompt, n_layers, ctx, commands);
    } else {
        position = large_ui(ui, view, max_height, before, ctx, commands);
        cut_ui(ui, &mut view.cut, &attention.prompt, n_layers, ctx, commands);
        picked = atlas.show(ui, about);
    }
    let hovered = match position {
        Some(ViewAction::Select(it)) => {
            selection.position = it.position;
            None
        }
        other => other,
    };
    if let Some((layer, head)) = picked {
        (selection.layer, selection.head) = (Some(layer), Some(head));
    }
    caption.show(ui);
    // The head that is shown unasked is not picked by looking at it.
    (selection != before).then_some(ViewAction::Select(selection)).or(hovered)
}

/// Not before the stroke ends: below a moving brush the map must stay where it is.
fn makes_room_for_cuts(ui: &Ui, has_cuts: bool) -> bool {
    let id = ui.scope_id().with("room for cuts");
    let is_brushing = ui.input(|input| input.pointer.any_down());
    let before = ui.data(|data| data.get_temp::<bool>(id));
    let makes_room = before.filter(|_| is_brushing).unwrap_or(has_cuts);
    ui.data_mut(|data| data.insert_temp(id, makes_room));
    makes_room
}

/// The shown head. Selects a query, or says which one the pointer is on.
fn large_ui(
    ui: &mut Ui,
    view: &mut AttentionView<'_>,
    max_height: f32,
    shown: Selection,
    ctx: &ViewCtx<'_>,
    commands: &mut Vec<Command>,
) -> Option<ViewAction> {
    let (attention, settings) = (view.attention, &mut *view.settings);
    let (layer, head) = (shown.layer?, shown.head?);
    let at = |query: usize| Selection { position: Some(query), ..Selection::default() };
    let Some(pattern) = attention.pattern(layer, head) else {
        let (first, last) = (attention.spec.layers.start, attention.spec.layers.end - 1);
        ui.weak(format!("Not computed for layer {layer}. Computed are layers {first} to {last}"));
        return None;
    };
    if settings.drawing == Drawing::Lines {
        ui.horizontal(|ui| {
            let label = ui.label("Weights from");
            let slider = Slider::new(&mut settings.threshold, 0.01..=1.0).logarithmic(true);
            ui.add(slider.fixed_decimals(2))
                .labelled_by(label.id)
                .on_hover_text("Lines of less are not drawn. 1 is the end of the colour scale");
        });
        let weights =
            Weights { pattern, scale: attention.scale(layer), least: settings.threshold.max(0.01) };
        let picked = attention_lines_ui(ui, attention, &weights, view.cut.painted, ctx)?;
        return Some(ViewAction::Select(at(picked)));
    }
    let map = attention_map(attention, "Attention pattern", pattern, attention.scale(layer));
    // Which of a query's cells is picked out concerns nobody else.
    let remembered = ui.scope_id().with("key");
    let query = ctx.selection.position;
    let key = ui.data(|data| data.get_temp::<usize>(remembered));
    let key = key.filter(|key| query.is_some_and(|query| *key <= query));
    let mut heatmap = Heatmap::new(&map, ctx);
    heatmap.range = ColorRange::fixed(map.range);
    (heatmap.selected_column, heatmap.max_height) = (key, max_height);
    let shown = heatmap.show(ui, Sense::click_and_drag());
    let n_pos = attention.prompt.n_pos();
    paint_ui(ui, &shown.response, n_pos, query.zip(key), view.cut.painted, commands);
    if let Some(Cell { column, .. }) = shown.picked {
        ui.data_mut(|data| data.insert_temp(remembered, column));
    }
    shown.action(|cell| at(cell.row))
}

/// What the last token of a head looks at most.
fn about_head(attention: &Attention, layer: usize, head: usize) -> String {
    let Some(pattern) = attention.pattern(layer, head) else {
        return "Not computed; a click computes this layer".to_owned();
    };
    let prompt = &attention.prompt;
    let last = &pattern[prompt.last() * prompt.n_pos()..];
    let Some((key, weight)) = last.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)) else {
        return String::new();
    };
    let mut text = format!(
        "Last token most to {} {}: {}",
        key,
        visible(&prompt.pieces[key]),
        significant(*weight, 2)
    );
    if let Some(of_subject) = prompt.subject.clone().and_then(|subject| last.get(subject)) {
        let sum: f32 = of_subject.iter().sum();
        _ = write!(text, "\nLast token to the subject: {}", significant(sum, 2));
    }
    text
}

/// An index from 0, with arrows beside it. Returns the new one.
fn index_ui(ui: &mut Ui, name: &str, index: usize, last: usize) -> usize {
    let mut new = index;
    let lower = name.to_lowercase();
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 3.0;
        ui.weak(name);
        let back = ui.add_enabled(index > 0, Button::new("‹"));
        if back.accessible_name(format!("Previous {lower}")).clicked() {
            new = (index - 1).min(last);
        }
        let value = DragValue::new(&mut new).range(0..=last);
        ui.add(value).accessible_name(name);
        let forward = ui.add_enabled(index < last, Button::new("›"));
        if forward.accessible_name(format!("Next {lower}")).clicked() {
            new = index + 1;
        }
    });
    new
}

/// How one query's weight is spread.
fn caption(
    attention: &Attention,
    layer: usize,
    head: usize,
    n_layers: usize,
    ctx: &ViewCtx<'_>,
) -> Caption {
    let mut caption = Caption::default();
    let (prompt, n_pos) = (&attention.prompt, attention.prompt.n_pos());
    if attention.spec.layers.len() < n_layers {
        let text = format!(
            "With {n_pos} tokens all {n_layers} layers would be too much at once: only the selected \
             layer is computed"
        );
        caption.add(Tone::Note, text);
    }
    let Some(pattern) = attention.pattern(layer, head) else { return caption };
    let spread = attention_spread(prompt, pattern, ctx.selection.position);
    caption.add(Tone::Plain, spread);
    caption.add(Tone::Note, about_attention(attention.spec.weighting));
    if attention.scale(layer) != 1.0 {
        caption.add(Tone::Note, "Small: the colours of each layer end at its own largest");
    }
    caption
}

/// How cut edges look, and how edges are cut.
fn about_cuts(drawing: Drawing, n_painted: usize) -> String {
    match (drawing, n_painted) {
        (Drawing::Map, _) => {
            "Drag over the map to cut attention there, with Shift to take it back; Space does so at \
             the selected cell"
                .to_owned()
        }
        (Drawing::Lines, 0) => "Edges to cut are painted in the map".to_owned(),
        (Drawing::Lines, 1) => "Dashed: the edge that is cut, painted in the map".to_owned(),
        (Drawing::Lines, n) => format!("Dashed: the {n} edges that are cut, painted in the map"),
    }
}
