//! Any result, drawn from its figure: the same charts that go into files.

use std::sync::Arc;

use eframe::egui::{
    Align2, CornerRadius, Key, Rect, Response, RichText, Role, Sense, Stroke, StrokeKind, Ui,
    WidgetInfo, pos2, vec2,
};
use egui_plot::{AxisHints, Line, LineStyle, Plot, PlotPoints, Points};

use super::depth_bars::depth_bars_ui;
use super::graph_view::graph_ui;
use super::header_ui;
use super::lines_view::lines_ui;
use super::small_maps::small_maps_ui;
use super::table_view::table_ui;
use crate::figure::number::{exact, significant};
use crate::figure::{self, Bars, Chart, Figure, Map, Pick, Point, Scatter};
use crate::ui::command::Command;
use crate::ui::theme::{axis_font, palette};
use crate::ui::view::{ViewAction, ViewCtx};
use crate::ui::widgets::{Caption, Cell, Heatmap, Tone, elide_middle};

/// Points that a plot takes of a pane's height, unless it takes what is left.
const PLOT_HEIGHT: f32 = 260.0;

/// Of a plot that takes what is left.
const PLOT_HEIGHTS: [f32; 2] = [160.0, 420.0];

/// Below each chart.
const CHART_GAP: f32 = 6.0;

const BAR_ROW: f32 = 19.0;
const EXPORT_WIDTH: f32 = 80.0;

/// The width of a list beside its map, and of both from which on there is room for that.
const LIST_WIDTH: f32 = 250.0;
const WIDE: f32 = 640.0;

/// How a figure is drawn, beside what it shows.
#[derive(Clone, Copy)]
pub struct FigureView<'a> {
    pub figure: &'a Arc<Figure>,

    /// Whether its first chart is as high as the place allows, with the small print below in view.
    pub fills: bool,

    /// Whether room is short: of the notes only the first is shown, and all are there on hover.
    pub is_brief: bool,

    /// The ends of its first map's colours, where another figure has the same.
    pub range: Option<(f32, f32)>,
}

/// Draws the figure, with a menu to take it away as a file or a table.
pub fn figure_ui(
    ui: &mut Ui,
    figure: &Arc<Figure>,
    ctx: &ViewCtx<'_>,
    commands: &mut Vec<Command>,
) -> Option<ViewAction> {
    FigureView::new(figure).show(ui, ctx, commands, 0.0, |_| ())
}

impl<'a> FigureView<'a> {
    pub fn new(figure: &'a Arc<Figure>) -> Self {
        Self { figure, fills: false, is_brief: false, range: None }
    }

    /// `controls` stand beside the title and need about `controls_width` points.
    pub fn show(
        self,
        ui: &mut Ui,
        ctx: &ViewCtx<'_>,
        commands: &mut Vec<Command>,
        controls_width: f32,
        controls: impl FnOnce(&mut Ui),
    ) -> Option<ViewAction> {
        let figure = self.figure;
        // Where room is short, the menu of the view is enough.
        let export_width = if self.is_brief { 0.0 } else { EXPORT_WIDTH };
        header_ui(ui, &figure.title, controls_width + export_width, |ui| {
            controls(ui);
            if !self.is_brief {
                export_button_ui(ui, figure, commands);
            }
        });
        let caption = self.caption();
        let below = caption.height(ui) + CHART_GAP + ui.spacing().item_spacing.y;
        let height = self.fills.then(|| ui.available_height() - below);
        let mut action: Option<ViewAction> = None;
        let mut charts = figure.charts.as_slice();
        let mut nth = 0;
        while let Some(chart) = charts.first() {
            let height = height.filter(|_| nth == 0);
            let range = self.range.filter(|_| nth == 0);
            nth += 1;
            let small = Chart::small_maps(charts);
            let list = list_beside(ui, charts);
            ui.push_id(nth, |ui| {
                // The pointer may lie on one chart while the keyboard is in another.
                let mut take = |here| action = ViewAction::either(action.take(), here);
                if !small.is_empty() {
                    take(small_maps_ui(ui, &small, ctx));
                } else if let (Chart::Map(map), Some(list)) = (chart, list) {
                    ui.horizontal_top(|ui| {
                        let width = ui.available_width() - LIST_WIDTH - 16.0;
                        ui.vertical(|ui| {
                            ui.set_max_width(width);
                            name_ui(ui, &map.name);
                            let height = height.map(|it| it - NAME_HEIGHT);
                            take(map_ui(ui, map, height, range, ctx));
                        });
                        ui.vertical(|ui| {
                            name_ui(ui, &list.name);
                            take(bars_ui(ui, list, &[], ctx.selection));
                        });
                    });
                } else {
                    let mut height = height;
                    if figure.charts.len() > 1 {
                        name_ui(ui, chart.name());
                        height = height.map(|it| it - NAME_HEIGHT);
                    }
                    take(chart_ui(ui, chart, height, range, ctx));
                }
                ui.add_space(CHART_GAP);
            });
            // All small maps together are one, as are a map and the list beside it.
            charts = &charts[small.len().max(1 + usize::from(list.is_some()))..];
        }
        caption.show(ui);
        action
    }

