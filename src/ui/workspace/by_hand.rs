//! Arrangements that somebody has made by hand, while the window has no room for them.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use egui_tiles::{Container, GridLayout, LinearDir, Tile, TileId, Tree};
use serde::{Deserialize, Serialize};

use super::kept::kept_trees;
use crate::ui::pane::Pane;

/// The arrangements, by the number of columns that the window they were made in has room for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct ByHand(#[serde(deserialize_with = "kept_trees")] BTreeMap<usize, Tree<Pane>>);

impl ByHand {
    pub(super) fn has(&self, room: usize) -> bool {
        self.0.contains_key(&room)
    }

    /// Sets an arrangement aside.
    pub(super) fn keep(&mut self, room: usize, tree: Tree<Pane>) {
        self.0.insert(room, tree);
    }

    /// The arrangement that was made for such windows, or else for those that are most like them.
    pub(super) fn take(&mut self, room: usize) -> Option<Tree<Pane>> {
        let fitting = self.0.iter().filter(|(of, tree)| fits(tree, **of, room));
        let nearest = fitting.map(|(of, _)| *of).min_by_key(|of| (of.abs_diff(room), Reverse(*of)));
        self.0.remove(&nearest?)
    }
}

/// Whether an arrangement that was made in a window with room for `of` columns suits one with `room`.
pub(super) fn fits(tree: &Tree<Pane>, of: usize, room: usize) -> bool {
    let n_columns = tree.root.map_or(0, |root| n_columns(tree, root));
    // Tabs in one place that are all that a window has room for say nothing of wider ones.
    let is_squeezed = of == 1 && n_columns <= 1;
    of == room || (of > room && n_columns <= room) || (of < room && !is_squeezed)
}

/// How many places stand side by side.
fn n_columns(tree: &Tree<Pane>, id: TileId) -> usize {
    let Some(Tile::Container(container)) = tree.tiles.get(id) else { return 1 };
    let of_children = container.children().map(|child| n_columns(tree, *child));
    match container {
        Container::Linear(it) if it.dir == LinearDir::Horizontal => of_children.sum(),
        Container::Grid(it) => {
            let widest = of_children.max().unwrap_or(0);
            let n_children = it.num_children();
            let n_beside = match it.layout {
                GridLayout::Columns(n) => n.min(n_children),
                // As many as make the cells look best, which are two at least.
                GridLayout::Auto => n_children.min(2),
            };
            widest * n_beside
        }
        Container::Linear(_) | Container::Tabs(_) => of_children.max().unwrap_or(0),
    }
}
