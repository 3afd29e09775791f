//! What the answer loses without each head, or without each layer's parts.

use eframe::egui::Ui;

use super::{first_piece, header_ui, layer_labels, metric_name, metric_picker_ui, metrics_of};
use crate::analysis::ablation::{Ablation, Part, Replacement};
use crate::analysis::{Metric, Positions};
use crate::tokens::visible;
use crate::ui::theme::{ColorMap, palette};
use crate::ui::view::{Selection, ViewAction, ViewCtx};
use crate::ui::widgets::layer_plot::{LayerPlot, Marks, Series, Stroke};
use crate::ui::widgets::number::{signed, significant};
use crate::ui::widgets::{Axis, Caption, Cell, CellShape, Heatmap, Labels, Tone};

/// How it looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AblationView {
    /// Falls back to the probability of the answer's first token where a prompt lacks it.
    pub metric: Metric,
}

pub fn ablation_ui(
    ui: &mut Ui,
    view: &mut AblationView,
    ablation: &Ablation,
    ctx: &ViewCtx<'_>,
) -> Option<ViewAction> {
    let prompt = &ablation.prompt;
    if !metrics_of(prompt).any(|metric| metric == view.metric) {
        view.metric = Metric::default();
    }
    let quantity = format!("Change of {}", metric_name(view.metric, prompt));
    let title = format!("{quantity} without {}", part_name(ablation.spec.part));
    header_ui(ui, &title, 216.0, |ui| {
        metric_picker_ui(ui, &mut view.metric, metrics_of(prompt));
    });
    let caption = caption(ablation, view.metric);
    let height = (ui.available_height() - caption.height(ui)).clamp(160.0, 480.0);
    let shown = Shown { ablation, metric: view.metric, quantity: &quantity, height };
    let picked = match ablation.spec.part {
        Part::Heads => shown.heads_ui(ui, ctx),
        Part::Attn | Part::Mlp | Part::Layers => shown.layers_ui(ui, ctx),
    };
    caption.show(ui);
    picked.map(ViewAction::Select)
}

fn part_name(part: Part) -> &'static str {
    match part {
        Part::Heads => "each head",
        Part::Attn => "each layer's attention",
        Part::Mlp => "each layer's MLP",
        Part::Layers => "each layer",
    }
}

struct Shown<'a> {
    ablation: &'a Ablation,
    metric: Metric,
    quantity: &'a str,
    height: f32,
}

impl Shown<'_> {
    fn change(&self, layer: usize, column: usize) -> f32 {
        self.ablation.change(layer, column, self.metric).unwrap_or(f32::NAN)
    }

    fn heads_ui(&self, ui: &mut Ui, ctx: &ViewCtx<'_>) -> Option<Selection> {
        let (n_layers, n_heads) =
            (self.ablation.ablated.n_rows(), self.ablation.ablated.n_columns());
        let cells = (0..n_heads).flat_map(|head| (0..n_layers).map(move |layer| (layer, head)));
        let values: Vec<f32> = cells.map(|(layer, head)| self.change(layer, head)).collect();
        let largest = values.iter().copied().filter(|value| !value.is_nan());
        let largest = largest.fold(1e-6, |largest: f32, value| largest.max(value.abs()));
        let map = Heatmap {
            name: "Ablation of heads",
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
            quantity: self.quantity,
            selected_row: ctx.selection.head,
            selected_column: ctx.selection.layer,
            cell_shape: CellShape::Free,
            provisional: None,
            cell_text: None,
            max_height: self.height,
        };
        let response = map.show(ui, |cell| self.details(cell.column, cell.row));
        let Cell { row, column } = response.picked?;
        Some(Selection { layer: Some(column), head: Some(row), ..ctx.selection })
    }

    fn layers_ui(&self, ui: &mut Ui, ctx: &ViewCtx<'_>) -> Option<Selection> {
        let n_layers = self.ablation.ablated.n_rows();
        let colors = palette(ui);
        let (name, color) = match self.ablation.spec.part {
            Part::Attn => ("Attention", colors.attn),
            Part::Mlp => ("MLP", colors.mlp),
            Part::Layers | Part::Heads => ("Attention and MLP", colors.embed),
        };
        let series = Series {
            name: name.to_owned(),
            color,
            style: Stroke::Solid,
            values: (0..n_layers).map(|layer| self.change(layer, 0)).collect(),
        };
        let plot = LayerPlot {
            name: "Ablation of layers",
            quantity: self.quantity,
            layer_title: "Layer",
            n_layers,
            series: &[series],
            marks: Marks::Bars,
            selected_layer: ctx.selection.layer,
            height: self.height,
        };
        let layer = plot.show(ui, |layer| self.details(layer, 0))?;
        Some(Selection { layer: Some(layer), ..ctx.selection })
    }

    /// What the model says without the part.
    fn details(&self, layer: usize, column: usize) -> String {
        let found = self.ablation.ablated.get(layer, column).and_then(Option::as_ref);
        let Some(found) = found else { return String::new() };
        let (clean, first) = (&self.ablation.clean, self.ablation.prompt.answer.as_ref());
        let first = first.map_or_else(|| "answer".to_owned(), first_piece);
        format!(
            "p({first})  {} → {}\nlogit  {}\nrank  {} → {}",
            significant(clean.prob, 4),
            significant(found.prob, 4),
            signed(found.logit - clean.logit, 3),
            clean.rank + 1,
            found.rank + 1,
        )
    }
}

fn caption(ablation: &Ablation, metric: Metric) -> Caption {
    let mut caption = Caption::default();
    let clean = ablation.clean.get(metric).unwrap_or(f32::NAN);
    let by = match &ablation.spec.replacement {
        Replacement::Zero => "zeros".to_owned(),
        Replacement::Mean { prompts } => format!("the mean over {} prompts", prompts.len()),
        Replacement::Resample { ids } => {
            format!("that of another prompt of {} tokens", ids.len())
        }
    };
    let at = match &ablation.spec.positions {
        Positions::All => "at every token".to_owned(),
        Positions::Subject => "at the subject".to_owned(),
        Positions::NonSubject => "at the non-subject tokens before the last".to_owned(),
        Positions::Last => "at the last token".to_owned(),
        Positions::Only(range) if range.len() == 1 => {
            let piece = ablation.prompt.pieces.get(range.start).map(|piece| visible(piece));
            format!("at token {} {}", range.start, piece.unwrap_or_default())
        }
        Positions::Only(range) => format!("at tokens {}–{}", range.start, range.end - 1),
    };
    caption.add(Tone::Plain, format!("Clean {}  ·  replaced by {by} {at}", significant(clean, 4)));
    if ablation.clean.rank > 0 {
        let answer = ablation.prompt.answer.as_ref().map_or_else(String::new, first_piece);
        let n = ablation.clean.rank;
        let tokens = if n == 1 { "token is" } else { "tokens are" };
        let text = format!("Not the model's first guess: {n} {tokens} likelier than {answer}");
        caption.add(Tone::Warning, text);
    }
    let n_cells = ablation.ablated.values().len();
    let n_done = ablation.ablated.values().iter().flatten().count();
    if n_done < n_cells {
        caption.add(Tone::Plain, format!("{n_done} of {n_cells} computed"));
    }
    caption.add(
        Tone::Note,
        "Reading without the part − clean reading, all else running on: below 0 the part speaks for \
         the answer. Other parts may stand in for one that is missing (McGrath et al. 2023)",
    );
    caption
}
