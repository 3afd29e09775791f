//! Which views are open, in which mode, and where: tiles that can be dragged, resized, stacked as tabs
//! and closed.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use eframe::egui::{
    Color32, Frame, Id, Margin, Response, Role, ScrollArea, Stroke, Style, TextStyle, Ui,
    UiBuilder, Vec2, Visuals, WidgetInfo, WidgetText,
};
use egui_tiles::{
    Behavior, Container, EditAction, Linear, LinearDir, ResizeState, SimplificationOptions,
    TabState, Tabs, Tile, TileId, Tiles, Tree, UiResponse,
};
use serde::{Deserialize, Deserializer, Serialize};

use super::command::Command;
use super::pane::{Pane, View};
use crate::ui::widgets::command_button_ui;

/// The arrangement of the open views.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Workspace {
    /// Each tile is an open view in the mode that it shows. `None` until it is first drawn.
    #[serde(deserialize_with = "kept_tree")]
    tree: Option<Tree<Pane>>,

    /// The usual arrangement that the tree has, until views are moved by hand: it follows the size of
    /// the window.
    usual: Option<Form>,

    /// To be brought to the front when there is a tree.
    wanted: Option<Pane>,

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
        let mut tiles = Tiles::default();
        let views = View::ALL.map(|view| {
            let id = tiles.insert_pane(mode_of(view).unwrap_or_else(|| view.first_mode()));
            tiles.insert_tab_tile(vec![id])
        });
        let root = tiles.insert_grid_tile(views.into());
        *self = Self { tree: Some(Tree::new(tree_id(), root, tiles)), ..Self::default() };
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
        let Some(tree) = &mut self.tree else {
            self.wanted = Some(pane);
            return;
        };
        if let Some(id) = tile_of(tree, pane.view()) {
            tree.tiles.insert(id, Tile::Pane(pane));
        } else {
            let id = tree.tiles.insert_pane(pane);
            let place = home(tree, pane.view());
            match place {
                Some(tabs) => tree.move_tile_to_container(id, tabs, usize::MAX, false),
                None => tree.root = Some(tree.tiles.insert_tab_tile(vec![id])),
            }
        }
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

    fn in_front(&self) -> BTreeSet<Pane> {
        let Some(tree) = &self.tree else { return BTreeSet::new() };
        let tiles = tree.active_tiles().into_iter();
        tiles.filter_map(|id| tree.tiles.get_pane(&id)).copied().collect()
    }

    /// Puts the open views where they usually stand in a window of this size, unless they have been
    /// moved by hand.
    fn follow_size(&mut self, window: Vec2) {
        let form = Form::of(window);
        let is_usual = self.tree.is_none() || self.usual.is_some_and(|usual| usual != form);
        if !is_usual {
            return;
        }
        let (mut open, in_front) = (self.open(), self.in_front());
        open.sort_by_key(|pane| pane.view());
        let mut tree = form.tree(&open);
        // Of several that now share a place the first of the list is in front.
        let mut in_front: Vec<Pane> = in_front.into_iter().collect();
        in_front.sort_by_key(|pane| Reverse(pane.view()));
        for pane in in_front {
            tree.make_active(|_, tile| pane_of(tile) == Some(pane));
        }
        (self.tree, self.usual) = (Some(tree), Some(form));
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
        let scroll_to = self.scroll_to.map(|(view, _)| view);
        if scroll_to.is_some() {
            ui.ctx().request_repaint();
        }
        self.scroll_to = self.scroll_to.and_then(|(view, n)| Some((view, n.checked_sub(1)?)));
        let mut showing = Showing { closed, scroll_to, commands, pane_ui, is_moved: false };
        tree.ui(&mut showing, ui);
        if showing.is_moved {
            self.usual = None;
        }
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

/// An arrangement as it was kept. In those of earlier versions each mode was a view of its own: where
/// several are open that are now of one view, the view shows the one that was in front.
fn kept_tree<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Tree<Pane>>, D::Error> {
    let Some(mut tree) = Option::<Tree<Pane>>::deserialize(from)? else { return Ok(None) };
    if !is_sound(&tree) {
        return Ok(None);
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
    Ok(Some(tree))
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

/// Frames in which a row of tabs is scrolled to one of them: the row can go no further than it was long
/// in the frame before.
const N_SCROLLING: u8 = 2;

/// Points that the menu of a row of tabs takes, about.
const MENU_WIDTH: f32 = 36.0;

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

/// How views usually stand in a window of some size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Form {
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
    fn of(window: Vec2) -> Self {
        match (window.x, window.y) {
            (..1000.0, _) => Self::Tabs,
            (_, ..900.0) => Self::Beside,
            (..1900.0, _) => Self::Above,
            _ => Self::Wide,
        }
    }

    fn columns(self) -> Columns {
        match self {
            Self::Tabs => &[(1.0, &[(1.0, &[])])],
            Self::Beside => &[(0.55, &[(1.0, &[View::Trace])]), (0.45, &[(1.0, &[])])],
            Self::Above => &[
                (0.55, &[(1.0, &[View::Trace])]),
                (0.45, &[(0.36, &[View::Prediction]), (0.64, &[])]),
            ],
            Self::Wide => &[
                (0.42, &[(1.0, &[View::Trace])]),
                (0.29, &[(0.36, &[View::Prediction]), (0.64, &[])]),
                (0.29, &[(1.0, &[View::Attention])]),
            ],
        }
    }

    /// The arrangement of these views, in their order.
    fn tree(self, open: &[Pane]) -> Tree<Pane> {
        let mut tiles = Tiles::default();
        let columns = self.columns();
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

/// The workspace while it is drawn.
struct Showing<'a> {
    closed: Vec<View>,
    scroll_to: Option<View>,
    commands: &'a mut Vec<Command>,
    pane_ui: &'a mut dyn FnMut(&mut Ui, Pane, &mut Vec<Command>),

    /// Whether a view was moved, or an edge between views.
    is_moved: bool,
}

impl Showing<'_> {
    /// The modes of a view, to choose from.
    fn modes_ui(&mut self, ui: &mut Ui, shown: Pane) {
        if shown.view().modes().nth(1).is_none() {
            return;
        }
        ui.horizontal_wrapped(|ui| {
            for pane in shown.view().modes() {
                let mode = ui.selectable_label(pane == shown, pane.mode());
                if mode.on_hover_text(pane.tooltip()).clicked() {
                    self.commands.push(Command::ShowPane(pane));
                }
            }
        });
        ui.add_space(2.0);
    }

    /// What can be taken away of the view in front, and what else there is.
    fn menu_ui(&mut self, ui: &mut Ui, active: Option<Pane>) {
        let shown = active.filter(|pane| pane.has_results());
        for command in shown.into_iter().flat_map(Command::taking_away) {
            if command_button_ui(ui, command, self.commands) {
                ui.close();
            }
        }
        ui.separator();
        if let Some(view) = active.map(Pane::view) {
            let button = ui.button(format!("Close {}", view.text()));
            if button.on_hover_text("A middle click on its tab does the same").clicked() {
                self.commands.push(Command::CloseView(view));
                ui.close();
            }
        }
        if self.closed.is_empty() {
            return;
        }
        ui.weak("Open");
        for view in &self.closed {
            if ui.button(view.text()).on_hover_text(view.tooltip()).clicked() {
                self.commands.push(Command::ShowPane(view.first_mode()));
                ui.close();
            }
        }
    }
}

fn text_width(ui: &Ui, text: &str) -> f32 {
    let font = TextStyle::Button.resolve(ui.style());
    ui.painter().layout_no_wrap(text.to_owned(), font, Color32::PLACEHOLDER).size().x
}

impl Behavior<Pane> for Showing<'_> {
    fn pane_ui(&mut self, ui: &mut Ui, _tile: TileId, pane: &mut Pane) -> UiResponse {
        let pane = *pane;
        let region = UiBuilder::new().accessibility_role(Role::TabPanel);
        let shown = ui.scope_builder(region, |ui| {
            let frame = Frame::NONE.inner_margin(Margin::symmetric(10, 8));
            frame.show(ui, |ui| {
                self.modes_ui(ui, pane);
                // One scroll area around all of a view: whatever its height, nothing is cut off.
                let area = ScrollArea::both().id_salt(pane).auto_shrink(false);
                area.show(ui, |ui| (self.pane_ui)(ui, pane, self.commands));
            });
        });
        let name = format!("{} view", pane.text());
        shown.response.widget_info(|| WidgetInfo::labeled(Role::TabPanel, true, &name));
        UiResponse::None
    }

    fn tab_title_for_pane(&mut self, pane: &Pane) -> WidgetText {
        pane.view().text().into()
    }

    fn on_tab_button(
        &mut self,
        tiles: &mut Tiles<Pane>,
        tile: TileId,
        response: Response,
    ) -> Response {
        let Some(view) = tiles.get_pane(&tile).map(|pane| pane.view()) else { return response };
        if response.middle_clicked() {
            self.commands.push(Command::CloseView(view));
        }
        response.on_hover_text(view.tooltip())
    }

    fn tab_title_spacing(&self, _visuals: &Visuals) -> f32 {
        6.0
    }

    fn top_bar_right_ui(
        &mut self,
        tiles: &Tiles<Pane>,
        ui: &mut Ui,
        _tile: TileId,
        tabs: &Tabs,
        offset: &mut f32,
    ) {
        if let Some(wanted) = self.scroll_to
            && let Some(nth) = tabs
                .children
                .iter()
                .position(|tile| tiles.get_pane(tile).is_some_and(|pane| pane.view() == wanted))
        {
            let around = 2.0 * self.tab_title_spacing(ui.visuals());
            let width = |tabs: &[TileId]| -> f32 {
                let panes = tabs.iter().filter_map(|tile| tiles.get_pane(tile));
                panes.map(|pane| text_width(ui, pane.view().text()) + around).sum()
            };
            let has_room = width(&tabs.children) < ui.available_width() - MENU_WIDTH;
            *offset = if has_room { 0.0 } else { width(&tabs.children[..nth]) };
        }
        let active = tabs.active.and_then(|tile| tiles.get_pane(&tile)).copied();
        let menu = ui.menu_button("…", |ui| self.menu_ui(ui, active)).response;
        menu.on_hover_text("Take away what is shown, or open another view")
            .accessible_name("Menu of these views");
    }

    fn on_edit(&mut self, edit: EditAction) {
        self.is_moved |= matches!(edit, EditAction::TileResized | EditAction::TileDropped);
    }

    fn simplification_options(&self) -> SimplificationOptions {
        SimplificationOptions { all_panes_must_have_tabs: true, ..Default::default() }
    }

    fn gap_width(&self, _style: &Style) -> f32 {
        1.0
    }

    fn resize_stroke(&self, style: &Style, state: ResizeState) -> Stroke {
        match state {
            ResizeState::Idle => style.visuals.widgets.noninteractive.bg_stroke,
            ResizeState::Hovering => style.visuals.widgets.hovered.fg_stroke,
            ResizeState::Dragging => style.visuals.widgets.active.fg_stroke,
        }
    }

    /// Narrower, and a map is no map.
    fn min_size(&self) -> f32 {
        160.0
    }

    fn tab_bar_color(&self, visuals: &Visuals) -> Color32 {
        visuals.panel_fill
    }

    fn tab_bg_color(
        &self,
        visuals: &Visuals,
        _tiles: &Tiles<Pane>,
        _tile: TileId,
        state: &TabState,
    ) -> Color32 {
        if state.active { visuals.selection.bg_fill } else { visuals.panel_fill }
    }

    fn tab_outline_stroke(
        &self,
        _visuals: &Visuals,
        _tiles: &Tiles<Pane>,
        _tile: TileId,
        _state: &TabState,
    ) -> Stroke {
        Stroke::NONE
    }

    fn tab_text_color(
        &self,
        visuals: &Visuals,
        _tiles: &Tiles<Pane>,
        _tile: TileId,
        state: &TabState,
    ) -> Color32 {
        if state.active { visuals.selection.stroke.color } else { visuals.text_color() }
    }
}
