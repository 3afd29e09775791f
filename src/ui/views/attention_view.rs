//! Where heads look: one head large, as a map or as lines, and all heads of all layers small.

use std::fmt::Write as _;
use std::sync::Arc;

use eframe::egui::{Button, Sense, Slider, TextStyle, Ui, Vec2, vec2};

use super::attention_lines::{Weights, attention_lines_ui};
use super::cut_view::{CutView, cut_ui, paint_ui};
use super::header_ui;
use crate::analysis::attention::{Attention, Weighting};
use crate::figure::words::{
    about_attention, about_head_pictures, attention_spread, attention_title,
};
use crate::figure::{
    about_attention_end, attention_end, attention_map, head_picture, head_picture_side,
};
use crate::tokens::visible;
use crate::ui::command::Command;
use crate::ui::state::{AttentionSettings, Drawing};
use crate::ui::view::{Selection, ViewAction, ViewCtx};
use crate::ui::widgets::number::significant;
use crate::ui::widgets::{
    Caption, Cell, HeadAtlas, Heatmap, Shared, Tone, command_choice_ui, keep_together, made_once,
    number_field,
};

pub struct AttentionView<'a> {
    pub attention: &'a Attention,

    /// How many layers the model has.
    pub n_layers: usize,

    /// How many neighbouring heads share keys and values.
    pub n_sharing: usize,
    pub settings: &'a mut AttentionSettings,
    pub cut: CutView<'a>,
}

/// The least height in points of the map of one head.
const LEAST_HEIGHT: f32 = 220.0;

/// The room for the small print, in lines.
const CAPTION_LINES: f32 = 5.0;

/// The least width in points of the small print beside the map of one head.
const CAPTION_WIDTH: f32 = 220.0;

/// The part of a pane's height that the one head takes above all, where both scroll.
const MAP_HEIGHT: f32 = 0.55;

/// The part of the height that all heads leave to the edges that are cut, where these have the width
/// in points that their tables need.
const CUT_HEIGHT: f32 = 0.4;
const CUT_WIDTH: f32 = 400.0;

/// The least height in points of all heads, at which patterns can be told apart.
const LEAST_ATLAS: f32 = 180.0;

/// Draws a map, and the small print in the room that a narrow one leaves, if it is not drawn yet.
fn beside_small_print<T>(
    ui: &mut Ui,
    caption: &mut Option<Caption>,
    map_ui: impl FnOnce(&mut Ui) -> T,
) -> T {
    let both = ui.horizontal_top(|ui| {
        let map = ui.vertical(map_ui);
        if ui.available_width() >= CAPTION_WIDTH
            && let Some(caption) = caption.take()
        {
            ui.vertical(|ui| caption.laid_out(ui).show(ui));
        }
        map.inner
    });
    both.inner
}

/// Shows the selected head, or the first that was computed.
pub fn attention_ui(
    ui: &mut Ui,
    view: &mut AttentionView<'_>,
    ctx: &ViewCtx<'_>,
    commands: &mut Vec<Command>,
) -> Option<ViewAction> {
    let AttentionView { attention, n_layers, n_sharing, .. } = *view;
    let layers = attention.spec.layers.clone();
    if layers.is_empty() {
        ui.weak("No layer of this prompt's attention was computed");
        return None;
    }
    let layer = ctx.selection.layer.unwrap_or(layers.start);
    let head = ctx.selection.head.unwrap_or(0).min(attention.n_heads - 1);
    let mut selection = Selection { layer: Some(layer), head: Some(head), ..ctx.selection };
    let before = selection;

    let width = ui.available_width();
    let title = attention_title(attention.spec.weighting);
    header_ui(ui, &format!("{title} — L{layer} H{head}"), |ui| {
        selection.layer = Some(index_ui(ui, "Layer", layer, n_layers - 1));
        selection.head = Some(index_ui(ui, "Head", head, attention.n_heads - 1));
    });
    choices_ui(ui, view.settings, commands);

    let mut caption = caption(attention, layer, head, n_layers, ctx);
    if n_sharing > 1 {
        caption.add(Tone::Note, about_key(head, n_sharing));
    }
    caption.add(Tone::Note, about_cuts(view.settings.drawing, view.cut.painted.len()));
    // However many lines the small print has of what the pointer is on, nothing above it moves.
    let line = TextStyle::Small.resolve(ui.style()).size + ui.spacing().item_spacing.y;
    let of_caption = CAPTION_LINES * line;
    let room = vec2(width, ui.available_height() - of_caption);
    let selected = (layer, head);
    let mut atlas = HeadAtlas { attention, n_layers, n_sharing, selected, max_height: room.y };
    let split = split(ui, &atlas, (room, of_caption), ctx);
    let about = |layer, head| {
        let about = about_head(attention, layer, head);
        if n_sharing == 1 { about } else { format!("{about}\n{}", about_key(head, n_sharing)) }
    };
    let prompt = &attention.prompt;
    let mut caption = Some(caption);
    let (position, picked) = match split {
        Split::Beside { map_width } => {
            let has_room = width - ui.spacing().item_spacing.x - map_width >= CUT_WIDTH;
            let columns = ui.horizontal_top(|ui| {
                let large = ui.vertical(|ui| {
                    ui.set_width(map_width);
                    large_ui(ui, view, room.y, before, ctx, commands)
                });
                let all = ui.vertical(|ui| {
                    // The map keeps its place and its size while edges are painted on it.
                    if has_room && !view.cut.painted.is_empty() {
                        atlas.max_height = (room.y * (1.0 - CUT_HEIGHT)).max(LEAST_ATLAS);
                    }
                    let picked = atlas.show(ui, ctx, about);
                    if has_room {
                        cut_ui(ui, &mut view.cut, prompt, n_layers, ctx, commands);
                    }
                    picked
                });
                (large.inner, all.inner)
            });
            if !has_room {
                cut_ui(ui, &mut view.cut, prompt, n_layers, ctx, commands);
            }
            columns.inner
        }
        Split::Above { map_height, atlas_height } => {
            let position = beside_small_print(ui, &mut caption, |ui| {
                large_ui(ui, view, map_height, before, ctx, commands)
            });
            cut_ui(ui, &mut view.cut, prompt, n_layers, ctx, commands);
            atlas.max_height = atlas_height;
            let picked = beside_small_print(ui, &mut caption, |ui| atlas.show(ui, ctx, about));
            (position, picked)
        }
    };
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
    if let Some(caption) = caption {
        ui.scope(|ui| {
            // Maps that are wider than the pane do not make it wider.
            ui.set_max_width(width);
            caption.laid_out(ui).show(ui);
        });
    }
    // To look at the head that is shown at first is not to pick it.
    (selection != before).then_some(ViewAction::Select(selection)).or(hovered)
}

