//! How a logit adds up: what each layer, or each head, writes towards the answer.

use eframe::egui::{Align2, Rect, RichText, Role, Sense, Stroke, Ui, WidgetInfo, pos2, vec2};

use super::depth_bars::{Bar, DepthBars, Group, Kind};
use super::figure_view::{bars_ui, lines_ui};
use super::{first_piece, header_ui, layer_labels};
use crate::analysis::logit_attribution::{Component, LogitAttribution, Parts};
use crate::figure::{AttributionForm, running_sums, waterfall};
use crate::ui::theme::{ColorMap, palette};
use crate::ui::view::{Selection, ViewAction, ViewCtx};
use crate::ui::widgets::number::{exact, signed, significant};
use crate::ui::widgets::{Axis, Caption, Cell, CellShape, Heatmap, Labels, Tone};

/// A difference from the model's own logit beyond this share of it is worth a warning.
const TOLERANCE: f32 = 1e-3;

/// What a map's value is.
const QUANTITY: &str = "Contribution (logits)";

/// Heads in the list, if there is room.
const N_TOP: usize = 10;

const LIST_ROW: f32 = 21.0;

/// `form`: how it is drawn
pub fn attribution_ui(
    ui: &mut Ui,
    attribution: &LogitAttribution,
    form: &mut AttributionForm,
    ctx: &ViewCtx<'_>,
) -> Option<ViewAction> {
    let mut split = attribution.spec.by;
    let title = format!("Direct logit attribution — {}", target(attribution));
    header_ui(ui, &title, 390.0, |ui| {
        ui.selectable_value(&mut split, Parts::Layers, "Layers");
        ui.selectable_value(&mut split, Parts::Heads, "Heads");
        ui.add_space(6.0);
        for (choice, text, tooltip) in FORMS {
            ui.selectable_value(form, choice, text).on_hover_text(tooltip);
        }
    });
    let mut caption = caption(attribution, *form);
    ctx.explain_marked_layers(&mut caption);
    let max_height = (ui.available_height() - caption.height(ui)).min(480.0);
    let action = match (*form, attribution.spec.by) {
        (AttributionForm::RunningSum, _) => {
            let lines = running_sums(attribution);
            let height = max_height.clamp(160.0, 420.0);
            let picked = lines_ui(ui, &lines, ctx.selection, height);
            picked.map(|it| ViewAction::Select(it.over(ctx.selection)))
        }
        (AttributionForm::Waterfall, Parts::Heads) => {
            // Below a line of text, the start, the other parts and the sum are listed too.
            let n_rows = (max_height / LIST_ROW) as usize;
            let it = waterfall(attribution, n_rows.saturating_sub(4).clamp(N_TOP, 2 * N_TOP));
            ui.scope(|ui| bars_ui(ui, &it.bars, &it.starts, ctx.selection)).inner
        }
        (AttributionForm::Waterfall, Parts::Layers) => {
            let groups = stacked(attribution);
            layers_ui(ui, &groups, ctx, max_height).map(ViewAction::Select)
        }
        (AttributionForm::Parts, Parts::Layers) => {
            let groups = groups(attribution);
            layers_ui(ui, &groups, ctx, max_height).map(ViewAction::Select)
        }
        (AttributionForm::Parts, Parts::Heads) => heads_ui(ui, attribution, ctx, max_height),
    };
    caption.show(ui);
    if split != attribution.spec.by {
        return Some(ViewAction::SplitBy(split));
    }
    action
}

const FORMS: [(AttributionForm, &str, &str); 3] = [
    (AttributionForm::Parts, "Parts", "What each part adds to the logit"),
    (
        AttributionForm::RunningSum,
        "Running sum",
        "The sum of all parts up to each depth, ending at the logit",
    ),
    (
        AttributionForm::Waterfall,
        "Waterfall",
        "Each bar starts where the one before ended; the last is the logit",
    ),
];

/// What is split.
fn target(attribution: &LogitAttribution) -> String {
    let prompt = &attribution.prompt;
    let answer = prompt.answer.as_ref().map_or_else(|| "answer".to_owned(), first_piece);
    match &prompt.foil {
        Some(foil) => format!("logit({answer}) − logit({})", first_piece(foil)),
        None => format!("logit({answer}) minus the vocabulary mean"),
    }
}

