//! The room between views, which the pointer drags: the keyboard has nothing to do there, and passes over it.

use eframe::egui::{FocusDirection, Id, Key, Rect, Sense, Ui};
use egui_tiles::{Tile, Tree};

use crate::ui::pane::Pane;

/// Sends the focus on, the way it came, from where tiles are moved and resized. To be called before the tiles
/// are drawn.
pub(super) fn pass_over(ui: &Ui, tree: &Tree<Pane>) {
    let ctx = ui.ctx();
    let came = Id::unique("the way the focus came");
    let (is_tab, is_back) = ui.input(|it| (it.key_pressed(Key::Tab), it.modifiers.shift));
    if is_tab {
        ctx.data_mut(|data| data.insert_temp(came, is_back));
    }
    let focused = ctx.memory(|memory| memory.focused());
    let Some(response) = focused.and_then(|id| ctx.read_response(id)) else { return };
    let is_tile = tree.tiles.tile_ids().any(|id| id.egui_id(tree.id()) == response.id);
    let is_room = response.layer_id == ui.layer_id()
        && response.sense == Sense::click_and_drag()
        && ui.max_rect().contains_rect(response.rect)
        && !is_in_view(tree, response.rect);
    if is_room && !is_tile {
        let is_back = ctx.data(|data| data.get_temp(came)).unwrap_or(false);
        let way = if is_back { FocusDirection::Previous } else { FocusDirection::Next };
        ctx.memory_mut(|memory| memory.move_focus(way));
        ctx.request_repaint();
    }
}

fn is_in_view(tree: &Tree<Pane>, rect: Rect) -> bool {
    let is_view = |id| matches!(tree.tiles.get(id), Some(Tile::Pane(_)));
    let mut seen = tree.active_tiles().into_iter().filter(|id| is_view(*id));
    seen.any(|id| tree.tiles.rect(id).is_some_and(|it| it.contains(rect.center())))
}
