//! Maps of one quantity, small and beside each other, with one printed scale.

use eframe::egui::{
    Align2, CornerRadius, Rect, Response, Role, Sense, Stroke, StrokeKind, Ui, WidgetInfo, pos2,
    vec2,
};

use crate::figure::Map;
use crate::figure::words::capitalized;
use crate::ui::theme::{ColorMap, axis_font, palette, token_font};
use crate::ui::view::{ViewAction, ViewCtx};
use crate::ui::widgets::{Axis, Cell, ColorBar, Heatmap, Label, elide_middle};

const LEAST_WIDTH: f32 = 150.0;
const MOST_WIDTH: f32 = 320.0;
const GAP: f32 = 14.0;

/// How high a map is: so much for each row, and at most so much.
#[derive(Clone, Copy)]
pub struct Heights {
    pub row: f32,
    pub most: f32,
}

impl Heights {
    /// With room for the labels of rows.
    pub const LABELLED: Self = Self { row: 14.0, most: 224.0 };

    /// As low as shows where the numbers are large.
    pub const LOW: Self = Self { row: 6.0, most: 48.0 };
}

const LABEL_WIDTH: f32 = 110.0;
const LABEL_GAP: f32 = 6.0;
const BAR_HEIGHT: f32 = 200.0;

/// One of the maps.
pub struct SmallMap<'a> {
    pub name: &'a str,

    /// `None` stands for a map that is not computed, which a click asks for.
    pub map: Option<&'a Map>,

    /// Whether it is also shown large.
    pub is_chosen: bool,
}

impl<'a> SmallMap<'a> {
    pub fn of(map: &'a Map) -> Self {
        Self { name: &map.name, map: Some(map), is_chosen: false }
    }
}

/// What the user did with the maps in this frame.
#[derive(Default)]
pub struct SmallMapsResponse {
    /// The map that was clicked.
    pub clicked: Option<usize>,
    pub action: Option<ViewAction>,
}

pub fn small_maps_ui(
    ui: &mut Ui,
    maps: &[SmallMap<'_>],
    heights: Heights,
    ctx: &ViewCtx<'_>,
) -> SmallMapsResponse {
    let mut asked = SmallMapsResponse::default();
    let known = maps.iter().filter_map(|it| it.map).filter(|it| !it.values.is_empty());
    let known: Vec<&Map> = known.collect();
    let Some(&first) = known.first() else { return asked };
    let colors = palette(ui);
    let line = ui.fonts_mut(|fonts| fonts.row_height(&axis_font()));
    let own = known.iter().map(|it| it.range).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
    let range = ctx.range(&first.quantity, own.unwrap_or(first.range));
    let mut color_maps: Vec<ColorMap> = known.iter().map(|it| it.color_map).collect();
    color_maps.dedup();
    let bar = ColorBar { color_maps: &color_maps, range, quantity: &first.quantity };

    // Where all have the same rows, the labels of these stand once in each line.
    let has_labels = heights.row >= line && known.iter().all(|map| map.rows == first.rows);
    let rows = Axis::of(&first.rows);
    let labels = if has_labels { rows.galleys(ui, LABEL_WIDTH) } else { Vec::new() };
    let label_width = labels.iter().map(|it| it.galley.size().x).fold(0.0, f32::max) + LABEL_GAP;
    let row = if has_labels { heights.row.max(label_height(ui)) } else { heights.row };
    let height = |it: &SmallMap<'_>| {
        let n_rows = it.map.map_or_else(|| first.n_rows(), Map::n_rows);
        (n_rows as f32 * row).clamp(1.0, heights.most)
    };
    let highest = maps.iter().map(height).fold(0.0, f32::max);
    let width_of_bar = |n_lines| bar.width(ui, heights.most, n_lines);
    let room = ui.available_width() - label_width - GAP;
    let n_fitting =
        |bar_width: f32| ((room - bar_width + GAP) / (LEAST_WIDTH + GAP)).floor().max(1.0) as usize;
    // The bar stands beside all lines of maps.
    let beside = highest * maps.len().div_ceil(n_fitting(width_of_bar(1))) as f32;
    let bar_width = width_of_bar(bar.n_lines(ui, beside.min(BAR_HEIGHT), line));
    let room = room - bar_width;
    let n_fitting = n_fitting(bar_width);
    let n_beside = match maps.len() {
        n if n <= n_fitting => n,
        // By twos, so that what stands beside each other in one line does in all.
        _ if n_fitting > 1 => n_fitting - n_fitting % 2,
        _ => 1,
    };
    let width = (room / n_beside as f32 - GAP).clamp(LEAST_WIDTH, MOST_WIDTH);

    let mut all: Option<Rect> = None;
    for (nth_line, beside) in maps.chunks(n_beside).enumerate() {
        let highest = beside.iter().map(height).fold(0.0, f32::max);
        let right = label_width + (width + GAP) * beside.len() as f32;
        let size = vec2(right + bar_width, line + 3.0 + highest + line + 8.0);
        let (outer, whole) = ui.allocate_exact_size(size, Sense::hover());
        let axes = || {
            let mut heatmap = Heatmap::new(first, ctx);
            heatmap.range = range;
            heatmap.axes()
        };
        whole.widget_info(|| WidgetInfo::labeled(Role::Figure, true, axes()));
        for (nth, small) in beside.iter().enumerate() {
            let left = outer.left() + label_width + nth as f32 * (width + GAP);
            let place = Rect::from_min_size(
                pos2(left, outer.top() + line + 3.0),
                vec2(width, height(small)),
            );
            let place = rounded(ui, place);
            let name = elide_middle(ui.painter(), small.name, &axis_font(), width);
            let ink = if small.is_chosen { colors.accent } else { colors.text };
            let at = pos2(place.center().x, place.top() - 3.0);
            ui.painter().text(at, Align2::CENTER_BOTTOM, name, axis_font(), ink);
            if small.is_chosen {
                let stroke = Stroke::new(1.5, colors.accent);
                let around = place.expand(1.0);
                ui.painter().rect_stroke(around, CornerRadius::ZERO, stroke, StrokeKind::Outside);
            }
            let was_clicked = if let Some(map) = small.map.filter(|it| !it.values.is_empty()) {
                let mut heatmap = Heatmap::new(map, ctx);
                (heatmap.name, heatmap.range) = (small.name, range);
                heatmap.is_one_of_several = true;
                let shown = heatmap.show_cells(ui, place, Sense::click());
                let before = ctx.selection;
                let here = shown.action(|Cell { row, column }| map.pick(row, column).over(before));
                asked.action = ViewAction::either(asked.action.take(), here);
                if nth == 0 {
                    row_labels(ui, &rows, labels.clone(), place);
                }
                column_ends(ui, map, place);
                shown.picked.is_some()
            } else {
                missing_ui(ui, small.name, place).clicked()
            };
            if was_clicked {
                asked.clicked = Some(nth_line * n_beside + nth);
            }
            all = Some(all.map_or(place, |it| it.union(place)));
        }
    }
    if let Some(mut all) = all {
        // Beside all lines: one may be too low for the bar's numbers.
        all.max.y = all.max.y.min(all.min.y + BAR_HEIGHT);
        let id = ui.make_persistent_id("scale of small maps");
        if let Some(range) = bar.show(ui, id, all.right() + GAP, all, line) {
            asked.action = Some(ViewAction::hold(&first.quantity, range));
        }
    }
    asked
}

