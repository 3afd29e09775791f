//! How results are drawn: each from its figure, and attention, which has a widget of its own.

mod attention_lines;
pub mod attention_view;
mod choices;
mod cut_view;
mod depth_bars;
pub mod figure_view;
mod figures;
mod graph_view;
mod lines_view;
mod small_maps;
mod table_view;
mod trace_kinds;

pub use attention_view::{AttentionView, attention_ui};
pub use choices::{
    LensChoice, attribution_choices_ui, lens_choices_ui, metric_picker_ui, metrics_of,
};
pub use cut_view::CutView;
pub use figure_view::{FigureView, export_button_ui, figure_ui};
pub use figures::Figures;
pub use trace_kinds::{KindsAsked, TraceKind, kinds_height, trace_kinds_ui};

use eframe::egui::{Color32, FontFamily, FontId, RichText, Ui};

use crate::ui::theme::palette;

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
