//! Which views are open, in which mode, and where: tiles that can be dragged, resized, stacked as tabs
//! and closed.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use eframe::egui::{Context, Id, Ui, Vec2};
use egui_tiles::{Container, Tabs, Tile, TileId, Tree};
use serde::{Deserialize, Serialize};

use super::command::Command;
use super::pane::{Pane, View};

mod between;
mod by_hand;
mod form;
mod kept;
mod showing;

use by_hand::ByHand;
use form::Form;
use kept::kept_tree;
use showing::Showing;

/// The arrangement of the open views.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Workspace {
    /// Each tile is an open view in the mode that it shows. `None` until it is first drawn.
    #[serde(deserialize_with = "kept_tree")]
    tree: Option<Tree<Pane>>,

    /// The usual arrangement that the tree has, until views are moved, or picked by their tabs: it
    /// follows the size of the window.
    usual: Option<Form>,

    /// For how many columns the window had room when the tree was last drawn. `None` in arrangements of
    /// earlier versions.
    room: Option<usize>,

    /// What was arranged by hand for windows with room for another number of columns.
    by_hand: ByHand,

    /// To be brought to the front when there is a tree.
    wanted: Option<Pane>,

    /// The mode that was asked for last: where places fall together, it stays in front.
    last: Option<Pane>,

    /// The view whose tab is to be seen, and in how many frames.
    #[serde(skip)]
    scroll_to: Option<(View, u8)>,
}

impl Workspace {
    /// The usual arrangement again.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// Every view open, and none behind another.
    pub fn spread(&mut self) {
        let open = self.open();
        let mode_of = |view: View| open.iter().copied().find(|pane| pane.view() == view);
        let all = View::ALL.map(|view| mode_of(view).unwrap_or_else(|| view.first_mode()));
        let room = self.room;
        *self = Self { tree: Some(form::all_beside(&all)), room, ..Self::default() };
    }

    /// Brings the tabs in front into sight: the arrangement has taken the place of another.
    pub fn reveal(ctx: &Context) {
        showing::forget_rows(ctx);
    }

    pub fn is_open(&self, view: View) -> bool {
        self.open().iter().any(|pane| pane.view() == view)
    }

    /// The mode of each open view.
    fn open(&self) -> Vec<Pane> {
        match &self.tree {
            Some(tree) => tree.tiles.tiles().filter_map(pane_of).collect(),
            None => View::ALL[..View::N_USUAL].iter().map(|view| view.first_mode()).collect(),
        }
    }

    /// Shows a view in one of its modes: opens it if it is closed, and brings it to the front.
    pub fn show(&mut self, pane: Pane) {
        self.scroll_to = Some((pane.view(), N_SCROLLING));
        self.last = Some(pane);
        let Some(tree) = &mut self.tree else {
            self.wanted = Some(pane);
            return;
        };
        put(tree, pane);
        tree.make_active(|_, tile| pane_of(tile) == Some(pane));
    }

    pub fn close(&mut self, view: View) {
        if let Some(tree) = &mut self.tree
            && let Some(id) = tile_of(tree, view)
        {
            tree.remove_recursively(id);
        }
    }

    /// Whether a mode can be seen: its view is in it, and is not behind another tab.
    pub fn is_in_front(&self, pane: Pane) -> bool {
        self.in_front().contains(&pane)
    }

    /// The modes that can be seen.
    pub fn in_front(&self) -> BTreeSet<Pane> {
        let Some(tree) = &self.tree else { return BTreeSet::new() };
        let tiles = tree.active_tiles().into_iter();
        tiles.filter_map(|id| tree.tiles.get_pane(&id)).copied().collect()
    }

    /// Arranges the open views for a window of this size: as somebody has arranged them in one with room for
    /// as many columns, or else as they usually stand there. What somebody has touched stays as it is while
    /// its columns have room: who has picked a tab looks for it where it was.
    fn follow_size(&mut self, window: Vec2) {
        let form = Form::of(window);
        let room = form.n_columns();
        // Arrangements of earlier versions are taken to be made for a window with room for two columns.
        let before = self.room.replace(room).unwrap_or_else(|| room.max(2));
        let has_place = self.tree.as_ref().is_some_and(|tree| match self.usual {
            Some(usual) => usual == form,
            None => before == room || !self.by_hand.has(room) && by_hand::fits(tree, before, room),
        });
        if has_place {
            return;
        }
        let (mut open, in_front) = (self.open(), self.in_front());
        open.sort_by_key(|pane| pane.view());
        let kept = if before == room { None } else { self.by_hand.take(room) };
        let left = self.tree.take().filter(|_| self.usual.is_none());
        if let Some(left) = left {
            self.by_hand.keep(before, left);
        }
        self.usual = kept.is_none().then_some(form);
        let mut tree = kept.map_or_else(|| form.tree(&open), |tree| with_views(tree, &open));
        // Of several that now share a place the one that was asked for last is in front, or else the
        // first of the list.
        let mut in_front: Vec<Pane> = in_front.into_iter().collect();
        in_front.sort_by_key(|pane| (self.last == Some(*pane), Reverse(pane.view())));
        for pane in in_front {
            tree.make_active(|_, tile| pane_of(tile) == Some(pane));
        }
        self.tree = Some(tree);
        if let Some(pane) = self.wanted.take() {
            self.show(pane);
        }
    }

