//! One file per analysis: how its result is drawn.

mod attention_lines;
pub mod attention_view;
pub mod attribution_view;
pub mod causal_trace_view;
mod cut_view;
mod depth_bars;
pub mod figure_view;
mod graph_view;
pub mod logit_lens_view;
pub mod prediction_view;
mod small_maps;
mod trace_kinds;

pub use attention_view::{AttentionView, attention_ui};
pub use attribution_view::attribution_ui;
pub use causal_trace_view::{CausalTraceView, causal_trace_ui, own_range};
pub use cut_view::CutView;
pub use figure_view::{export_menu_ui, figure_ui};
pub use logit_lens_view::{LogitLensView, logit_lens_ui};
pub use prediction_view::prediction_ui;
pub use trace_kinds::{KindsAsked, TraceKind, kinds_height, trace_kinds_ui};

use std::ops::Range;

use eframe::egui::{Color32, ComboBox, FontFamily, FontId, RichText, Ui};

use crate::analysis::Metric;
use crate::figure::words::{first_piece, is_long, metric_name, token_labels};
use crate::tokens::TokenizedPrompt;
use crate::ui::theme::palette;
use crate::ui::widgets::{Axis, Labels};

/// What the figure shows, with its controls beside it, or below where the two would not fit.
fn header_ui(ui: &mut Ui, title: &str, controls_width: f32, controls: impl FnOnce(&mut Ui)) {
    let font = FontId::new(TITLE_SIZE, FontFamily::Proportional);
    let title_width =
        ui.painter().layout_no_wrap(title.to_owned(), font, Color32::PLACEHOLDER).size().x;
    if title_width + ui.spacing().item_spacing.x + controls_width <= ui.available_width() {
        ui.horizontal(|ui| {
            title_ui(ui, title);
            controls(ui);
        });
    } else {
        title_ui(ui, title);
        ui.horizontal(controls);
    }
}

const TITLE_SIZE: f32 = 14.5;

/// What the figure shows, as one line above it.
fn title_ui(ui: &mut Ui, title: &str) {
    let color = palette(ui).strong_text;
    ui.label(RichText::new(title).size(TITLE_SIZE).color(color));
}

/// A prompt's tokens along an axis, the subject set apart. `labels`: its [`token_labels`]
fn token_axis<'a>(prompt: &TokenizedPrompt, labels: &'a [String]) -> Axis<'a> {
    Axis {
        title: "Token",
        noun: "token",
        labels,
        marked: prompt.subject.clone().unwrap_or(0..0),
        kind: Labels::Tokens,
    }
}

/// `labels`: its [`layer_labels`]
fn layer_axis<'a>(title: &'a str, labels: &'a [String], marked: Range<usize>) -> Axis<'a> {
    Axis { title, noun: "layer", labels, marked, kind: Labels::Numbers }
}

fn layer_labels(n_layers: usize) -> Vec<String> {
    (0..n_layers).map(|layer| layer.to_string()).collect()
}

/// Those that this prompt has.
pub fn metrics_of(prompt: &TokenizedPrompt) -> impl Iterator<Item = Metric> {
    Metric::ALL.into_iter().filter(|metric| match metric {
        Metric::AnswerProb => is_long(prompt.answer.as_ref()),
        Metric::LogitDiff => prompt.foil.is_some(),
        Metric::Prob | Metric::LogProb | Metric::Logit => true,
        // The maps' colours are for readings that a lost answer lowers.
        Metric::Rank | Metric::Kl => false,
    })
}

pub fn metric_picker_ui(ui: &mut Ui, metric: &mut Metric, metrics: impl Iterator<Item = Metric>) {
    let name = |metric: Metric| match metric {
        Metric::Prob => "Probability of first token",
        Metric::AnswerProb => "Probability of whole answer",
        Metric::LogProb => "Log probability",
        Metric::Logit => "Logit",
        Metric::LogitDiff => "Logit difference",
        Metric::Rank => "Rank",
        Metric::Kl => "KL divergence",
    };
    ComboBox::from_id_salt("metric")
        .selected_text(name(*metric))
        .width(190.0)
        .show_ui(ui, |ui| {
            for choice in metrics {
                ui.selectable_value(metric, choice, name(choice));
            }
        })
        .response
        .accessible_name("Metric");
}
