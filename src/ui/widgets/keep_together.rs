//! Names that stay in one line with their controls.

use eframe::egui::{Color32, TextStyle, Ui};

/// Begins a new line where a name and its control do not both fit in this one.
pub fn keep_together(ui: &mut Ui, name: &str, width: f32) {
    let font = TextStyle::Body.resolve(ui.style());
    let text = ui.painter().layout_no_wrap(name.to_owned(), font, Color32::PLACEHOLDER);
    let needed = text.size().x + width + 3.0 * ui.spacing().item_spacing.x;
    // A line that is empty has no less room than the next.
    let is_begun = ui.cursor().left() > ui.max_rect().left();
    if is_begun && ui.layout().main_wrap() && ui.available_size_before_wrap().x < needed {
        ui.end_row();
        // Without this the name's line is as high as the name, and its control stands lower.
        ui.set_row_height(ui.spacing().interact_size.y);
    }
}
