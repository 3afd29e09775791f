//! A dialog over the window.

use eframe::egui::{Align2, Context, Id, Modal, vec2};

/// The part of the window's height that is above a dialog.
const ABOVE: f32 = 0.16;

/// A dialog over the window whose top stays where it is, whatever comes and goes below.
pub fn dialog(ctx: &Context, name: &str) -> Modal {
    let id = Id::unique(name);
    let below_top = vec2(0.0, ABOVE * ctx.content_rect().height());
    Modal::new(id).area(Modal::default_area(id).anchor(Align2::CENTER_TOP, below_top))
}