    fn caption(&self) -> Caption {
        let mut caption = Caption::new(self.is_brief);
        for warning in &self.figure.warnings {
            caption.add(Tone::Warning, warning);
        }
        for (nth, note) in self.figure.notes.iter().enumerate() {
            // Notes are left out where room is short.
            let tone = if self.is_brief && nth == 0 { Tone::Plain } else { Tone::Note };
            caption.add(tone, note);
        }
        caption
    }
}

/// Of a chart's name, with the space below it.
const NAME_HEIGHT: f32 = 22.0;

fn name_ui(ui: &mut Ui, name: &str) {
    ui.label(RichText::new(name).font(axis_font()).strong());
}

/// The heads that matter most stand beside the map of all, where there is room.
fn list_beside<'a>(ui: &Ui, charts: &'a [Chart]) -> Option<&'a Bars> {
    match charts {
        [Chart::Map(map), Chart::Bars(list), ..] => {
            let is_list = list.parts.is_empty() && is_of_heads(map) && !map.is_small;
            (is_list && ui.available_width() >= WIDE).then_some(list)
        }
        _ => None,
    }
}

fn is_of_heads(map: &Map) -> bool {
    matches!(map.rows.keys.first(), Some(figure::Key::Head(_)))
}

/// `height`: what a chart may take. `range`: the ends of a map's colours, if they are not its own.
fn chart_ui(
    ui: &mut Ui,
    chart: &Chart,
    height: Option<f32>,
    range: Option<(f32, f32)>,
    ctx: &ViewCtx<'_>,
) -> Option<ViewAction> {
    let before = ctx.selection;
    let select = |pick: Pick| ViewAction::Select(pick.over(before));
    let plot_height = height.map_or(PLOT_HEIGHT, |it| it.clamp(PLOT_HEIGHTS[0], PLOT_HEIGHTS[1]));
    match chart {
        Chart::Map(map) => map_ui(ui, map, height, range, ctx),
        Chart::Bars(bars) if !bars.parts.is_empty() => {
            depth_bars_ui(ui, bars, &[], ctx, plot_height).map(select)
        }
        Chart::Waterfall(it) if !it.bars.parts.is_empty() => {
            depth_bars_ui(ui, &it.bars, &it.starts, ctx, plot_height).map(select)
        }
        Chart::Bars(bars) => bars_ui(ui, bars, &[], before),
        Chart::Waterfall(it) => bars_ui(ui, &it.bars, &it.starts, before),
        Chart::Lines(lines) => lines_ui(ui, lines, ctx, plot_height).map(select),
        Chart::Scatter(scatter) => scatter_ui(ui, scatter).map(select),
        Chart::Graph(graph) => graph_ui(ui, graph, before),
        Chart::Table(table) => table_ui(ui, table, before).map(select),
    }
}

/// The button that exports a figure.
pub fn export_button_ui(ui: &mut Ui, figure: &Arc<Figure>, commands: &mut Vec<Command>) {
    let command = Command::Export(Arc::clone(figure));
    if ui.button(command.text()).on_hover_text(command.tooltip()).clicked() {
        commands.push(command);
    }
}

fn map_ui(
    ui: &mut Ui,
    map: &Map,
    height: Option<f32>,
    range: Option<(f32, f32)>,
    ctx: &ViewCtx<'_>,
) -> Option<ViewAction> {
    let mut heatmap = Heatmap::new(map, ctx);
    heatmap.range = ctx.range(&map.quantity, range.unwrap_or(map.range));
    heatmap.max_height = height.unwrap_or(heatmap.max_height);
    let shown = heatmap.show(ui, Sense::click());
    shown.action(|Cell { row, column }| map.pick(row, column).over(ctx.selection))
}

