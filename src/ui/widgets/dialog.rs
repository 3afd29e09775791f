//! A dialog over the window: it scrolls where the window is too low for it, and Escape first closes what is
//! open in it.

use eframe::egui::{
    Align2, Context, Frame, Id, Key, LayerId, Modal, Modifiers, Popup, PopupAnchor, Ui, vec2,
};

use super::menu::scrolled_ui;

/// The part of the window's height that is above a dialog, and the points that are left free below and
/// beside it.
const ABOVE: f32 = 0.16;
const FREE: f32 = 12.0;

/// What a click outside a dialog does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outside {
    /// The dialog stays, with all that was typed into it.
    Stays,

    /// The dialog is left.
    Leaves,
}

/// Draws a dialog, `width` points wide if the window has them. Its top stays where it is, whatever comes and
/// goes below. Returns what its content gives, and whether the user leaves it.
pub fn dialog_ui<T>(
    ctx: &Context,
    name: &str,
    width: f32,
    outside: Outside,
    content: impl FnOnce(&mut Ui) -> T,
) -> (T, bool) {
    let id = Id::unique(name);
    let above = ABOVE * ctx.content_rect().height();
    hide_tooltips(ctx, id);
    // Asked before the content is drawn, which hears the key itself and closes its list.
    let has_list = Popup::is_any_open(ctx);
    let area = Modal::default_area(id).anchor(Align2::CENTER_TOP, vec2(0.0, above));
    let modal = Modal::new(id).area(area).show(ctx, |ui| {
        let frame = Frame::popup(ui.style()).total_margin().sum();
        ui.set_width(width.min(ui.ctx().content_rect().width() - frame.x - 2.0 * FREE));
        scrolled_ui(ui, dialog_height(ui), content)
    });
    let mut is_left = outside == Outside::Leaves && modal.backdrop_response.clicked();
    if modal.is_top_modal && !has_list {
        is_left |= ctx.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Escape));
    }
    (modal.inner, is_left)
}

/// The height in points from which on the content of a dialog scrolls.
pub fn dialog_height(ui: &Ui) -> f32 {
    let frame = Frame::popup(ui.style()).total_margin().sum();
    (1.0 - ABOVE) * ui.ctx().content_rect().height() - frame.y - FREE
}

/// Takes away the tooltips of the window that would lie over a dialog: egui shows none of a layer where a
/// popup is open. This one has no place, and is not drawn.
fn hide_tooltips(ctx: &Context, dialog: Id) {
    let below = LayerId::background();
    Popup::new(dialog.with("below"), ctx.clone(), PopupAnchor::PointerFixed, below).show(|_| ());
}
