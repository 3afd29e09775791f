use eframe::egui::{Color32, TextStyle, Ui};

/// Begins a new line where a name and its control do not fit in this one: apart they do not look
/// like one.
pub fn keep_together(ui: &mut Ui, name: &str, width: f32) {
    let font = TextStyle::Body.resolve(ui.style());
    let text = ui.painter().layout_no_wrap(name.to_owned(), font, Color32::PLACEHOLDER);
    let needed = text.size().x + width + 3.0 * ui.spacing().item_spacing.x;
    if ui.layout().main_wrap() && ui.available_size_before_wrap().x < needed {
        ui.end_row();
        // Else the name stands as high as it is itself, and its control below.
        ui.set_row_height(ui.spacing().interact_size.y);
    }
}