/// One bar a line. `starts`: where they start; none if all do at zero
fn bars_ui(ui: &mut Ui, bars: &Bars, starts: &[f32], before: Pick) -> Option<ViewAction> {
    let colors = palette(ui);
    let font = axis_font();
    let width_of = |ui: &Ui, text: &str| {
        ui.painter().layout_no_wrap(text.to_owned(), font.clone(), colors.text).size().x
    };
    let widest = bars.bars.iter().map(|it| width_of(ui, &it.label)).fold(0.0, f32::max);
    let label_room = widest.min(ui.available_width() * 0.45) + 8.0;
    let number_room = 74.0;
    let room = (ui.available_width() - label_room - number_room).max(60.0);
    let start = |nth: usize| starts.get(nth).copied().unwrap_or(0.0);
    let ends = || {
        let bars = bars.bars.iter().enumerate();
        bars.map(|(nth, it)| start(nth) + it.value).filter(|it| it.is_finite())
    };
    let (low, high) = (ends().fold(0.0, f32::min), ends().fold(0.0, f32::max));
    let span = (high - low).max(f32::MIN_POSITIVE);
    ui.label(RichText::new(&bars.quantity).font(axis_font()).color(colors.weak_text));
    let mut action = None;
    let marks_some = tells_apart(bars.bars.iter().map(|it| it.pick), before);
    ui.spacing_mut().item_spacing.y = 0.0;
    for (nth, bar) in bars.bars.iter().enumerate() {
        let can_be_picked = bar.pick != Pick::default();
        let sense = if can_be_picked { Sense::click() } else { Sense::hover() };
        let size = vec2(ui.available_width(), BAR_ROW);
        let (rect, response) = ui.allocate_exact_size(size, sense);
        let painter = ui.painter();
        if marks_some && can_be_picked && is_picked(bar.pick, before) {
            painter.rect_filled(rect, CornerRadius::same(3), colors.accent_fill);
        }
        outline(ui, &response, rect);
        let label = elide_middle(painter, &bar.label, &font, label_room - 8.0);
        let at = pos2(rect.left() + label_room - 6.0, rect.center().y);
        painter.text(at, Align2::RIGHT_CENTER, label, font.clone(), colors.text);
        let x_of = |value: f32| rect.left() + label_room + room * (value - low) / span;
        let zero = x_of(0.0);
        painter.vline(zero, rect.y_range(), Stroke::new(1.0, colors.line));
        if bar.value.is_finite() {
            let (from, end) = (x_of(start(nth)), x_of(start(nth) + bar.value));
            let place = Rect::from_min_max(
                pos2(from.min(end), rect.top() + 4.0),
                pos2(from.max(end), rect.bottom() - 4.0),
            );
            let is_sum = !starts.is_empty() && start(nth) == 0.0;
            let fill = match bar.value < 0.0 {
                _ if is_sum => colors.weak_text,
                true => colors.attn,
                false => colors.accent,
            };
            painter.rect_filled(place, CornerRadius::same(1), fill);
            if nth + 1 < starts.len() {
                let to_next = rect.bottom() - 4.0..=rect.bottom() + 4.0;
                painter.vline(end, to_next, Stroke::new(1.0, colors.weak_text));
            }
        }
        let at = pos2(rect.left() + label_room + room + 8.0, rect.center().y);
        let number = significant(bar.value, 4);
        painter.text(at, Align2::LEFT_CENTER, number, font.clone(), colors.text);
        let sum = match start(nth) {
            0.0 => String::new(),
            start => format!(", sum so far {}", exact(start + bar.value)),
        };
        let spoken = format!("{}: {}{sum}", bar.label, exact(bar.value));
        response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &spoken));
        if was_chosen(ui, &response) && can_be_picked {
            action = Some(ViewAction::Select(bar.pick.over(before)));
        } else if response.hovered() && can_be_picked && action.is_none() {
            action = Some(ViewAction::Hover(bar.pick.over(before)));
        }
        response.on_hover_text(spoken);
    }
    action
}

pub(super) fn is_picked(pick: Pick, before: Pick) -> bool {
    let agrees = |one: Option<usize>, other: Option<usize>| one.is_none() || one == other;
    agrees(pick.layer, before.layer)
        && agrees(pick.head, before.head)
        && agrees(pick.position, before.position)
}

/// Whether some are picked and others are not: where all are of one head, a mark on each says nothing.
pub(super) fn tells_apart(mut picks: impl Iterator<Item = Pick>, before: Pick) -> bool {
    picks.any(|pick| !is_picked(pick, before))
}

/// By click, or by the keys that press a button.
fn was_chosen(ui: &Ui, response: &Response) -> bool {
    let is_pressed = || ui.input(|it| it.key_pressed(Key::Enter) || it.key_pressed(Key::Space));
    response.clicked() || response.has_focus() && is_pressed()
}

fn outline(ui: &Ui, response: &Response, rect: Rect) {
    if response.has_focus() || response.hovered() && response.sense.senses_click() {
        let stroke = Stroke::new(1.0, palette(ui).weak_text);
        ui.painter().rect_stroke(rect, CornerRadius::same(3), stroke, StrokeKind::Inside);
    }
}

fn scatter_ui(ui: &mut Ui, scatter: &Scatter) -> Option<Pick> {
    let colors = palette(ui);
    let finite = || scatter.points.iter().filter(|it| it.x.is_finite() && it.y.is_finite());
    let title = |text: &str| RichText::new(text).font(axis_font());
    let plot = Plot::new(&*scatter.name)
        .height(PLOT_HEIGHT)
        .width(ui.available_width())
        .sense(Sense::click())
        .allow_drag(false)
        .allow_zoom(false)
        .allow_scroll(false)
        .allow_boxed_zoom(false)
        .show_background(false)
        .grid_color(colors.line)
        .custom_x_axes(vec![AxisHints::new_x().label(title(&scatter.x_title))])
        .custom_y_axes(vec![AxisHints::new_y().label(title(&scatter.y_title))]);
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
    let (x, y) = (exact(nearest.x), exact(nearest.y));
    response.on_hover_text(format!(
        "{}\n{}  {x}\n{}  {y}",
        nearest.label, scatter.x_title, scatter.y_title
    ));
    (was_clicked && nearest.pick != Pick::default()).then_some(nearest.pick)
}
