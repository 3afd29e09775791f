//! A grid of coloured cells with labelled axes and a colour bar, as one texture.
//!
//! Cells are a whole number of pixels wide and high, so that all look the same and edges are crisp.

use eframe::egui::emath::GuiRounding as _;
use eframe::egui::{
    Id, PopupAnchor, Pos2, Rect, Response, RichText, Role, Sense, TextureId, Tooltip, Ui, Vec2,
    WidgetInfo, vec2,
};

mod axis;
mod layout;
mod painting;

pub use axis::{Axis, Label};
use layout::BAR_GAP;
use painting::Outlines;

use super::arrows::{arrow_steps, moved};
use super::color_bar::ColorBar;
use super::number::exact;
use super::range_menu::ColorRange;
use crate::figure::Map;
use crate::figure::words::capitalized;
use crate::ui::view::{Selection, ViewAction, ViewCtx};

/// A map, and how it is drawn.
pub struct Heatmap<'a> {
    map: &'a Map,
    rows: Axis<'a>,
    columns: Axis<'a>,

    /// The name of the map, as screen readers say it. Unique within its parent.
    pub name: &'a str,

    /// Values at the ends of the colour map; what lies outside is clipped.
    pub range: ColorRange,

    /// The outlined cell; a whole row or column if only one of them is set.
    pub selected_row: Option<usize>,
    pub selected_column: Option<usize>,

    /// The room for the map with its labels, in points. A map whose rows need more gets higher.
    pub max_height: f32,

    /// Whether the map is of one size with all that are compared with it.
    is_compared: bool,

    /// Whether it stands beside others, so that its tooltip says its name.
    pub is_one_of_several: bool,

    /// A picture in the place of the colours of the values, and what it shows of each cell.
    pub picture: Option<(TextureId, &'a dyn Fn(Cell) -> String)>,
}

/// The height of a map in points, unless the caller sets another.
const MAX_HEIGHT: f32 = 460.0;

