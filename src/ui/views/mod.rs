//! How results are drawn: each from its figure, and attention, which has a widget of its own.

mod attention_lines;
pub mod attention_view;
mod bars_view;
mod choices;
mod cut_view;
mod depth_bars;
pub mod figure_view;
mod figures;
mod graph_view;
mod lines_view;
mod scatter_view;
mod small_maps;
mod table_view;

pub use attention_view::{AttentionView, attention_ui};
pub use choices::{attribution_choices_ui, lens_choices_ui, metric_picker_ui, metrics_of};
pub use cut_view::CutView;
pub use figure_view::{FigureView, export_button_ui, figure_ui, n_lines};
pub use figures::Figures;
pub use small_maps::{Heights, SmallMap, small_maps_ui};

use eframe::egui::{RichText, TextStyle, TextWrapMode, Ui, WidgetText};

use crate::ui::theme::palette;

/// The title of a figure behind its controls: what it says is as long as the words of a prompt, and would
/// push them away. Where their line has no room for all of it, it has lines of its own.
fn header_ui(ui: &mut Ui, title: &str, controls: impl FnOnce(&mut Ui)) {
    ui.horizontal_wrapped(|ui| {
        let start = ui.cursor().left();
        controls(ui);
        let title = RichText::new(title).size(TITLE_SIZE).color(palette(ui).strong_text);
        let (title, unwrapped) = (WidgetText::from(title), Some(TextWrapMode::Extend));
        let line = title.clone().into_galley(ui, unwrapped, f32::INFINITY, TextStyle::Body);
        if ui.cursor().left() > start && line.size().x > ui.available_size_before_wrap().x {
            ui.end_row();
        }
        ui.label(title);
    });
}

/// The size of the letters of a title, in points.
const TITLE_SIZE: f32 = 14.5;
