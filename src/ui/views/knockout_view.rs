//! The figure of Geva et al. 2023: what the answer's probability loses where attention is cut.

use eframe::egui::{Color32, Ui};

use super::{first_piece, header_ui, is_long, metric_name, metric_picker_ui};
use crate::analysis::attention_knockout::{AttentionKnockout, Edges};
use crate::analysis::{Metric, Positions};
use crate::tokens::{TokenizedPrompt, visible};
use crate::ui::theme::{Palette, palette};
use crate::ui::view::{Selection, ViewAction, ViewCtx};
use crate::ui::widgets::layer_plot::{LayerPlot, Marks, Series, Stroke};
use crate::ui::widgets::number::significant;
use crate::ui::widgets::{Caption, Tone};

/// How it looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KnockoutView {
    /// One of the probabilities.
    pub metric: Metric,
}

/// Whether the plot has a caption of its own, or shares it with the one below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notes {
    Shown,
    Below,
}

pub fn knockout_ui(
    ui: &mut Ui,
    view: &mut KnockoutView,
    knockout: &AttentionKnockout,
    notes: Notes,
    height: f32,
    ctx: &ViewCtx<'_>,
) -> Option<ViewAction> {
    let prompt = &knockout.prompt;
    let metrics = [Metric::Prob, Metric::AnswerProb];
    let n_metrics = if is_long(prompt.answer.as_ref()) { 2 } else { 1 };
    if !metrics[..n_metrics].contains(&view.metric) {
        view.metric = Metric::Prob;
    }
    let top = ui.cursor().top();
    let quantity = metric_name(view.metric, prompt);
    let title = format!("Attention knockout — {quantity} without these edges");
    let picker_width = if n_metrics > 1 { 216.0 } else { 0.0 };
    header_ui(ui, &title, picker_width, |ui| {
        if n_metrics > 1 {
            metric_picker_ui(ui, &mut view.metric, metrics.into_iter());
        }
    });

    let n_layers = knockout.cut.n_columns();
    let colors = palette(ui);
    let series: Vec<Series> = knockout
        .spec
        .edges
        .iter()
        .enumerate()
        .map(|(nth, edges)| {
            let (color, style) = look(nth, colors);
            let percent = |layer| {
                let change = knockout.relative_change(nth, layer, view.metric);
                change.map_or(f32::NAN, |change| 100.0 * change)
            };
            let values = (0..n_layers).map(percent).collect();
            Series { name: edges_name(edges, prompt), color, style, values }
        })
        .collect();
    let caption = caption(knockout, view.metric, notes);
    let plot = LayerPlot {
        name: "Attention knockout",
        quantity: &format!("Change of {quantity} (%)"),
        layer_title: match knockout.spec.window {
            1 => "Layer that is cut",
            _ => "Layer at the centre of the cut window",
        },
        n_layers,
        series: &series,
        marks: Marks::Lines,
        selected_layer: ctx.selection.layer,
        height: height - (ui.cursor().top() - top) - caption.height(ui),
    };
    let picked = plot.show(ui, |layer| {
        let window = knockout.window(layer);
        let layers = match window.len() {
            1 => format!("layer {}", window.start),
            _ => format!("layers {}–{}", window.start, window.end - 1),
        };
        format!("% change, 100 · (p cut − p) / p\nAll heads of {layers} are cut (scores set to −∞)")
    });
    caption.show(ui);
    Some(ViewAction::Select(Selection { layer: Some(picked?), ..ctx.selection }))
}

fn look(nth: usize, colors: &Palette) -> (Color32, Stroke) {
    match nth % 4 {
        0 => (colors.subject, Stroke::Solid),
        1 => (colors.mlp, Stroke::Dashed),
        2 => (colors.accent, Stroke::Dotted),
        _ => (colors.attn, Stroke::Solid),
    }
}

/// `subject → last`, and single tokens by their text.
fn edges_name(edges: &Edges, prompt: &TokenizedPrompt) -> String {
    let name = |positions: &Positions| match positions {
        Positions::All => "all".to_owned(),
        Positions::Subject => "subject".to_owned(),
        Positions::NonSubject => "non-subject".to_owned(),
        Positions::Last => "last".to_owned(),
        Positions::Only(range) if range.len() == 1 => {
            let piece = prompt.pieces.get(range.start).map(|piece| visible(piece));
            format!("token {} {}", range.start, piece.unwrap_or_default())
        }
        Positions::Only(range) => format!("tokens {}–{}", range.start, range.end - 1),
    };
    format!("{} → {}", name(&edges.from), name(&edges.to))
}

fn caption(knockout: &AttentionKnockout, metric: Metric, notes: Notes) -> Caption {
    let mut caption = Caption::default();
    let prompt = &knockout.prompt;
    let clean = knockout.clean.get(metric).unwrap_or(f32::NAN);
    let cut = match knockout.spec.window {
        1 => "edges cut in one layer at a time".to_owned(),
        n => format!("edges cut in {n} layers around each"),
    };
    caption.add(Tone::Plain, format!("Clean {}  ·  {cut}", significant(clean, 4)));
    if knockout.clean.rank > 0 {
        let answer = prompt.answer.as_ref().map_or_else(String::new, first_piece);
        let n = knockout.clean.rank;
        let tokens = if n == 1 { "token is" } else { "tokens are" };
        let text = format!("Not the model's first guess: {n} {tokens} likelier than {answer}");
        caption.add(Tone::Warning, text);
    }
    if prompt.subject.as_ref().is_some_and(|subject| subject.start == 0) {
        caption.add(
            Tone::Warning,
            "The subject is at position 0, where attention rests whatever stands there: cutting it \
             off cuts more than the subject. BOS avoids that",
        );
    }
    if notes == Notes::Shown {
        caption.add(
            Tone::Note,
            "From the tokens looked at → to the token that looks. Non-subject: every other token \
             before the last. Below 0 the path was needed (Geva et al. 2023)",
        );
    }
    caption
}
