//! How tiles, tabs and their menus are drawn.

use eframe::egui::style::ScrollAnimation;
use eframe::egui::{
    Align, Align2, Color32, Context, CornerRadius, Frame, Id, Layout, Margin, Response, Role,
    Sense, Stroke, Style, TextStyle, Ui, UiBuilder, Visuals, WidgetInfo, WidgetText, vec2,
};
use egui_tiles::{
    Behavior, EditAction, ResizeState, SimplificationOptions, TabState, Tabs, TileId, Tiles,
    UiResponse,
};

use crate::ui::command::Command;
use crate::ui::pane::{Pane, View};
use crate::ui::theme;
use crate::ui::widgets::{command_button_ui, elide_end, menu_ui, view_area_ui};

/// Points that the menu of a row of tabs takes, about.
const MENU_WIDTH: f32 = 36.0;

/// Points around what a view shows.
const MARGIN: Margin = Margin { left: 10, right: 10, top: 8, bottom: 8 };

/// The workspace while it is drawn.
pub(super) struct Showing<'a> {
    pub closed: Vec<View>,
    pub scroll_to: Option<View>,

    /// The tab that is brought into sight, of the row that is drawn.
    pub revealed: Option<TileId>,
    pub commands: &'a mut Vec<Command>,
    pub pane_ui: &'a mut dyn FnMut(&mut Ui, Pane, &mut Vec<Command>),

    /// What was picked by its tab.
    pub picked: Option<Pane>,

    /// Whether a view or an edge between views was moved.
    pub is_moved: bool,
}

impl Showing<'_> {
    /// The modes of a view, to choose from.
    fn modes_ui(&mut self, ui: &mut Ui, shown: Pane) {
        if shown.view().modes().nth(1).is_none() {
            return;
        }
        let size = vec2(ui.available_width() - MARGIN.rightf(), ui.spacing().interact_size.y);
        let row = Layout::left_to_right(Align::Center).with_main_wrap(true);
        ui.allocate_ui_with_layout(size, row, |ui| {
            for pane in shown.view().modes() {
                let mode = ui.selectable_label(pane == shown, pane.mode());
                if mode.on_hover_text(pane.tooltip()).clicked() {
                    self.commands.push(Command::ShowPane(pane));
                }
            }
        });
        ui.add_space(2.0);
    }

    /// What can be taken away of the view in front, and what else there is. `row`: the views of a row of
    /// tabs that do not all fit into it.
    fn menu_ui(&mut self, ui: &mut Ui, active: Option<Pane>, row: &[Pane]) {
        for &pane in row {
            let tab = ui.selectable_label(Some(pane) == active, pane.view().text());
            if tab.on_hover_text(pane.view().tooltip()).clicked() {
                self.commands.push(Command::ShowPane(pane));
                ui.close();
            }
        }
        if !row.is_empty() {
            ui.separator();
        }
        let shown = active.filter(|pane| pane.has_figure());
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

/// Frames in which a row of tabs is scrolled that has become another: the arrows beside it come and go
/// meanwhile, and take room.
const N_REVEALING: u8 = 10;

/// What a row of tabs was when it was last drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Row {
    active: Option<TileId>,
    n_tabs: usize,

    /// In points.
    width: f32,
}

/// Whether a row of tabs is another since a few frames: then the tab in front may be out of sight.
fn is_new(ui: &Ui, tile: TileId, row: Row) -> bool {
    let place = Id::unique(("row of tabs", tile));
    let last = ui.data(|data| data.get_temp::<(Row, u8)>(place));
    let n_frames = match last {
        Some((last, n_frames)) if last == row => n_frames,
        _ => N_REVEALING,
    };
    ui.data_mut(|data| data.insert_temp(place, (row, n_frames.saturating_sub(1))));
    if n_frames > 0 {
        ui.request_repaint();
    }
    n_frames > 0
}

/// All rows of tabs are new in the next frame.
pub(super) fn forget_rows(ctx: &Context) {
    ctx.data_mut(|data| data.remove_by_type::<(Row, u8)>());
}

/// The least width in points of the part of a tab that is seen, for something of its title.
const LEAST_PART: f32 = 14.0;

fn text_width(ui: &Ui, text: &str) -> f32 {
    let font = TextStyle::Button.resolve(ui.style());
    ui.painter().layout_no_wrap(text.to_owned(), font, Color32::PLACEHOLDER).size().x
}

