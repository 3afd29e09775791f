//! Points with two quantities as axes.

use eframe::egui::{Rect, Role, Ui, WidgetInfo, vec2};
use egui_plot::{AxisHints, Line, LineStyle, PlotPoints, Points};

use super::figure_view::PLOT_HEIGHT;
use crate::figure::{Pick, Point, Scatter};
use crate::ui::theme::palette;
use crate::ui::widgets::layer_plot::{
    grid_marks, numbers_axis, still_plot, tell_axes, ticks, upward_title_ui,
};

/// Draws the points. A click on one picks out what it stands for.
pub(super) fn scatter_ui(ui: &mut Ui, scatter: &Scatter, height: f32) -> Option<Pick> {
    let colors = palette(ui);
    let finite = || scatter.points.iter().filter(|it| it.x.is_finite() && it.y.is_finite());
    // The two axes are alike where the quantities are.
    let height = if scatter.has_diagonal { height.max(PLOT_HEIGHT) } else { height };
    let size = vec2(ui.available_width().min(height * 1.6), height);
    // Where a line shows what is equal, both axes are as long as all values need.
    let all = finite().filter(|_| scatter.has_diagonal).flat_map(|it| [it.x, it.y]);
    let all: Vec<f32> = all.collect();
    let ticks_over =
        |value: fn(&Point) -> f32, n: f32| ticks(finite().map(value).chain(all.iter().copied()), n);
    let x_ticks = ticks_over(|it| it.x, size.x / 90.0);
    let y_ticks = ticks_over(|it| it.y, size.y / 40.0);
    let upward = upward_title_ui(ui, &scatter.y_title, size.y);
    let whole = Rect::from_min_size(ui.cursor().min, size);
    tell_axes(ui, &scatter.name, whole, [&scatter.x_title, &scatter.y_title]);
    let plot = still_plot(&scatter.name, size, colors)
        .x_grid_spacer(grid_marks(&x_ticks))
        .y_grid_spacer(grid_marks(&y_ticks))
        .custom_x_axes(vec![numbers_axis(AxisHints::new_x(), &scatter.x_title, x_ticks, colors)])
        .custom_y_axes(vec![numbers_axis(AxisHints::new_y(), upward, y_ticks, colors)]);
    let shown = plot.show(ui, |plot| {
        if scatter.has_diagonal {
            let values = || finite().flat_map(|it| [f64::from(it.x), f64::from(it.y)]);
            let low = values().fold(f64::INFINITY, f64::min);
            let high = values().fold(f64::NEG_INFINITY, f64::max);
            if low < high {
                let points = PlotPoints::from(vec![[low, low], [high, high]]);
                let line = Line::new("equal", points).color(colors.weak_text).width(1.0);
                plot.line(line.style(LineStyle::dashed_loose()).allow_hover(false));
            }
        }
        let points: Vec<[f64; 2]> = finite().map(|it| [f64::from(it.x), f64::from(it.y)]).collect();
        let points = Points::new(&*scatter.name, PlotPoints::from(points));
        plot.points(points.color(colors.accent).radius(3.0).allow_hover(false));
    });
    let (response, transform) = (shown.response, shown.transform);
    response.widget_info(|| WidgetInfo::labeled(Role::Canvas, true, &scatter.name));
    let pos = response.hover_pos()?;
    let distance = |it: &&Point| {
        let at = [f64::from(it.x), f64::from(it.y)];
        transform.position_from_point(&at.into()).distance(pos)
    };
    let nearest = finite().min_by(|a, b| distance(a).total_cmp(&distance(b)))?;
    if distance(&nearest) > 14.0 {
        return None;
    }
    let was_clicked = response.clicked();
    response.on_hover_text(scatter.told(nearest));
    (was_clicked && nearest.pick != Pick::default()).then_some(nearest.pick)
}
