//! Which views are open, and where: tiles that can be dragged, resized, stacked as tabs and closed.

use std::cmp::Reverse;

use eframe::egui::{
    Color32, Frame, Id, Margin, Response, ScrollArea, Stroke, Style, TextStyle, Ui, Visuals,
    WidgetText,
};
use egui_tiles::{
    Behavior, Container, Linear, LinearDir, ResizeState, SimplificationOptions, TabState, Tabs,
    Tile, TileId, Tiles, Tree, UiResponse,
};
use serde::{Deserialize, Serialize};

use super::command::Command;
use super::pane::Pane;
use super::widgets::in_columns_ui;
use crate::figure::Scale;

/// Points; in a lower window the predictions are one of the tabs.
const STACKED_HEIGHT: f32 = 760.0;

/// The arrangement of the open views.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Workspace {
    /// `None` until it is first drawn: the usual arrangement depends on the window's size.
    tree: Option<Tree<Pane>>,

    /// To be brought to the front when there is a tree.
    wanted: Option<Pane>,

    /// Its tab is to be seen.
    #[serde(skip)]
    scroll_to: Option<(Pane, u8)>,
}

impl Workspace {
    /// The usual arrangement again.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// Every view open, and none behind another.
    pub fn spread(&mut self) {
        let mut tiles = Tiles::default();
        let panes = Pane::ALL.map(|pane| {
            let id = tiles.insert_pane(pane);
            tiles.insert_tab_tile(vec![id])
        });
        let root = tiles.insert_grid_tile(panes.into());
        self.tree = Some(Tree::new(Id::unique("workspace"), root, tiles));
    }

    pub fn is_open(&self, pane: Pane) -> bool {
        match &self.tree {
            Some(tree) => tree.tiles.find_pane(&pane).is_some(),
            None => Pane::ALL[..Pane::N_USUAL].contains(&pane),
        }
    }

    /// Opens a view if it is closed, and brings it to the front.
    pub fn show(&mut self, pane: Pane) {
        self.scroll_to = Some((pane, N_SCROLLING));
        let Some(tree) = &mut self.tree else {
            self.wanted = Some(pane);
            return;
        };
        if tree.tiles.find_pane(&pane).is_none() {
            let id = tree.tiles.insert_pane(pane);
            let place = home(tree, pane);
            match place {
                Some(tabs) => tree.move_tile_to_container(id, tabs, usize::MAX, false),
                None => tree.root = Some(tree.tiles.insert_tab_tile(vec![id])),
            }
        }
        tree.make_active(|_, tile| matches!(tile, Tile::Pane(it) if *it == pane));
    }

    pub fn close(&mut self, pane: Pane) {
        if let Some(tree) = &mut self.tree
            && let Some(id) = tree.tiles.find_pane(&pane)
        {
            tree.remove_recursively(id);
        }
    }

    /// Whether it can be seen, and is not behind another tab.
    pub fn is_in_front(&self, pane: Pane) -> bool {
        let Some(tree) = &self.tree else { return false };
        tree.active_tiles().iter().any(|id| tree.tiles.get_pane(id) == Some(&pane))
    }

    /// `pane_ui` draws a view into its place.
    pub fn ui(
        &mut self,
        ui: &mut Ui,
        commands: &mut Vec<Command>,
        pane_ui: &mut dyn FnMut(&mut Ui, Pane, &mut Vec<Command>),
    ) {
        if self.tree.is_none() {
            self.tree = Some(usual(ui.available_size().y >= STACKED_HEIGHT));
            if let Some(pane) = self.wanted.take() {
                self.show(pane);
            }
        }
        let Some(tree) = &mut self.tree else { return };
        let closed: Vec<Pane> =
            Pane::ALL.into_iter().filter(|it| tree.tiles.find_pane(it).is_none()).collect();
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
        let scroll_to = self.scroll_to.map(|(pane, _)| pane);
        if scroll_to.is_some() {
            ui.ctx().request_repaint();
        }
        self.scroll_to = self.scroll_to.and_then(|(pane, n)| Some((pane, n.checked_sub(1)?)));
        let mut showing = Showing { closed, scroll_to, commands, pane_ui };
        tree.ui(&mut showing, ui);
    }
}

/// Frames in which a row of tabs is scrolled to one of them: the row can go no further than it was long
/// in the frame before.
const N_SCROLLING: u8 = 2;

/// Where a closed view comes back: with the most tabs, but not on top of the trace.
fn home(tree: &Tree<Pane>, pane: Pane) -> Option<TileId> {
    let tabs = tree.tiles.iter().filter_map(|(id, tile)| match tile {
        Tile::Container(Container::Tabs(tabs)) => Some((*id, tabs)),
        _ => None,
    });
    let holds_trace =
        |tabs: &Tabs| tabs.children.iter().any(|id| tree.tiles.get_pane(id) == Some(&Pane::Trace));
    let most = tabs.max_by_key(|(id, tabs)| {
        (pane == Pane::Trace || !holds_trace(tabs), tabs.children.len(), Reverse(id.0))
    });
    most.map(|(id, _)| id)
}