/// What is shown of a query and a key, and how it is drawn.
fn choices_ui(ui: &mut Ui, settings: &mut AttentionSettings, commands: &mut Vec<Command>) {
    ui.horizontal_wrapped(|ui| {
        ui.label("Show");
        for weighting in Weighting::OF_HEADS {
            let command = Command::WeighAttention(weighting);
            let is_chosen = settings.weighting == weighting;
            command_choice_ui(ui, is_chosen, command, commands);
        }
        ui.label("as");
        let choices = [
            (Drawing::Map, "Map", "Queries down, keys across"),
            (Drawing::Lines, "Lines", "From token to token, as BertViz draws it"),
        ];
        for (drawing, text, tooltip) in choices {
            ui.selectable_value(&mut settings.drawing, drawing, text).on_hover_text(tooltip);
        }
    });
}

/// How one head and all heads share the room.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Split {
    Beside { map_width: f32 },
    Above { map_height: f32, atlas_height: f32 },
}

/// Points that whole pixels may take.
const ROUNDING: f32 = 1.0;

/// The least sides in points of the one head's map and of each small picture where both are in sight;
/// smaller, one stands above the other and the pane scrolls.
const LEAST_SIDE: f32 = 100.0;
const LEAST_PICTURE: f32 = 11.0;

/// Shares the room so that one head and all heads are both as large as can be. `of_caption`: the height in
/// points that the small print has below them, which is theirs as well where it has room at their side.
fn split(
    ui: &Ui,
    atlas: &HeadAtlas<'_>,
    (room, of_caption): (Vec2, f32),
    ctx: &ViewCtx<'_>,
) -> Split {
    let attention = atlas.attention;
    let weights = Shared(Arc::clone(attention.weights()));
    let of = (weights, [room.x, room.y, of_caption, ui.pixels_per_point()].map(f32::to_bits));
    let id = ui.make_persistent_id("room of one head and all heads");
    let scrolled = || {
        let map_height = (MAP_HEIGHT * room.y).max(LEAST_HEIGHT);
        Split::Above { map_height, atlas_height: (room.y - map_height).max(LEAST_ATLAS) }
    };
    let best = made_once(ui, id, of, || {
        let layer = attention.spec.layers.start;
        let pattern = attention.pattern(layer, 0)?;
        let end = attention_end(attention, layer, pattern);
        let map = attention_map(attention, "Attention pattern", pattern, end);
        let map = Heatmap::new(&map, ctx);
        let fits = |[whole, _]: &[Vec2; 2], room: Vec2| {
            whole.x <= room.x + ROUNDING && whole.y <= room.y + ROUNDING
        };
        let gap = ui.spacing().item_spacing;
        // Whether the small print, as many letters in other lines, has room beside what is so large.
        let has_caption = |whole: Vec2| {
            let beside = room.x - gap.x - whole.x;
            beside >= CAPTION_WIDTH && beside * whole.y >= room.x * of_caption
        };
        // How large both are in these rooms, or `None` where one is too large or too small. `has_place`:
        // whether the small print has a place of its own.
        let size = |rooms: [Vec2; 2], has_place: bool| {
            let sizes = [map.sizes(ui, rooms[0]), atlas.sizes(ui, ctx, rooms[1])];
            let sides = sizes.map(|[_, cells]| (cells.x * cells.y).sqrt());
            let are_in_sight = sizes.iter().zip(rooms).all(|(sizes, room)| fits(sizes, room));
            let picture = sizes[1][1].y / attention.n_heads as f32;
            let is_legible = sides[0] >= LEAST_SIDE && picture >= LEAST_PICTURE;
            let has_place = has_place || sizes.iter().any(|[whole, _]| has_caption(*whole));
            (are_in_sight && is_legible && has_place).then_some(sides[0] * sides[1])
        };
        let splits = (6..=14).flat_map(|nth| {
            let part = nth as f32 * 0.05;
            let map_width = ((room.x - gap.x) * part).floor();
            let beside = [map_width, room.x - gap.x - map_width].map(|width| vec2(width, room.y));
            let above = |whole: f32, has_place: bool| {
                let map_height = ((whole - gap.y) * part).floor();
                let atlas_height = whole - gap.y - map_height;
                let rooms = [map_height, atlas_height].map(|height| vec2(room.x, height));
                (Split::Above { map_height, atlas_height }, size(rooms, has_place))
            };
            [
                (Split::Beside { map_width }, size(beside, true)),
                above(room.y, true),
                above(room.y + of_caption, false),
            ]
        });
        let legible = splits.filter_map(|(split, size)| Some((split, size?)));
        legible.max_by(|(_, a), (_, b)| a.total_cmp(b)).map(|(split, _)| split)
    });
    best.unwrap_or_else(scrolled)
}

