//! The list of shortcuts, what the program is, and the hint shown while a file is dragged over the window.

use eframe::egui::{
    Align, Align2, Color32, Context, CornerRadius, FontId, Grid, Id, Label, LayerId, Layout, Order,
    RichText, ScrollArea, TextStyle, Ui,
};

use crate::packed::LICENCES;
use crate::ui::command::{KEYS, keys_text};
use crate::ui::theme;
use crate::ui::widgets::{Outside, dialog_height, dialog_ui};

/// A small window about the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Help {
    Shortcuts,
    Licences,
    About,
}

pub fn help_ui(ctx: &Context, help: &mut Option<Help>) {
    let Some(open) = *help else { return };
    let mut is_closed = false;
    let ((), is_left) = dialog_ui(
        ctx,
        "help",
        if open == Help::Licences { 760.0 } else { 420.0 },
        Outside::Leaves,
        |ui| match open {
            Help::Shortcuts => {
                is_closed = heading_ui(ui, "Keyboard shortcuts");
                shortcuts_ui(ui);
            }
            Help::Licences => {
                is_closed = heading_ui(ui, "Licences");
                licences_ui(ui);
            }
            Help::About => {
                is_closed = heading_ui(ui, "Factscope");
                ui.label(format!("Version {}", env!("CARGO_PKG_VERSION")));
                ui.add_space(8.0);
                ui.label(
                "A microscope for facts in language models: where a prompt's answer comes from, by \
                 causal tracing (Meng et al. 2022), direct logit attribution (Elhage et al. \
                 2021), attention patterns and the logit lens (nostalgebraist 2020)",
            );
                ui.add_space(8.0);
                ui.label(
                    "A peak in a trace says where restoring a state suffices to bring the answer \
                 back. It does not say where the fact is stored (Hase et al. 2023)",
                );
            }
        },
    );
    if is_closed || is_left {
        *help = None;
    }
}

/// Draws the heading with the button that closes, which needs no scrolling however long the list is. Returns
/// whether it was clicked.
fn heading_ui(ui: &mut Ui, text: &str) -> bool {
    let row = ui.horizontal(|ui| {
        ui.heading(text);
        let right = Layout::right_to_left(Align::Center);
        ui.with_layout(right, |ui| ui.button("Close").clicked()).inner
    });
    ui.add_space(8.0);
    row.inner
}

fn shortcuts_ui(ui: &mut Ui) {
    Grid::new("shortcuts").num_columns(2).spacing([32.0, 6.0]).show(ui, |ui| {
        for (topic, keyed) in KEYS {
            ui.strong(topic);
            ui.end_row();
            for (command, keys) in keyed {
                ui.label(command.text());
                let keys: Vec<String> = keys.iter().copied().map(keys_text).collect();
                ui.label(RichText::new(keys.join("  or  ")).monospace());
                ui.end_row();
            }
        }
        for (what, keys) in [
            ("Move in a heat map or a list that has the focus", "arrow keys"),
            ("Cut attention at the selected cell", "Space"),
        ] {
            ui.label(what);
            ui.label(RichText::new(keys).monospace());
            ui.end_row();
        }
    });
}

/// Draws the lines of the licences that are in sight: there are thousands.
fn licences_ui(ui: &mut Ui) {
    let lines: Vec<&str> = LICENCES.lines().collect();
    let line_height = ui.text_style_height(&TextStyle::Monospace);
    let height = dialog_height(ui) - ui.min_size().y - ui.spacing().item_spacing.y;
    ScrollArea::both().max_height(height).auto_shrink(false).show_rows(
        ui,
        line_height,
        lines.len(),
        |ui, shown| {
            for line in &lines[shown] {
                ui.add(Label::new(RichText::new(*line).monospace()).extend());
            }
        },
    );
}

/// Says what can be dropped, while a file is dragged over the window.
pub fn drop_hint_ui(ctx: &Context) {
    if ctx.input(|input| input.raw.hovered_files.is_empty()) {
        return;
    }
    let painter = ctx.layer_painter(LayerId::new(Order::Foreground, Id::unique("drop hint")));
    let rect = ctx.content_rect();
    painter.rect_filled(rect, CornerRadius::ZERO, Color32::from_black_alpha(190));
    painter.text(
        rect.center(),
        Align2::CENTER_CENTER,
        "Drop a model (a folder or a GGUF file) or a dataset (JSON, CSV, Parquet) to open it",
        FontId::proportional(22.0),
        theme::text_on(Color32::BLACK),
    );
}
