//! An area that scrolls to all that does not fit into it.

use std::hash::Hash;

use eframe::egui::{Rect, ScrollArea, Ui, UiBuilder, Vec2, vec2};

/// Points that roundings may add to the size of what an area holds.
const ROUNDING: Vec2 = vec2(1.0, 1.0);

/// Draws content that is given the room of its place, and scrolls where it is larger. `bars`: the points at
/// the right and below that are for scroll bars, so that they do not lie on what they scroll.
pub fn view_area_ui(
    ui: &mut Ui,
    salt: impl Hash + std::fmt::Debug,
    bars: Vec2,
    content: impl FnOnce(&mut Ui),
) {
    let room = ui.available_size();
    roomy_area_ui(ui, salt, bars, room, content);
}

/// As [`view_area_ui`], with content that is given `room`, whatever its place is.
pub fn roomy_area_ui(
    ui: &mut Ui,
    salt: impl Hash + std::fmt::Debug,
    bars: Vec2,
    room: Vec2,
    content: impl FnOnce(&mut Ui),
) {
    ScrollArea::both().id_salt(salt).auto_shrink(false).show(ui, |ui| {
        // What content rounds up is no reason to scroll.
        let size = room - bars - ROUNDING;
        let room = Rect::from_min_size(ui.cursor().min, size);
        // With a greatest size instead, egui would lay what is below its end over each other.
        ui.scope_builder(UiBuilder::new().max_rect(room), content);
    });
}
