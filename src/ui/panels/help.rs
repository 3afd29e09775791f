//! The list of shortcuts, what the program is, and the hint shown while a file is dragged over the window.

use eframe::egui::{
    Align2, Color32, Context, CornerRadius, FontId, Grid, Id, LayerId, Modal, Order, RichText,
    ScrollArea, Ui,
};

use crate::ui::command::{KEYS, keys_text};
use crate::ui::theme;

/// A small window about the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Help {
    Shortcuts,
    About,
}

pub fn help_ui(ctx: &Context, help: &mut Option<Help>) {
    let Some(open) = *help else { return };
    let modal = Modal::new(Id::unique("help")).show(ctx, |ui| {
        ui.set_width(420.0);
        match open {
            Help::Shortcuts => {
                ui.heading("Keyboard shortcuts");
                ui.add_space(8.0);
                let height = ui.ctx().content_rect().height() - AROUND;
                let area = ScrollArea::vertical().max_height(height).min_scrolled_height(height);
                area.show(ui, shortcuts_ui);
            }
            Help::About => {
                ui.heading("Factscope");
                ui.label(format!("Version {}", env!("CARGO_PKG_VERSION")));
                ui.add_space(8.0);
                ui.label(
                    "A microscope for facts in GPT-2: where a prompt's answer comes from, by \
                     causal tracing (Meng et al. 2022), direct logit attribution (Elhage et al. \
                     2021), attention patterns and the logit lens (nostalgebraist 2020)",
                );
                ui.add_space(8.0);
                ui.label(
                    "A peak in a trace says where restoring a state suffices to bring the answer \
                     back. It does not say where the fact is stored (Hase et al. 2023)",
                );
            }
        }
        ui.add_space(12.0);
        ui.vertical_centered(|ui| ui.button("Close").clicked()).inner
    });
    if modal.inner || modal.should_close() {
        *help = None;
    }
}

/// The height in points of what stands around the list of shortcuts.
const AROUND: f32 = 150.0;

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