/// A button in the place of a map that is not computed.
fn missing_ui(ui: &mut Ui, name: &str, place: Rect) -> Response {
    let colors = palette(ui);
    let id = ui.make_persistent_id(("missing", name));
    let response = ui.interact(place, id, Sense::click());
    ui.painter().rect_filled(place, CornerRadius::same(2), colors.not_computed);
    let (at, ink) = (place.center(), colors.weak_text);
    ui.painter().text(at, Align2::CENTER_CENTER, "not traced", axis_font(), ink);
    let spoken = format!("{name}: not traced");
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &spoken));
    response.on_hover_text("Choose it, then Trace")
}

/// On whole pixels, so that edges are crisp.
fn rounded(ui: &Ui, rect: Rect) -> Rect {
    let scale = ui.pixels_per_point();
    let whole = |at: f32| (at * scale).round() / scale;
    Rect::from_min_max(
        pos2(whole(rect.left()), whole(rect.top())),
        pos2(whole(rect.right()), whole(rect.bottom())),
    )
}

/// Writes the labels of rows beside the first map, as many as have room.
fn row_labels(ui: &Ui, rows: &Axis<'_>, labels: Vec<Label>, place: Rect) {
    let cell = place.height() / rows.side.labels.len() as f32;
    // A row that is as high as a label may have lost a little by rounding.
    for label in rows.thinned(labels, cell, label_height(ui) - 0.5) {
        let at = pos2(place.left() - LABEL_GAP, place.top() + (label.nth as f32 + 0.5) * cell);
        let rect = Align2::RIGHT_CENTER.anchor_size(at, label.galley.size());
        ui.painter().galley(rect.min, label.galley, palette(ui).text);
    }
}

/// The height of a row whose label touches no other.
fn label_height(ui: &Ui) -> f32 {
    let height = ui.fonts_mut(|it| it.row_height(&axis_font()).max(it.row_height(&token_font())));
    height.ceil() + 1.0
}

/// Writes the labels of the first and the last column, and between them what they are.
fn column_ends(ui: &Ui, map: &Map, place: Rect) {
    let color = palette(ui).weak_text;
    let labels = &map.columns.labels;
    let cell = place.width() / labels.len() as f32;
    for nth in [0, labels.len() - 1] {
        let at = pos2(place.left() + (nth as f32 + 0.5) * cell, place.bottom() + 3.0);
        ui.painter().text(at, Align2::CENTER_TOP, &labels[nth], axis_font(), color);
    }
    let noun = capitalized(&map.columns.noun);
    let title = elide_middle(ui.painter(), &noun, &axis_font(), place.width() * 0.6);
    let at = pos2(place.center().x, place.bottom() + 3.0);
    ui.painter().text(at, Align2::CENTER_TOP, title, axis_font(), color);
}