impl Behavior<Pane> for Showing<'_> {
    fn pane_ui(&mut self, ui: &mut Ui, _tile: TileId, pane: &mut Pane) -> UiResponse {
        let pane = *pane;
        let region = UiBuilder::new().accessibility_role(Role::TabPanel);
        let shown = ui.scope_builder(region, |ui| {
            let margin = Margin { right: 0, bottom: 0, ..MARGIN };
            Frame::NONE.inner_margin(margin).show(ui, |ui| {
                self.modes_ui(ui, pane);
                // One scroll area around all of a view: whatever its height, nothing is cut off. Its bars
                // lie in the margin.
                let bars = vec2(MARGIN.rightf(), MARGIN.bottomf());
                view_area_ui(ui, pane, bars, |ui| (self.pane_ui)(ui, pane, self.commands));
            });
        });
        let name = format!("{} view", pane.text());
        shown.response.widget_info(|| WidgetInfo::labeled(Role::TabPanel, true, &name));
        UiResponse::None
    }

    fn tab_title_for_pane(&mut self, pane: &Pane) -> WidgetText {
        pane.view().text().into()
    }

    fn tab_ui(
        &mut self,
        tiles: &mut Tiles<Pane>,
        ui: &mut Ui,
        id: Id,
        tile: TileId,
        state: &TabState,
    ) -> Response {
        let title = self.tab_title_for_tile(tiles, tile);
        let width = text_width(ui, title.text()) + 2.0 * self.tab_title_spacing(ui.visuals());
        let (_, rect) = ui.allocate_space(vec2(width, ui.available_height()));
        let tab = ui.interact(rect, id, Sense::click_and_drag());
        let tab = tab.on_hover_cursor(self.tab_hover_cursor_icon());
        tab.widget_info(|| {
            WidgetInfo::selected(Role::Button, ui.is_enabled(), state.active, title.text())
        });
        if self.revealed == Some(tile) {
            ui.scroll_to_rect_animation(rect, None, ScrollAnimation::none());
        }
        let seen = rect.intersect(ui.clip_rect());
        let is_whole = seen.width() > rect.width() - 1.0;
        if seen.width() >= LEAST_PART && !state.is_being_dragged {
            let font = TextStyle::Button.resolve(ui.style());
            // Half a title would read as another word.
            let (text, place) = if is_whole {
                (title.text().to_owned(), rect)
            } else {
                (elide_end(ui.painter(), title.text(), &font, seen.width() - 2.0), seen)
            };
            let fill = self.tab_bg_color(ui.visuals(), tiles, tile, state);
            let ink = self.tab_text_color(ui.visuals(), tiles, tile, state);
            ui.painter().rect_filled(place.shrink(0.5), CornerRadius::ZERO, fill);
            ui.painter().text(place.center(), Align2::CENTER_CENTER, text, font, ink);
            if tab.has_focus() {
                theme::focus_ring(ui, place);
            }
        }
        let tab = if is_whole { tab } else { tab.on_hover_text(title.text()) };
        self.on_tab_button(tiles, tile, tab)
    }

    fn on_tab_button(
        &mut self,
        tiles: &mut Tiles<Pane>,
        tile: TileId,
        response: Response,
    ) -> Response {
        let Some(&pane) = tiles.get_pane(&tile) else { return response };
        if response.clicked() {
            self.picked = Some(pane);
        }
        if response.middle_clicked() {
            self.commands.push(Command::CloseView(pane.view()));
        }
        response.on_hover_text(pane.view().tooltip())
    }

    fn tab_title_spacing(&self, _visuals: &Visuals) -> f32 {
        6.0
    }

    fn top_bar_right_ui(
        &mut self,
        tiles: &Tiles<Pane>,
        ui: &mut Ui,
        tile: TileId,
        tabs: &Tabs,
        _offset: &mut f32,
    ) {
        let wanted = self.scroll_to.and_then(|wanted| {
            let is_wanted =
                |tile: &&TileId| tiles.get_pane(tile).is_some_and(|it| it.view() == wanted);
            tabs.children.iter().find(is_wanted).copied()
        });
        let row =
            Row { active: tabs.active, n_tabs: tabs.children.len(), width: ui.available_width() };
        // A row that is another scrolls to the tab in front.
        let is_new = is_new(ui, tile, row);
        self.revealed = wanted.or_else(|| tabs.active.filter(|_| is_new));
        let panes = tabs.children.iter().filter_map(|tile| tiles.get_pane(tile)).copied();
        let mut squeezed: Vec<Pane> = panes.collect();
        let around = 2.0 * self.tab_title_spacing(ui.visuals());
        let widths = squeezed.iter().map(|pane| text_width(ui, pane.view().text()) + around);
        if widths.sum::<f32>() <= row.width - MENU_WIDTH {
            squeezed.clear();
        }
        let active = tabs.active.and_then(|tile| tiles.get_pane(&tile)).copied();
        let menu = menu_ui(ui, "…", |ui| self.menu_ui(ui, active, &squeezed));
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
