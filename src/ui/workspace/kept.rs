//! Arrangements as a file holds them.

use std::collections::{BTreeMap, BTreeSet};

use egui_tiles::{Tile, TileId, Tree};
use serde::{Deserialize as _, Deserializer};

use super::pane_of;
use crate::ui::pane::Pane;

/// An arrangement as it was kept. In those of earlier versions each mode was a view of its own: where
/// several are open that are now of one view, the view shows the one that was in front.
pub(super) fn kept_tree<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<Tree<Pane>>, D::Error> {
    Ok(Option::<Tree<Pane>>::deserialize(from)?.and_then(mended))
}

/// Several arrangements as they were kept.
pub(super) fn kept_trees<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<BTreeMap<usize, Tree<Pane>>, D::Error> {
    let kept = BTreeMap::<usize, Tree<Pane>>::deserialize(from)?;
    Ok(kept.into_iter().filter_map(|(room, tree)| Some((room, mended(tree)?))).collect())
}

/// An arrangement in which each view stands once. `None` if it holds itself.
fn mended(mut tree: Tree<Pane>) -> Option<Tree<Pane>> {
    if !is_sound(&tree) {
        return None;
    }
    let in_front = tree.active_tiles();
    let tiles = tree.tiles.iter().filter_map(|(id, tile)| Some((*id, pane_of(tile)?)));
    let mut tiles: Vec<(TileId, Pane)> = tiles.collect();
    tiles.sort_by_key(|(id, pane)| (!in_front.contains(id), *pane));
    let mut seen = BTreeSet::new();
    for (id, pane) in tiles {
        if !seen.insert(pane.view()) {
            tree.remove_recursively(id);
        }
    }
    Some(tree)
}

/// Whether no tile holds itself, and each is held once at most: a file may say anything.
fn is_sound(tree: &Tree<Pane>) -> bool {
    let mut seen = BTreeSet::new();
    let mut to_see: Vec<TileId> = tree.root.into_iter().collect();
    while let Some(id) = to_see.pop() {
        if !seen.insert(id.0) {
            return false;
        }
        if let Some(Tile::Container(container)) = tree.tiles.get(id) {
            to_see.extend(container.children());
        }
    }
    true
}