/// Shows one head. Returns the query that was picked, or that the pointer is on.
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
    let of = (Shared(Arc::clone(attention.weights())), layer, head);
    let id = ui.make_persistent_id("attention pattern");
    let map = made_once(ui, id, of, || {
        let end = attention_end(attention, layer, pattern);
        attention_map(attention, "Attention pattern", pattern, end)
    });
    // No other view marks a single key.
    let remembered = ui.scope_id().with("key");
    let query = ctx.selection.position;
    let key = ui.data(|data| data.get_temp::<usize>(remembered));
    let key = key.filter(|key| query.is_some_and(|query| *key <= query));
    let mut heatmap = Heatmap::new(&map, ctx);
    (heatmap.selected_column, heatmap.max_height) = (key, max_height);
    let shown = heatmap.show(ui, Sense::click_and_drag());
    let n_pos = attention.prompt.n_pos();
    paint_ui(ui, &shown.response, n_pos, query.zip(key), view.cut.painted, commands);
    if let Some(Cell { column, .. }) = shown.picked {
        ui.data_mut(|data| data.insert_temp(remembered, column));
    }
    shown.action(|cell| at(cell.row))
}

/// Says what the last token of a head looks at most.
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
    if let Some(picture) = head_picture(attention, layer, head, attention.scale(layer)) {
        _ = write!(text, "\nDarkest blue: {}", significant(picture.end, 2));
    }
    text
}

/// Says which keys and values a head reads, where heads share them.
fn about_key(head: usize, n_sharing: usize) -> String {
    let key = head / n_sharing;
    let (first, last) = (key * n_sharing, (key + 1) * n_sharing - 1);
    format!("Heads {first} to {last} share the keys and values of key head {key}")
}

/// The width in points of an index with its arrows.
const INDEX_WIDTH: f32 = 84.0;

/// An index from 0, with arrows beside it. Returns the new index.
fn index_ui(ui: &mut Ui, name: &str, index: usize, last: usize) -> usize {
    let mut new = index;
    let lower = name.to_lowercase();
    // Not in a nested row, which would not wrap.
    keep_together(ui, name, INDEX_WIDTH);
    let gap = std::mem::replace(&mut ui.spacing_mut().item_spacing.x, 3.0);
    ui.weak(name);
    let back = ui.add_enabled(index > 0, Button::new("‹"));
    if back.accessible_name(format!("Previous {lower}")).clicked() {
        new = (index - 1).min(last);
    }
    let value = number_field(&mut new).range(0..=last);
    ui.add(value).accessible_name(name);
    let forward = ui.add_enabled(index < last, Button::new("›"));
    if forward.accessible_name(format!("Next {lower}")).clicked() {
        new = index + 1;
    }
    ui.spacing_mut().item_spacing.x = gap;
    new
}

/// The small print: how the weight of one query is spread, and what is drawn.
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
    if let Some(end) =
        about_attention_end(attention, layer, attention_end(attention, layer, pattern))
    {
        caption.add(Tone::Note, end);
    }
    caption.add(Tone::Note, about_attention(attention.spec.weighting));
    let weighting = attention.spec.weighting;
    caption.add(Tone::Note, about_head_pictures(weighting, head_picture_side(n_pos) == n_pos));
    caption
}

/// Says how edges are cut, and how cut edges look.
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
