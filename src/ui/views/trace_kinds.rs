//! The three kinds of a trace beside each other, small: the one that is chosen is large below.

use std::sync::Arc;

use eframe::egui::{
    Align2, CornerRadius, Rect, Role, Sense, Stroke, StrokeKind, Ui, UiBuilder, WidgetInfo, pos2,
    vec2,
};

use crate::analysis::causal_trace::Component;
use crate::figure::{Chart, Figure};
use crate::ui::theme::{axis_font, palette};
use crate::ui::view::{ViewAction, ViewCtx};
use crate::ui::widgets::{Cell, Heatmap};

const GAP: f32 = 12.0;
const LINE: f32 = 15.0;

/// Of all tokens together, where there is room and where there is little.
const HEIGHT: f32 = 44.0;
const BRIEF_HEIGHT: f32 = 26.0;

/// Of all there is, in points.
pub fn kinds_height(is_brief: bool) -> f32 {
    LINE + if is_brief { BRIEF_HEIGHT } else { HEIGHT } + 6.0
}

/// One of the three, as the other settings stand.
pub struct TraceKind {
    pub component: Component,
    pub name: &'static str,
    pub is_chosen: bool,

    /// The figure of its trace, begun with the map. `None` if it was not asked for.
    pub figure: Option<Arc<Figure>>,
}

/// What was asked for in this frame.
#[derive(Default)]
pub struct KindsAsked {
    /// To be large.
    pub component: Option<Component>,
    pub action: Option<ViewAction>,
}

pub fn trace_kinds_ui(
    ui: &mut Ui,
    kinds: &[TraceKind],
    is_brief: bool,
    ctx: &ViewCtx<'_>,
) -> KindsAsked {
    let size = vec2(ui.available_width(), kinds_height(is_brief));
    let height = size.y - LINE - 6.0;
    let (outer, _) = ui.allocate_exact_size(size, Sense::hover());
    let n = kinds.len() as f32;
    let width = ((outer.width() - GAP * (n - 1.0)) / n).floor();
    let mut asked = KindsAsked::default();
    for (nth, kind) in kinds.iter().enumerate() {
        let left = outer.left() + nth as f32 * (width + GAP);
        let place = Rect::from_min_size(pos2(left, outer.top() + LINE), vec2(width, height));
        // Beside each other, so that it takes no room of its own.
        let mut ui = ui.new_child(UiBuilder::new().id_salt(kind.name).max_rect(place));
        let here = kind_ui(&mut ui, kind, place, ctx);
        if let Some(ViewAction::Select(_)) = here.action {
            asked.component = Some(kind.component);
        }
        asked.component = asked.component.or(here.component);
        asked.action = ViewAction::either(asked.action.take(), here.action);
    }
    asked
}

fn kind_ui(ui: &mut Ui, kind: &TraceKind, place: Rect, ctx: &ViewCtx<'_>) -> KindsAsked {
    let colors = palette(ui);
    let name_color = if kind.is_chosen { colors.accent } else { colors.text };
    let at = place.left_top() - vec2(0.0, 2.0);
    ui.painter().text(at, Align2::LEFT_BOTTOM, kind.name, axis_font(), name_color);
    let mut asked = KindsAsked::default();
    let charts = kind.figure.as_ref().map_or(&[][..], |figure| &figure.charts);
    if let Some(Chart::Map(map)) = charts.first() {
        let mut small = Heatmap::new(map, ctx);
        (small.name, small.is_one_of_several) = (kind.name, true);
        let shown = small.show_cells(ui, place, Sense::click());
        let before = ctx.selection;
        asked.action = shown.action(|Cell { row, column }| map.pick(row, column).over(before));
    } else {
        let id = ui.make_persistent_id("missing");
        let response = ui.interact(place, id, Sense::click());
        ui.painter().rect_filled(place, CornerRadius::same(2), colors.not_computed);
        let (at, ink) = (place.center(), colors.weak_text);
        ui.painter().text(at, Align2::CENTER_CENTER, "not traced", axis_font(), ink);
        let spoken = format!("{}: not traced", kind.name);
        response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &spoken));
        asked.component = response.clicked().then_some(kind.component);
        response.on_hover_text("Choose it, then Trace");
    }
    if kind.is_chosen {
        let stroke = Stroke::new(1.5, colors.accent);
        ui.painter().rect_stroke(place, CornerRadius::same(2), stroke, StrokeKind::Outside);
    }
    asked
}
