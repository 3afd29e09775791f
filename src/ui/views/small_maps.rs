//! Maps alike, small, beside each other with one scale.

use eframe::egui::{Align2, Rect, Sense, Ui, pos2, vec2};

use crate::figure::Map;
use crate::figure::words::capitalized;
use crate::ui::theme::{axis_font, palette, token_font};
use crate::ui::view::{ViewAction, ViewCtx};
use crate::ui::widgets::{Cell, ColorBar, Heatmap, elide_middle};

const LEAST_WIDTH: f32 = 120.0;
const MOST_WIDTH: f32 = 260.0;
const GAP: f32 = 14.0;
const ROW: f32 = 13.0;

/// However many rows there are.
const MOST_HEIGHT: f32 = 200.0;
const LABEL_WIDTH: f32 = 110.0;

pub(super) fn small_maps_ui(ui: &mut Ui, maps: &[&Map], ctx: &ViewCtx<'_>) -> Option<ViewAction> {
    let before = ctx.selection;
    let first = maps.first()?;
    let colors = palette(ui);
    let line = ui.fonts_mut(|fonts| fonts.row_height(&axis_font()));
    let range = ctx.range(&first.quantity, first.range);
    let bar = ColorBar { color_map: first.color_map, range, quantity: &first.quantity };
    let bar_width = bar.width(ui, MOST_HEIGHT) + GAP;
    // Tokens are the same in all of a line.
    let has_labels = maps.iter().all(|map| map.rows == first.rows);
    let labels: Vec<String> = first.rows.labels.iter().filter(|_| has_labels).cloned().collect();
    let width_of = |text: &String| {
        let galley = ui.painter().layout_no_wrap(text.clone(), token_font(), colors.text);
        galley.size().x.min(LABEL_WIDTH)
    };
    let label_width = labels.iter().map(width_of).fold(0.0, f32::max) + 6.0;
    let room = ui.available_width() - label_width - bar_width;
    let n_beside = (room / (LEAST_WIDTH + GAP)).floor().max(1.0) as usize;
    // By twos, so that what stands beside each other in one line does in all.
    let n_beside = if n_beside > 1 { n_beside - n_beside % 2 } else { 1 };
    let n_beside = n_beside.min(maps.len());
    let width = (room / n_beside as f32 - GAP).clamp(40.0, MOST_WIDTH);

    let mut action = None;
    let mut beside_bar: Option<Rect> = None;
    for beside in maps.chunks(n_beside) {
        let height = |map: &Map| (map.n_rows() as f32 * ROW).clamp(1.0, MOST_HEIGHT);
        let highest = beside.iter().map(|map| height(map)).fold(0.0, f32::max);
        let size = vec2(ui.available_width(), line + 3.0 + highest + line + 8.0);
        let (outer, _) = ui.allocate_exact_size(size, Sense::hover());
        let top = outer.top() + line + 3.0;
        for (nth, map) in beside.iter().enumerate() {
            if map.n_rows() == 0 || map.n_columns() == 0 {
                continue;
            }
            let left = outer.left() + label_width + nth as f32 * (width + GAP);
            let place = Rect::from_min_size(pos2(left, top), vec2(width, height(map)));
            let place = rounded(ui, place);
            let name = elide_middle(ui.painter(), &map.name, &axis_font(), width);
            let at = pos2(place.center().x, place.top() - 3.0);
            ui.painter().text(at, Align2::CENTER_BOTTOM, name, axis_font(), colors.text);
            let mut heatmap = Heatmap::new(map, ctx);
            heatmap.is_one_of_several = true;
            let shown = heatmap.show_cells(ui, place, Sense::click());
            let here = shown.action(|Cell { row, column }| map.pick(row, column).over(before));
            action = ViewAction::either(action.take(), here);
            if nth == 0 {
                row_labels(ui, map, &labels, place);
            }
            column_ends(ui, map, place);
            beside_bar = Some(beside_bar.map_or(place, |it| it.union(place)));
        }
    }
    if let Some(mut all) = beside_bar {
        // Beside all lines: one may be too low for the bar's numbers.
        all.max.y = all.max.y.min(all.min.y + MOST_HEIGHT);
        let id = ui.make_persistent_id("scale of small maps");
        if let Some(range) = bar.show(ui, id, all.right() + GAP, all, 0.0) {
            action = Some(ViewAction::hold(&first.quantity, range));
        }
    }
    action
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

/// Where there is room for them.
fn row_labels(ui: &Ui, map: &Map, labels: &[String], place: Rect) {
    let cell = place.height() / map.n_rows() as f32;
    if cell < ROW * 0.8 {
        return;
    }
    let colors = palette(ui);
    for (nth, label) in labels.iter().enumerate() {
        let is_marked = map.rows.marked.contains(&nth);
        let color = if is_marked { colors.subject } else { colors.text };
        let text = elide_middle(ui.painter(), label, &token_font(), LABEL_WIDTH);
        let at = pos2(place.left() - 5.0, place.top() + (nth as f32 + 0.5) * cell);
        ui.painter().text(at, Align2::RIGHT_CENTER, text, token_font(), color);
    }
}

/// The first and the last column.
fn column_ends(ui: &Ui, map: &Map, place: Rect) {
    let color = palette(ui).weak_text;
    let labels = &map.columns.labels;
    let cell = place.width() / labels.len() as f32;
    for nth in [0, labels.len() - 1] {
        let at = pos2(place.left() + (nth as f32 + 0.5) * cell, place.bottom() + 3.0);
        ui.painter().text(at, Align2::CENTER_TOP, &labels[nth], axis_font(), color);
    }
    let at = pos2(place.center().x, place.bottom() + 3.0);
    let title = elide_middle(
        ui.painter(),
        &capitalized(&map.columns.noun),
        &axis_font(),
        place.width() * 0.6,
    );
    ui.painter().text(at, Align2::CENTER_TOP, title, axis_font(), color);
}
