//! How a logit adds up: what each layer, or each head, writes towards the answer.

use std::ops::Range;

use eframe::egui::{
    Align2, Color32, CornerRadius, EventFilter, Key, PopupAnchor, Pos2, Rect, Response, RichText,
    Role, Sense, Stroke, StrokeKind, Tooltip, Ui, WidgetInfo, pos2, vec2,
};

use super::{first_piece, header_ui, layer_labels};
use crate::analysis::logit_attribution::{Component, LogitAttribution, Parts};
use crate::ui::theme::{ColorMap, Palette, axis_font, palette};
use crate::ui::view::{Selection, ViewAction, ViewCtx};
use crate::ui::widgets::number::{Ticks, exact, signed, significant};
use crate::ui::widgets::{Axis, Caption, Cell, CellShape, Heatmap, Labels, Tone, rotated_text};

/// A difference from the model's own logit beyond this share of it is worth a warning.
const TOLERANCE: f32 = 1e-3;

/// Heads in the list, if there is room.
const N_TOP: usize = 10;

const LIST_ROW: f32 = 21.0;

pub fn attribution_ui(
    ui: &mut Ui,
    attribution: &LogitAttribution,
    ctx: &ViewCtx<'_>,
) -> Option<ViewAction> {
    let mut split = attribution.spec.by;
    let title = format!("Direct logit attribution — {}", target(attribution));
    header_ui(ui, &title, 140.0, |ui| {
        ui.selectable_value(&mut split, Parts::Layers, "Layers");
        ui.selectable_value(&mut split, Parts::Heads, "Heads");
    });
    let mut caption = caption(attribution);
    ctx.explain_marked_layers(&mut caption);
    let max_height = (ui.available_height() - caption.height(ui)).min(480.0);
    let selected = match attribution.spec.by {
        Parts::Layers => layers_ui(ui, attribution, ctx, max_height).map(ViewAction::Select),
        Parts::Heads => heads_ui(ui, attribution, ctx, max_height),
    };
    caption.show(ui);
    if split != attribution.spec.by {
        return Some(ViewAction::SplitBy(split));
    }
    selected
}

/// What is split.
fn target(attribution: &LogitAttribution) -> String {
    let prompt = &attribution.prompt;
    let answer = prompt.answer.as_ref().map_or_else(|| "answer".to_owned(), first_piece);
    match &prompt.foil {
        Some(foil) => format!("logit({answer}) − logit({})", first_piece(foil)),
        None => format!("logit({answer}) minus the vocabulary mean"),
    }
}