fn caption(attribution: &LogitAttribution, form: AttributionForm) -> Caption {
    let (sum, logit) = (attribution.sum(), attribution.logit);
    let difference = sum - logit;
    let is_exact = difference.abs() <= TOLERANCE * logit.abs();
    let (tone, sign) = if is_exact { (Tone::Good, "✓") } else { (Tone::Warning, "≠") };
    let number = |value: f32| format!("{value:.3}").replace('-', "−");
    let mut caption = Caption::default();
    caption.add(
        tone,
        format!(
            "Σ parts + bias = {}, logit = {} {sign}  (difference {})",
            number(sum),
            number(logit),
            significant(difference, 2),
        ),
    );
    if let Some(text) = form.explain(attribution) {
        caption.add(Tone::Plain, text);
    }
    let reference = match &attribution.prompt.foil {
        Some(foil) => format!("minus that of {}", first_piece(foil)),
        None => "minus the mean over the vocabulary".to_owned(),
    };
    caption.add(
        Tone::Note,
        format!(
            "The answer's logit of {} {reference}, at the last position, with the final layer \
             norm's scale held fixed. The final layer norm's bias adds {}",
            number(attribution.raw_logit),
            signed(attribution.unembed_bias, 3),
        ),
    );
    caption
}

fn groups(attribution: &LogitAttribution) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for part in &attribution.contributions {
        let (layer, name, kind) = match part.component {
            Component::Embed => (None, "Token embedding", Kind::Embed),
            Component::PosEmbed => (None, "Position embedding", Kind::Embed),
            Component::Bias => (None, "Attention biases", Kind::Embed),
            Component::AttnOut(layer) => (Some(layer), "Attention", Kind::Attn),
            Component::MlpOut(layer) => (Some(layer), "MLP", Kind::Mlp),
            Component::Head { .. } => continue,
        };
        let bar = Bar { name, kind, value: part.logit, start: None };
        // The two embeddings share a place, as do the two halves of a layer.
        match groups.last_mut().filter(|group| group.layer == layer) {
            Some(group) => group.bars.push(bar),
            None => groups.push(Group {
                label: layer.map_or_else(|| "emb".to_owned(), |layer| layer.to_string()),
                layer,
                bars: vec![bar],
            }),
        }
    }
    groups
}

/// Each bar from where the one before ended, the first and the last from zero.
fn stacked(attribution: &LogitAttribution) -> Vec<Group> {
    let sum = attribution.running_sum();
    let total = |label: &str, name: &'static str, kind: Kind, value: f32| Group {
        label: label.to_owned(),
        layer: None,
        bars: vec![Bar { name, kind, value, start: Some(0.0) }],
    };
    let mut groups = vec![total("emb", "Embeddings and biases", Kind::Embed, sum.start)];
    for step in &sum.steps {
        let layer = step.layer();
        let (name, kind) =
            if step.is_mlp() { ("MLP", Kind::Mlp) } else { ("Attention", Kind::Attn) };
        let bar = Bar { name, kind, value: step.logit, start: Some(step.before) };
        if let Some(group) = groups.last_mut().filter(|group| group.layer == Some(layer)) {
            group.bars.push(bar);
        } else {
            let label = layer.to_string();
            groups.push(Group { label, layer: Some(layer), bars: vec![bar] });
        }
    }
    let name = if attribution.prompt.foil.is_some() { "Logit difference" } else { "Logit" };
    groups.push(total("sum", name, Kind::Sum, attribution.logit));
    groups
}

fn layers_ui(
    ui: &mut Ui,
    groups: &[Group],
    ctx: &ViewCtx<'_>,
    max_height: f32,
) -> Option<Selection> {
    if groups.is_empty() {
        ui.weak("Not computed");
        return None;
    }
    let plot = DepthBars::new(ui, groups, max_height);
    plot.paint_axes(ui, ctx.planted);
    let selected =
        ctx.selection.layer.and_then(|layer| groups.iter().position(|it| it.layer == Some(layer)));
    plot.paint_bars(ui, selected);
    plot.paint_legend(ui);

    let hovered = plot.response.hover_pos().map(|pos| plot.group_at(pos));
    if let Some(nth) = hovered {
        plot.tooltip(nth);
    }
    let mut picked = None;
    if plot.response.clicked() {
        plot.response.request_focus();
        picked = plot.response.interact_pointer_pos().map(|pos| plot.group_at(pos));
    }
    if plot.response.has_focus() {
        picked = picked.or_else(|| plot.moved_by_keys(ui, selected));
    }
    plot.response.widget_info(|| {
        let label = match picked.or(selected) {
            Some(nth) => format!("Logit attribution: {}", plot.spoken(nth)),
            None => "Logit attribution".to_owned(),
        };
        WidgetInfo::labeled(Role::Canvas, ui.is_enabled(), label)
    });
    let layer = groups[picked?].layer?;
    Some(Selection { layer: Some(layer), ..ctx.selection })
}