    /// `pane_ui` draws a view into its place.
    pub fn ui(
        &mut self,
        ui: &mut Ui,
        commands: &mut Vec<Command>,
        pane_ui: &mut dyn FnMut(&mut Ui, Pane, &mut Vec<Command>),
    ) {
        self.follow_size(ui.ctx().content_rect().size());
        let closed = View::ALL.into_iter().filter(|view| !self.is_open(*view)).collect();
        let Some(tree) = &mut self.tree else { return };
        if tree.is_empty() {
            ui.vertical_centered(|ui| {
                ui.add_space(ui.available_height() * 0.4);
                ui.label("All views are closed");
                if ui.button(Command::ResetLayout.text()).clicked() {
                    commands.push(Command::ResetLayout);
                }
            });
            return;
        }
        between::pass_over(ui, tree);
        let scroll_to = self.scroll_to.map(|(view, _)| view);
        if scroll_to.is_some() {
            ui.ctx().request_repaint();
        }
        self.scroll_to = self.scroll_to.and_then(|(view, n)| Some((view, n.checked_sub(1)?)));
        let mut showing = Showing {
            closed,
            scroll_to,
            revealed: None,
            commands,
            pane_ui,
            picked: None,
            is_moved: false,
        };
        tree.ui(&mut showing, ui);
        let (picked, is_moved) = (showing.picked, showing.is_moved);
        // Where all views are tabs in one place, to pick one is to look at it.
        if is_moved || (picked.is_some() && self.usual != Some(Form::Tabs)) {
            self.usual = None;
        }
        self.last = picked.or(self.last);
    }
}

fn tree_id() -> Id {
    Id::unique("workspace")
}

fn pane_of(tile: &Tile<Pane>) -> Option<Pane> {
    match tile {
        Tile::Pane(pane) => Some(*pane),
        Tile::Container(_) => None,
    }
}

fn tile_of(tree: &Tree<Pane>, view: View) -> Option<TileId> {
    let mut tiles = tree.tiles.iter();
    tiles.find(|(_, tile)| pane_of(tile).is_some_and(|it| it.view() == view)).map(|(id, _)| *id)
}

/// Gives a view the mode, and a place if it has none.
fn put(tree: &mut Tree<Pane>, pane: Pane) {
    if let Some(id) = tile_of(tree, pane.view()) {
        tree.tiles.insert(id, Tile::Pane(pane));
        return;
    }
    let id = tree.tiles.insert_pane(pane);
    match home(tree, pane.view()) {
        Some(tabs) => tree.move_tile_to_container(id, tabs, usize::MAX, false),
        None => tree.root = Some(tree.tiles.insert_tab_tile(vec![id])),
    }
}

/// An arrangement with these views and no others: some may have been opened and closed since it was made.
fn with_views(mut tree: Tree<Pane>, open: &[Pane]) -> Tree<Pane> {
    let is_open = |pane: Pane| open.iter().any(|it| it.view() == pane.view());
    let closed = tree.tiles.iter().filter(|(_, tile)| pane_of(tile).is_some_and(|it| !is_open(it)));
    for id in closed.map(|(id, _)| *id).collect::<Vec<_>>() {
        tree.remove_recursively(id);
    }
    for &pane in open {
        put(&mut tree, pane);
    }
    tree
}

/// Frames in which a row of tabs is scrolled to one of them: the row can go no further than it was long
/// in the frame before.
const N_SCROLLING: u8 = 2;

/// Where a closed view comes back: with the most tabs, but not on top of the trace.
fn home(tree: &Tree<Pane>, view: View) -> Option<TileId> {
    let tabs = tree.tiles.iter().filter_map(|(id, tile)| match tile {
        Tile::Container(Container::Tabs(tabs)) => Some((*id, tabs)),
        _ => None,
    });
    let trace = tile_of(tree, View::Trace);
    let holds_trace = |tabs: &Tabs| trace.is_some_and(|id| tabs.children.contains(&id));
    let most = tabs.max_by_key(|(id, tabs)| {
        (view == View::Trace || !holds_trace(tabs), tabs.children.len(), Reverse(id.0))
    });
    most.map(|(id, _)| id)
}
