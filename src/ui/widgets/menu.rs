//! Menus and lists that open over the window: where it is too low for them, they scroll.

use eframe::egui::containers::menu::is_in_menu;
use eframe::egui::{Frame, Response, ScrollArea, Ui};

/// Points that are left free between what opens and the edges of the window and its button.
const FREE: f32 = 6.0;

/// Points that a scroll bar takes beside what it scrolls: it is wider under the pointer.
pub(super) const SCROLL_BAR: f32 = 12.0;

/// A button that opens a menu, or, in a menu, one beside it.
pub fn menu_ui(ui: &mut Ui, title: &str, items: impl FnOnce(&mut Ui)) -> Response {
    let height = room(ui);
    ui.menu_button(title, |ui| scrolled_ui(ui, height, items)).response
}

/// The greatest height in points of what a button here opens: below or above it, where there is more
/// room, and, in a menu, beside it.
pub(super) fn room(ui: &Ui) -> f32 {
    let window = ui.ctx().content_rect();
    let (row, frame) = (ui.spacing().interact_size.y, Frame::menu(ui.style()));
    let top = ui.cursor().top();
    let height = if is_in_menu(ui) {
        window.height() - FREE
    } else {
        (window.bottom() - top - row).max(top - window.top())
    };
    height - frame.total_margin().sum().y - FREE
}

/// What is no higher than `height` points, and else scrolls.
pub(super) fn scrolled_ui<T>(ui: &mut Ui, height: f32, items: impl FnOnce(&mut Ui) -> T) -> T {
    // The bar has a place of its own beside what it scrolls.
    ui.spacing_mut().scroll.floating_allocated_width = SCROLL_BAR;
    // However low it was before: an area that once was low would stay so.
    let area = ScrollArea::vertical().max_height(height).min_scrolled_height(height);
    area.show(ui, items).inner
}