fn heads_ui(
    ui: &mut Ui,
    attribution: &LogitAttribution,
    ctx: &ViewCtx<'_>,
    max_height: f32,
) -> Option<ViewAction> {
    let heads: Vec<(usize, usize, f32)> = attribution
        .contributions
        .iter()
        .filter_map(|part| match part.component {
            Component::Head { layer, head } => Some((layer, head, part.logit)),
            _ => None,
        })
        .collect();
    let n_layers = heads.iter().map(|head| head.0 + 1).max().unwrap_or(0);
    let n_heads = heads.iter().map(|head| head.1 + 1).max().unwrap_or(0);
    if heads.is_empty() {
        ui.weak("Not computed");
        return None;
    }
    let mut values = vec![f32::NAN; n_layers * n_heads];
    let mut largest = 1e-6_f32;
    for &(layer, head, logit) in &heads {
        values[head * n_layers + layer] = logit;
        largest = largest.max(logit.abs());
    }
    let n_listed = (((max_height - 20.0) / (LIST_ROW + 2.0)).max(3.0) as usize).min(N_TOP);
    let mut action = None;
    ui.horizontal_top(|ui| {
        let list_width = 178.0;
        let width = (ui.available_width() - list_width - 16.0).max(220.0);
        ui.vertical(|ui| {
            ui.set_max_width(width);
            let map = Heatmap {
                name: "Logit attribution of heads",
                values: &values,
                rows: Axis {
                    title: "Head",
                    noun: "head",
                    labels: &layer_labels(n_heads),
                    marked: 0..0,
                    kind: Labels::Numbers,
                },
                columns: Axis {
                    title: "Layer",
                    noun: "layer",
                    labels: &layer_labels(n_layers),
                    marked: ctx.marked_layers(),
                    kind: Labels::Numbers,
                },
                range: ctx.range(QUANTITY, (-largest, largest)),
                color_map: ColorMap::RedBlue,
                quantity: QUANTITY,
                selected_row: ctx.selection.head.filter(|_| ctx.selection.layer.is_some()),
                selected_column: ctx.selection.layer,
                cell_shape: CellShape::Free,
                provisional: None,
                cell_text: None,
                max_height,
            };
            action = map.show(ui, |_| String::new()).action(|Cell { row, column }| Selection {
                layer: Some(column),
                head: Some(row),
                ..ctx.selection
            });
        });
        ui.add_space(8.0);
        ui.vertical(|ui| {
            ui.spacing_mut().item_spacing.y = 2.0;
            if let Some((layer, head)) = top_heads_ui(ui, &heads, n_listed, ctx) {
                let selection = Selection { layer: Some(layer), head: Some(head), ..ctx.selection };
                action = Some(ViewAction::Select(selection));
            }
        });
    });
    action
}

/// The heads that matter most, whichever way.
fn top_heads_ui(
    ui: &mut Ui,
    heads: &[(usize, usize, f32)],
    n_listed: usize,
    ctx: &ViewCtx<'_>,
) -> Option<(usize, usize)> {
    let colors = palette(ui);
    ui.label(RichText::new("Largest contributions (logits)").small().weak());
    let mut sorted = heads.to_vec();
    sorted.sort_by(|a, b| b.2.abs().total_cmp(&a.2.abs()));
    let largest = sorted[0].2.abs().max(1e-6);
    let mut picked = None;
    for &(layer, head, logit) in sorted.iter().take(n_listed) {
        let (rect, response) = ui.allocate_exact_size(vec2(170.0, LIST_ROW), Sense::click());
        let is_selected = ctx.selection.layer == Some(layer) && ctx.selection.head == Some(head);
        let painter = ui.painter();
        if is_selected {
            painter.rect_filled(rect, 4.0, colors.accent_fill);
        } else if response.hovered() {
            painter.rect_filled(rect, 4.0, colors.faint_line);
        }
        let name = format!("L{layer} H{head}");
        let font = crate::ui::theme::token_font();
        let middle = rect.center().y;
        let at = pos2(rect.left() + 4.0, middle);
        painter.text(at, Align2::LEFT_CENTER, &name, font.clone(), colors.text);
        let at = pos2(rect.right() - 4.0, middle);
        painter.text(at, Align2::RIGHT_CENTER, signed(logit, 3), font, colors.text);
        // From a zero line in the middle.
        let zero = rect.left() + 88.0;
        let end = zero + logit / largest * 24.0;
        let bar = Rect::from_x_y_ranges(zero.min(end)..=zero.max(end), middle - 4.0..=middle + 4.0);
        let share = 0.5 + 0.35 * logit.signum();
        painter.rect_filled(bar, 0.0, ColorMap::RedBlue.color(share));
        painter.vline(
            painter.round_to_pixel_center(zero),
            middle - 6.0..=middle + 6.0,
            Stroke::new(1.0, colors.weak_text),
        );
        response.widget_info(|| {
            let label = format!("{name}: {} logits", exact(logit));
            WidgetInfo::selected(Role::Button, true, is_selected, label)
        });
        if response.clicked() {
            picked = Some((layer, head));
        }
    }
    picked
}