impl<'a> Heatmap<'a> {
    /// # Panics
    ///
    /// If there is not one value for each row and column.
    pub fn new(map: &'a Map, ctx: &ViewCtx<'_>) -> Self {
        assert_eq!(map.values.len(), map.n_rows() * map.n_columns(), "one value per cell");
        Self {
            map,
            rows: Axis::of(&map.rows),
            columns: Axis::of(&map.columns),
            name: &map.name,
            range: ctx.range(&map.quantity, map.range),
            selected_row: map.rows.nth_of(ctx.selection),
            selected_column: map.columns.nth_of(ctx.selection),
            max_height: MAX_HEIGHT,
            is_compared: ctx.is_compared,
            is_one_of_several: false,
            picture: None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    pub row: usize,
    pub column: usize,
}

pub struct HeatmapResponse {
    pub response: Response,

    /// The cell below the pointer.
    pub hovered: Option<Cell>,

    /// The cell that was picked in this frame, by click or arrow key.
    pub picked: Option<Cell>,

    /// The action that sets other ends of the colours, if the user asked for one.
    pub asked: Option<ViewAction>,
}

impl HeatmapResponse {
    /// The action of a view for the cell that was picked, or that is below the pointer.
    pub fn action(&self, selection: impl Fn(Cell) -> Selection) -> Option<ViewAction> {
        let picked = self.picked.map(|cell| ViewAction::Select(selection(cell)));
        picked
            .or_else(|| self.asked.clone())
            .or_else(|| Some(ViewAction::Hover(selection(self.hovered?))))
    }
}

impl Heatmap<'_> {
    /// Draws the map with its axes and the scale of its colours. `sense`: whether cells can be dragged
    /// over.
    pub fn show(&self, ui: &mut Ui, sense: Sense) -> HeatmapResponse {
        let Map { color_map, quantity, .. } = self.map;
        let bar = ColorBar { color_maps: &[*color_map], range: self.range, quantity };
        let layout = self.layout(ui, &bar, vec2(ui.available_width(), self.max_height));

        let (outer, whole) = ui.allocate_exact_size(layout.size, Sense::hover());
        whole.widget_info(|| WidgetInfo::labeled(Role::Figure, true, self.axes()));
        let corner = outer.min.round_to_pixels(ui.pixels_per_point());
        let map = layout.map.translate(corner.to_vec2());
        let mut asked = None;
        if ui.is_rect_visible(outer) {
            let id = self.id(ui);
            self.paint_labels(ui, id, corner, &layout);
            let below = outer.bottom() - map.bottom();
            if self.picture.is_none() {
                asked = bar.show(ui, id.with("bar"), map.right() + BAR_GAP, map, below);
            }
        }
        let mut response = self.show_cells(ui, map, sense);
        if let Some(range) = asked {
            response.asked = Some(ViewAction::hold(quantity, range));
        }
        response
    }

    /// How large the map is when it is drawn in `room`: with all around it, and the cells alone.
    pub fn sizes(&self, ui: &Ui, room: Vec2) -> [Vec2; 2] {
        let Map { color_map, quantity, .. } = self.map;
        let bar = ColorBar { color_maps: &[*color_map], range: self.range, quantity };
        let layout = self.layout(ui, &bar, room);
        [layout.size, layout.map.size()]
    }

    /// Draws only the cells, where the caller has made room for them.
    ///
    /// # Panics
    ///
    /// If the map has no cells.
    pub fn show_cells(&self, ui: &Ui, map: Rect, sense: Sense) -> HeatmapResponse {
        let (n_rows, n_columns) = (self.map.n_rows(), self.map.n_columns());
        let id = self.id(ui);
        let size = map.size() / vec2(n_columns as f32, n_rows as f32);
        let mut response = ui.interact(map, id, sense);

        let cell_at = |pos: Pos2| {
            let at = (pos - map.min) / size;
            Cell {
                row: (at.y.max(0.0) as usize).min(n_rows - 1),
                column: (at.x.max(0.0) as usize).min(n_columns - 1),
            }
        };
        let hovered = response.hover_pos().map(cell_at);
        let mut picked = None;
        if response.clicked() {
            response.request_focus();
            picked = response.interact_pointer_pos().map(cell_at);
        }
        if response.has_focus() {
            picked = picked.or_else(|| self.moved_by_keys(ui, id));
        }
        if picked.is_some() {
            response.mark_changed();
        }

        if ui.is_rect_visible(map) {
            self.paint_cells(ui, id, map, size);
            let outlined = Outlines { map, cell: size };
            outlined.paint(ui, &response, self.selected_row, self.selected_column, hovered);
        }

        response.widget_info(|| {
            let shown = picked.or_else(|| self.selected());
            WidgetInfo::labeled(Role::Canvas, ui.is_enabled(), self.spoken(shown))
        });
        let quantity = &self.map.quantity;
        let is_colored = self.picture.is_none();
        let asked = is_colored.then(|| self.range.context_menu(&response, quantity)).flatten();
        let asked = asked.map(|range| ViewAction::hold(quantity, range));
        if let Some(cell) = hovered
            && !response.context_menu_opened()
        {
            self.tooltip(&response, cell);
        }
        HeatmapResponse { response, hovered, picked, asked }
    }

    fn id(&self, ui: &Ui) -> Id {
        ui.make_persistent_id(("heatmap", self.name))
    }

    fn value(&self, cell: Cell) -> f32 {
        self.map.values[self.nth(cell)]
    }

    fn nth(&self, cell: Cell) -> usize {
        cell.row * self.map.n_columns() + cell.column
    }

    fn selected(&self) -> Option<Cell> {
        let (row, column) = (self.selected_row?, self.selected_column?);
        let exists = row < self.map.n_rows() && column < self.map.n_columns();
        exists.then_some(Cell { row, column })
    }

    fn value_text(&self, cell: Cell) -> String {
        match self.picture {
            Some((_, about)) => about(cell),
            None => self.map.value_text(self.nth(cell)),
        }
    }

    /// What stands around the cells, as screen readers say it.
    pub fn axes(&self) -> String {
        let Map { rows, columns, quantity, .. } = self.map;
        let (low, high) = self.range.ends;
        let (rows, columns, low, high) = (&rows.title, &columns.title, exact(low), exact(high));
        let axes = format!("Axes: {rows} down, {columns} across");
        if self.picture.is_some() {
            return axes;
        }
        format!("{axes}, colours {quantity} from {low} to {high}")
    }

    fn spoken(&self, cell: Option<Cell>) -> String {
        let Some(cell) = cell else {
            return self.name.to_owned();
        };
        let place = self.map.place_text(cell.row, cell.column);
        format!("{}: {place}: {}", self.name, self.value_text(cell))
    }

    fn tooltip(&self, response: &Response, cell: Cell) {
        let ctx = response.ctx.clone();
        let tooltip =
            Tooltip::always_open(ctx, response.layer_id, response.id, PopupAnchor::Pointer);
        tooltip.gap(14.0).show(|ui| {
            let place = self.map.place_text(cell.row, cell.column);
            ui.label(RichText::new(capitalized(&place)).weak());
            let value = self.value_text(cell);
            if self.picture.is_some() {
                ui.label(value);
            } else {
                ui.label(RichText::new(format!("{}  {value}", self.map.quantity)).strong());
            }
            if self.is_one_of_several {
                ui.label(self.name);
            }
            // More about it, a line each.
            if let Some(details) = self.map.details.get(self.nth(cell)).filter(|it| !it.is_empty())
            {
                ui.label(details);
            }
        });
    }

    fn moved_by_keys(&self, ui: &Ui, id: Id) -> Option<Cell> {
        let (down, right) = arrow_steps(ui, id);
        if down == 0 && right == 0 {
            return None;
        }
        Some(Cell {
            row: moved(self.selected_row, down, self.map.n_rows()),
            column: moved(self.selected_column, right, self.map.n_columns()),
        })
    }
}
