//! How views usually stand in a window of some size.

use eframe::egui::Vec2;
use egui_tiles::{Linear, LinearDir, TileId, Tiles, Tree};
use serde::{Deserialize, Serialize};

use super::tree_id;
use crate::ui::pane::{Pane, View};

/// How views usually stand in a window of some size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Form {
    /// All views are tabs in one place.
    Tabs,

    /// The trace, and the other views beside it.
    Beside,

    /// The trace, and beside it the prediction above the other views.
    Above,

    /// As `Above`, and the attention beside both.
    Wide,
}

/// Columns from the left, with their share of the width; in each, places from the top, with their share
/// of the height and their views. The place that names no views is that of all others.
type Columns = &'static [(f32, &'static [(f32, &'static [View])])];

impl Form {
    /// `window` is in points.
    pub(super) fn of(window: Vec2) -> Self {
        match (window.x, window.y) {
            (..1000.0, _) => Self::Tabs,
            (_, ..900.0) => Self::Beside,
            (..1900.0, _) => Self::Above,
            _ => Self::Wide,
        }
    }

    /// How many columns there are, and room for in a window of that size.
    pub(super) fn n_columns(self) -> usize {
        self.columns().len()
    }

    fn columns(self) -> Columns {
        match self {
            Self::Tabs => &[(1.0, &[(1.0, &[])])],
            Self::Beside => &[(0.55, &[(1.0, &[View::Trace])]), (0.45, &[(1.0, &[])])],
            Self::Above => &[
                (0.55, &[(1.0, &[View::Trace])]),
                (0.45, &[(0.46, &[View::Prediction]), (0.54, &[])]),
            ],
            Self::Wide => &[
                (0.42, &[(1.0, &[View::Trace])]),
                (0.29, &[(0.41, &[View::Prediction]), (0.59, &[])]),
                (0.29, &[(1.0, &[View::Attention])]),
            ],
        }
    }

    /// The arrangement of these views, in their order.
    pub(super) fn tree(self, open: &[Pane]) -> Tree<Pane> {
        tree_of(self.columns(), open)
    }
}

/// All views in places of their own. Those with maps of a prompt's tokens have the more room.
pub(super) fn all_beside(views: &[Pane]) -> Tree<Pane> {
    const COLUMNS: Columns = &[
        (0.25, &[(1.0, &[View::Trace])]),
        (0.25, &[(0.3, &[View::Prediction]), (0.4, &[View::Attention]), (0.3, &[View::Lens])]),
        (
            0.25,
            &[
                (0.25, &[View::Attribution]),
                (0.25, &[View::Ablation]),
                (0.25, &[View::Comparison]),
                (0.25, &[View::Patching]),
            ],
        ),
        (
            0.25,
            &[
                (0.25, &[View::Many]),
                (0.25, &[View::Routes]),
                (0.25, &[View::Change]),
                (0.25, &[View::Record]),
            ],
        ),
    ];
    tree_of(COLUMNS, views)
}

/// The arrangement of views in columns, in their order.
fn tree_of(columns: Columns, open: &[Pane]) -> Tree<Pane> {
    let mut tiles = Tiles::default();
    let named: Vec<View> =
        columns.iter().flat_map(|it| it.1).flat_map(|it| it.1).copied().collect();
    let mut shown = Vec::new();
    for (width, places) in columns {
        let mut column = Vec::new();
        for (height, views) in *places {
            let is_here = |pane: &&Pane| match views {
                [] => !named.contains(&pane.view()),
                _ => views.contains(&pane.view()),
            };
            let tabs: Vec<TileId> =
                open.iter().filter(is_here).map(|pane| tiles.insert_pane(*pane)).collect();
            if !tabs.is_empty() {
                column.push((tiles.insert_tab_tile(tabs), *height));
            }
        }
        shown.extend(in_line(&mut tiles, LinearDir::Vertical, &column).map(|it| (it, *width)));
    }
    match in_line(&mut tiles, LinearDir::Horizontal, &shown) {
        Some(root) => Tree::new(tree_id(), root, tiles),
        None => Tree::empty(tree_id()),
    }
}

/// Tiles one after the other, each with its share. `None` where there are none.
fn in_line(tiles: &mut Tiles<Pane>, dir: LinearDir, shares: &[(TileId, f32)]) -> Option<TileId> {
    match shares {
        [] => None,
        [(id, _)] => Some(*id),
        _ => {
            let mut linear = Linear::new(dir, shares.iter().map(|(id, _)| *id).collect());
            for (id, share) in shares {
                linear.shares.set_share(*id, *share);
            }
            Some(tiles.insert_container(linear))
        }
    }
}