fn caption(attribution: &LogitAttribution) -> Caption {
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

/// Bars of what belongs together: a layer, or an embedding.
struct Group {
    label: String,
    layer: Option<usize>,
    bars: Vec<(&'static str, Kind, f32)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Attn,
    Mlp,
    Embed,
}

impl Kind {
    fn color(self, colors: &Palette) -> Color32 {
        match self {
            Self::Attn => colors.attn,
            Self::Mlp => colors.mlp,
            Self::Embed => colors.embed,
        }
    }
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
        let bar = (name, kind, part.logit);
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

fn layers_ui(
    ui: &mut Ui,
    attribution: &LogitAttribution,
    ctx: &ViewCtx<'_>,
    max_height: f32,
) -> Option<Selection> {
    let groups = groups(attribution);
    if groups.is_empty() {
        ui.weak("Not computed");
        return None;
    }
    let plot = BarPlot::new(ui, &groups, max_height);
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

/// Bars over depth, up for what speaks for the answer.
struct BarPlot<'a> {
    groups: &'a [Group],
    area: Rect,
    corner: Pos2,
    response: Response,
    ticks: Ticks,

    /// Logits at the lower and the upper edge.
    range: (f32, f32),
    group_width: f32,

    /// Empty places between the embeddings and the first layer.
    n_apart: usize,
}

impl<'a> BarPlot<'a> {
    fn new(ui: &mut Ui, groups: &'a [Group], max_height: f32) -> Self {
        let values = groups.iter().flat_map(|group| group.bars.iter().map(|bar| bar.2));
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

        let n_apart = usize::from(groups[0].layer.is_none());
        let n_places = (groups.len() + n_apart) as f32;
        let group_width = ((width - left - 4.0) / n_places).clamp(4.0, 48.0);
        let area_size = vec2(group_width * n_places, height - above - below);
        let size = vec2(left + area_size.x + 4.0, height);
        let (outer, _) = ui.allocate_exact_size(size, Sense::hover());
        let area = Rect::from_min_size(outer.min + vec2(left, above), area_size);
        let id = ui.make_persistent_id("bars");
        let response = ui.interact(area, id, Sense::click());
        Self { groups, area, corner: outer.min, response, ticks, range, group_width, n_apart }
    }

    fn y(&self, value: f32) -> f32 {
        let (low, high) = self.range;
        self.area.bottom() - (value - low) / (high - low) * self.area.height()
    }

    fn x(&self, nth: usize) -> Range<f32> {
        let place = if nth == 0 { 0 } else { nth + self.n_apart };
        let left = self.area.left() + place as f32 * self.group_width;
        left..left + self.group_width
    }

    fn group_at(&self, pos: Pos2) -> usize {
        let place = ((pos.x - self.area.left()) / self.group_width).max(0.0) as usize;
        place.saturating_sub(self.n_apart).min(self.groups.len() - 1)
    }

    /// The layer of a planted fact is set apart as on a map.
    fn paint_axes(&self, ui: &Ui, planted: Option<usize>) {
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

    fn paint_bars(&self, ui: &Ui, selected: Option<usize>) {
        let colors = palette(ui);
        let painter = ui.painter();
        let pixels = |x: f32| painter.round_to_pixel_center(x) - 0.5 / ui.pixels_per_point();
        let hovered = self.response.hover_pos().map(|pos| self.group_at(pos));
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
            for (at, (_, kind, value)) in group.bars.iter().enumerate() {
                let left = x.start + gap + at as f32 * width;
                let (top, bottom) = (self.y(value.max(0.0)), self.y(value.min(0.0)));
                let bar = Rect::from_x_y_ranges(
                    pixels(left)..=pixels(left + width).max(pixels(left) + 1.0),
                    top..=bottom,
                );
                painter.rect_filled(bar, CornerRadius::ZERO, kind.color(colors));
            }
        }
        let zero = painter.round_to_pixel_center(self.y(0.0));
        painter.hline(self.area.x_range(), zero, Stroke::new(1.0, colors.weak_text));
        if self.response.has_focus() {
            let stroke = Stroke::new(1.0, colors.accent);
            painter.rect_stroke(self.area, 2.0, stroke, StrokeKind::Outside);
        }
    }

    fn paint_legend(&self, ui: &Ui) {
        let colors = palette(ui);
        let painter = ui.painter();
        let mut left = self.area.left();
        let middle = self.corner.y + 7.0;
        let entries =
            [("Attention", Kind::Attn), ("MLP", Kind::Mlp), ("Embeddings (emb)", Kind::Embed)];
        for (name, kind) in entries {
            if !self.groups.iter().any(|group| group.bars.iter().any(|bar| bar.1 == kind)) {
                continue;
            }
            let swatch = Rect::from_center_size(pos2(left + 5.0, middle), vec2(10.0, 10.0));
            painter.rect_filled(swatch, 1.0, kind.color(colors));
            let at = pos2(swatch.right() + 5.0, middle);
            let text = painter.text(at, Align2::LEFT_CENTER, name, axis_font(), colors.text);
            left = text.right() + 16.0;
        }
    }

    fn spoken(&self, nth: usize) -> String {
        let group = &self.groups[nth];
        let place = group.layer.map_or_else(String::new, |layer| format!("layer {layer}, "));
        let bars = group.bars.iter().map(|(name, _, value)| format!("{name} {}", exact(*value)));
        place + &bars.collect::<Vec<_>>().join(", ")
    }

    fn tooltip(&self, nth: usize) {
        let group = &self.groups[nth];
        let response = &self.response;
        let ctx = response.ctx.clone();
        let tooltip =
            Tooltip::always_open(ctx, response.layer_id, response.id, PopupAnchor::Pointer);
        tooltip.gap(14.0).show(|ui| {
            let title =
                group.layer.map_or_else(|| "Embeddings".to_owned(), |it| format!("Layer {it}"));
            ui.label(RichText::new(title).weak());
            for (name, _, value) in &group.bars {
                ui.label(RichText::new(format!("{name}  {} logits", exact(*value))).strong());
            }
        });
    }

    fn moved_by_keys(&self, ui: &Ui, selected: Option<usize>) -> Option<usize> {
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
                range: (-largest, largest),
                color_map: ColorMap::RedBlue,
                quantity: "Contribution (logits)",
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
