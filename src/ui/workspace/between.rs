//! The room between views, which the pointer drags: the keyboard has nothing to do there, and passes over it.

use eframe::egui::{Rect, Sense, Ui};
use egui_tiles::{Tile, Tree};

use crate::ui::pane::Pane;
use crate::ui::widgets;

/// Sends the focus on from where tiles are moved and resized. To be called before the tiles are drawn.
pub(super) fn pass_over(ui: &Ui, tree: &Tree<Pane>) {
    widgets::pass_over(ui, |response| {
        let is_tile = tree.tiles.tile_ids().any(|id| id.egui_id(tree.id()) == response.id);
        let is_room = response.layer_id == ui.layer_id()
            && response.sense == Sense::click_and_drag()
            && ui.max_rect().contains_rect(response.rect)
            && !is_in_view(tree, response.rect);
        is_room && !is_tile
    });
}

fn is_in_view(tree: &Tree<Pane>, rect: Rect) -> bool {
    let is_view = |id| matches!(tree.tiles.get(id), Some(Tile::Pane(_)));
    let mut seen = tree.active_tiles().into_iter().filter(|id| is_view(*id));
    seen.any(|id| tree.tiles.rect(id).is_some_and(|it| it.contains(rect.center())))
}
