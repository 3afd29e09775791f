//! How tiles, tabs and their menus are drawn.

use eframe::egui::{
    Align, Align2, Color32, CornerRadius, Frame, Id, Layout, Margin, Rect, Response, Role,
    ScrollArea, Sense, Stroke, Style, TextStyle, Ui, UiBuilder, Vec2, Visuals, WidgetInfo,
    WidgetText, vec2,
};
use egui_tiles::{
    Behavior, EditAction, ResizeState, SimplificationOptions, TabState, Tabs, TileId, Tiles,
    UiResponse,
};

use crate::ui::command::Command;
use crate::ui::pane::{Pane, View};
use crate::ui::widgets::command_button_ui;

/// Points that the menu of a row of tabs takes, about.
const MENU_WIDTH: f32 = 36.0;

/// Points around what a view shows.
const MARGIN: Margin = Margin { left: 10, right: 10, top: 8, bottom: 8 };

/// Points that roundings may add to the size of a view.
const ROUNDING: Vec2 = vec2(1.0, 1.0);

/// The workspace while it is drawn.
pub(super) struct Showing<'a> {
    pub closed: Vec<View>,
    pub scroll_to: Option<View>,
    pub commands: &'a mut Vec<Command>,
    pub pane_ui: &'a mut dyn FnMut(&mut Ui, Pane, &mut Vec<Command>),

    /// Whether a view was moved or picked by its tab, or an edge between views moved.
    pub is_touched: bool,
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

    /// What can be taken away of the view in front, and what else there is.
    fn menu_ui(&mut self, ui: &mut Ui, active: Option<Pane>) {
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

/// The least width in points of the part of a tab that is seen, for the sign that it is there.
const ELLIPSIS_WIDTH: f32 = 14.0;

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
                // lie in the margin, and not on what they scroll.
                let area = ScrollArea::both().id_salt(pane).auto_shrink(false);
                area.show(ui, |ui| {
                    // What a view rounds up is no reason to scroll.
                    let bars = vec2(MARGIN.rightf(), MARGIN.bottomf());
                    let size = ui.available_size() - bars - ROUNDING;
                    let room = Rect::from_min_size(ui.cursor().min, size);
                    // With a greatest size instead, egui would lay what is below its end over each
                    // other.
                    ui.scope_builder(UiBuilder::new().max_rect(room), |ui| {
                        (self.pane_ui)(ui, pane, self.commands);
                    });
                });
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
        let seen = rect.intersect(ui.clip_rect());
        if seen.width() >= ELLIPSIS_WIDTH && !state.is_being_dragged {
            // Half a title would read as another word.
            let is_whole = seen.width() > rect.width() - 1.0;
            let (text, place) = if is_whole { (title.text(), rect) } else { ("…", seen) };
            let fill = self.tab_bg_color(ui.visuals(), tiles, tile, state);
            let ink = self.tab_text_color(ui.visuals(), tiles, tile, state);
            let font = TextStyle::Button.resolve(ui.style());
            ui.painter().rect_filled(place.shrink(0.5), CornerRadius::ZERO, fill);
            ui.painter().text(place.center(), Align2::CENTER_CENTER, text, font, ink);
        }
        self.on_tab_button(tiles, tile, tab)
    }

    fn on_tab_button(
        &mut self,
        tiles: &mut Tiles<Pane>,
        tile: TileId,
        response: Response,
    ) -> Response {
        let Some(view) = tiles.get_pane(&tile).map(|pane| pane.view()) else { return response };
        self.is_touched |= response.clicked();
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
        self.is_touched |= matches!(edit, EditAction::TileResized | EditAction::TileDropped);
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