/// The trace with the fact and its inverse, the rest beside it.
fn usual(is_high: bool) -> Tree<Pane> {
    let mut tiles = Tiles::default();
    let mut tabs = |panes: &[Pane]| {
        let ids = panes.iter().map(|pane| tiles.insert_pane(*pane)).collect();
        tiles.insert_tab_tile(ids)
    };
    let trace = tabs(&[Pane::Trace]);
    let beside = if is_high {
        let prediction = tabs(&[Pane::Prediction]);
        let rest = tabs(&Pane::ALL[2..Pane::N_USUAL]);
        let shares = Linear::new_binary(LinearDir::Vertical, [prediction, rest], 0.36);
        tiles.insert_container(shares)
    } else {
        tabs(&Pane::ALL[1..Pane::N_USUAL])
    };
    let root = Linear::new_binary(LinearDir::Horizontal, [trace, beside], 0.55);
    let root = tiles.insert_container(root);
    Tree::new(Id::unique("workspace"), root, tiles)
}

/// The workspace while it is drawn.
struct Showing<'a> {
    closed: Vec<Pane>,
    scroll_to: Option<Pane>,
    commands: &'a mut Vec<Command>,
    pane_ui: &'a mut dyn FnMut(&mut Ui, Pane, &mut Vec<Command>),
}

impl Showing<'_> {
    /// What can be taken away of the view in front, and what else there is.
    fn menu_ui(&mut self, ui: &mut Ui, active: Option<Pane>) {
        let shown = active.filter(|pane| pane.has_results());
        for command in shown.into_iter().flat_map(Command::taking_away) {
            if ui.button(command.text()).on_hover_text(command.tooltip()).clicked() {
                self.commands.push(command);
                ui.close();
            }
        }
        ui.menu_button("Size of pictures", |ui| {
            for scale in Scale::ALL {
                let command = Command::SetFigureScale(scale.times());
                if ui.button(command.text()).on_hover_text(command.tooltip()).clicked() {
                    self.commands.push(command);
                    ui.close();
                }
            }
        });
        if self.closed.is_empty() {
            return;
        }
        ui.separator();
        ui.weak("Open");
        let commands = &mut *self.commands;
        in_columns_ui(ui, "closed views", &self.closed, |ui, pane| {
            if ui.button(pane.text()).on_hover_text(pane.tooltip()).clicked() {
                commands.push(Command::ShowPane(pane));
                ui.close();
            }
        });
    }
}

fn text_width(ui: &Ui, text: &str) -> f32 {
    let font = TextStyle::Button.resolve(ui.style());
    ui.painter().layout_no_wrap(text.to_owned(), font, Color32::PLACEHOLDER).size().x
}

impl Behavior<Pane> for Showing<'_> {
    fn pane_ui(&mut self, ui: &mut Ui, _tile: TileId, pane: &mut Pane) -> UiResponse {
        let pane = *pane;
        let frame = Frame::NONE.inner_margin(Margin::symmetric(10, 8));
        frame.show(ui, |ui| {
            if pane.scrolls() {
                let area = ScrollArea::vertical().id_salt(pane).auto_shrink(false);
                area.show(ui, |ui| (self.pane_ui)(ui, pane, self.commands));
            } else {
                (self.pane_ui)(ui, pane, self.commands);
            }
        });
        UiResponse::None
    }

    fn tab_title_for_pane(&mut self, pane: &Pane) -> WidgetText {
        pane.text().into()
    }

    fn on_tab_button(
        &mut self,
        tiles: &mut Tiles<Pane>,
        tile: TileId,
        response: Response,
    ) -> Response {
        match tiles.get_pane(&tile) {
            Some(pane) => response.on_hover_text(pane.tooltip()),
            None => response,
        }
    }

    fn tab_title_spacing(&self, _visuals: &Visuals) -> f32 {
        6.0
    }

    fn is_tab_closable(&self, tiles: &Tiles<Pane>, tile: TileId) -> bool {
        tiles.get_pane(&tile).is_some()
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
                .position(|tile| tiles.get_pane(tile).is_some_and(|pane| *pane == wanted))
        {
            let before = tabs.children[..nth].iter().filter_map(|tile| tiles.get_pane(tile));
            // What there is beside the text of a tab.
            let around = 2.0 * self.tab_title_spacing(ui.visuals()) + 16.0;
            *offset = before.map(|pane| text_width(ui, pane.text()) + around).sum();
        }
        let active = tabs.active.and_then(|tile| tiles.get_pane(&tile)).copied();
        let menu = ui.menu_button("…", |ui| self.menu_ui(ui, active)).response;
        menu.on_hover_text("Take away what is shown, or open another view")
            .accessible_name("Menu of these views");
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
