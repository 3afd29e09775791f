//! Any result, drawn from its figure: the same charts that go into files.

use std::sync::Arc;

use eframe::egui::{
    Align2, CornerRadius, Key, Label, Rect, Response, RichText, Role, Sense, Stroke, StrokeKind,
    TextStyle, Ui, WidgetInfo, pos2, vec2,
};
use egui_plot::{AxisHints, Line, LineStyle, PlotPoints, Points};

use super::depth_bars::depth_bars_ui;
use super::graph_view::graph_ui;
use super::header_ui;
use super::lines_view::lines_ui;
use super::small_maps::{Heights, SmallMap, small_maps_ui};
use super::table_view::{table_ui, table_width};
use crate::figure::number::{exact, significant};
use crate::figure::{self, Bars, Chart, Figure, Map, Pick, Point, Scatter, Table};
use crate::ui::command::Command;
use crate::ui::theme::{axis_font, palette};
use crate::ui::view::{ViewAction, ViewCtx};
use crate::ui::widgets::layer_plot::{
    grid_marks, numbers_axis, still_plot, ticks, upward_title_ui,
};
use crate::ui::widgets::{Caption, Cell, Heatmap, Tone, command_button_ui, elide_middle, legible};

/// The height in points of a plot, unless it takes the rest of the room; and then its least and most.
const PLOT_HEIGHT: f32 = 260.0;
const PLOT_HEIGHTS: [f32; 2] = [160.0, 560.0];

/// The part of the room that the first of several charts takes, so that the next is in sight.
const FIRST_OF_SEVERAL: f32 = 0.75;

/// The gap below each chart.
const CHART_GAP: f32 = 6.0;

const BAR_ROW: f32 = 19.0;

/// The width of a list beside its map, and of both from which on there is room for that.
const LIST_WIDTH: f32 = 250.0;
const WIDE: f32 = 640.0;

/// The least width of each of several maps beside each other, and the gap between them.
const LEAST_MAP: f32 = 400.0;
const MAP_GAP: f32 = 16.0;

/// The gap between tables beside each other.
const TABLE_GAP: f32 = 32.0;

/// A figure, and how it is drawn. It fills the rest of the height, and is higher where that is too
/// little: the pane scrolls.
#[derive(Clone, Copy)]
pub struct FigureView<'a> {
    pub figure: &'a Arc<Figure>,

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
    FigureView::new(figure).show(ui, ctx, commands, |_| ())
}

impl<'a> FigureView<'a> {
    pub fn new(figure: &'a Arc<Figure>) -> Self {
        Self { figure, is_brief: false, range: None }
    }

    /// Draws the figure, with `controls` beside its title.
    pub fn show(
        self,
        ui: &mut Ui,
        ctx: &ViewCtx<'_>,
        commands: &mut Vec<Command>,
        controls: impl FnOnce(&mut Ui),
    ) -> Option<ViewAction> {
        let figure = self.figure;
        let width = ui.available_width();
        header_ui(ui, &figure.title, |ui| {
            controls(ui);
            // Where room is short, the menu of the view is enough.
            if !self.is_brief {
                export_button_ui(ui, figure, commands);
            }
        });
        if !figure.text.is_empty() {
            let font = TextStyle::Body.resolve(ui.style());
            let text = legible(ui.painter(), &figure.text, &font).into_owned();
            ui.add(Label::new(text).wrap());
        }
        let caption = self.caption();
        let below = caption.height(ui) + CHART_GAP + ui.spacing().item_spacing.y;
        let mut height = Some(ui.available_height() - below);
        let mut range = self.range;
        let mut action: Option<ViewAction> = None;
        let mut charts = figure.charts.as_slice();
        while !charts.is_empty() {
            let block = Block::first_of(ui, charts, width);
            let after = &charts[block.n_charts()..];
            if !after.is_empty() {
                height = height.map(|it| it * FIRST_OF_SEVERAL);
            }
            ui.push_id(charts.len(), |ui| {
                // A chart that is wider than the pane makes no other wider.
                ui.set_max_width(width);
                let has_name = figure.charts.len() > 1;
                let (height, range) = (height.take(), range.take());
                let here = block.show(ui, height, range, has_name, ctx);
                // The pointer may lie on one chart while the keyboard is in another.
                action = ViewAction::either(action.take(), here);
                ui.add_space(CHART_GAP);
            });
            charts = after;
        }
        ui.scope(|ui| {
            ui.set_max_width(width);
            caption.show(ui);
        });
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

/// Charts that are drawn together.
enum Block<'a> {
    Small(Vec<&'a Map>),

    /// The heads that matter most stand beside the map of all.
    MapAndList(&'a Map, &'a Bars),

    /// Several maps stand side by side, as many as have room.
    Maps(Vec<&'a Map>),

    /// Tables that have room side by side.
    Tables(Vec<&'a Table>),
    One(&'a Chart),
}

impl<'a> Block<'a> {
    /// The block that a list of charts begins with.
    fn first_of(ui: &Ui, charts: &'a [Chart], width: f32) -> Self {
        let small = Chart::small_maps(charts);
        if !small.is_empty() {
            return Self::Small(small);
        }
        if let [Chart::Map(map), Chart::Bars(list), ..] = charts
            && list.parts.is_empty()
            && is_of_heads(map)
            && width >= WIDE
        {
            return Self::MapAndList(map, list);
        }
        let maps = charts.iter().map_while(|chart| match chart {
            Chart::Map(map) if !map.is_small => Some(map),
            _ => None,
        });
        let maps: Vec<&Map> = maps.collect();
        if maps.len() > 1 {
            return Self::Maps(maps);
        }
        let mut taken = 0.0;
        let tables = charts.iter().map_while(|chart| match chart {
            Chart::Table(table) => {
                taken += table_width(ui, table);
                let fits = taken <= width;
                taken += TABLE_GAP + 1.0;
                fits.then_some(table)
            }
            _ => None,
        });
        let tables: Vec<&Table> = tables.collect();
        if tables.len() > 1 { Self::Tables(tables) } else { Self::One(&charts[0]) }
    }

    fn n_charts(&self) -> usize {
        match self {
            Self::Small(maps) | Self::Maps(maps) => maps.len(),
            Self::Tables(tables) => tables.len(),
            Self::MapAndList(..) => 2,
            Self::One(_) => 1,
        }
    }

    /// `height`: the room for the block. `range`: the ends of a map's colours, if they are not its
    /// own. `has_name`: whether a single chart has its name above it.
    fn show(
        &self,
        ui: &mut Ui,
        height: Option<f32>,
        range: Option<(f32, f32)>,
        has_name: bool,
        ctx: &ViewCtx<'_>,
    ) -> Option<ViewAction> {
        let below_name = height.map(|it| it - NAME_HEIGHT);
        match self {
            Self::Small(maps) => {
                let maps: Vec<SmallMap<'_>> = maps.iter().map(|map| SmallMap::of(map)).collect();
                small_maps_ui(ui, &maps, Heights::LABELLED, ctx).action
            }
            Self::MapAndList(map, list) => {
                let width = ui.available_width() - LIST_WIDTH - MAP_GAP;
                // The map is as high as the list, which takes its room in any case.
                let list_height = (list.bars.len() as f32 + 3.0) * BAR_ROW;
                let below_name = below_name.map(|it| it.max(list_height));
                let sides = ui.horizontal_top(|ui| {
                    let of_map = named_map_ui(ui, map, width, below_name, range, ctx);
                    let list = ui.vertical(|ui| {
                        name_ui(ui, &list.name);
                        bars_ui(ui, list, &[], ctx.selection)
                    });
                    ViewAction::either(of_map, list.inner)
                });
                sides.inner
            }
            Self::Maps(maps) => {
                let room = ui.available_width() + MAP_GAP;
                let n = ((room / (LEAST_MAP + MAP_GAP)) as usize).clamp(1, maps.len());
                // Several lines of maps are scrolled, and each is as high as a map is by itself.
                let height = below_name.filter(|_| n == maps.len());
                let mut action = None;
                for beside in maps.chunks(n) {
                    ui.horizontal_top(|ui| {
                        ui.spacing_mut().item_spacing.x = MAP_GAP;
                        for map in beside {
                            let width = room / n as f32 - MAP_GAP;
                            let here = named_map_ui(ui, map, width, height, range, ctx);
                            action = ViewAction::either(action.take(), here);
                        }
                    });
                }
                action
            }
            Self::Tables(tables) => {
                let beside = ui.horizontal_top(|ui| {
                    ui.spacing_mut().item_spacing.x = TABLE_GAP;
                    let mut picked = None;
                    for table in tables {
                        // A point for rounding.
                        let width = table_width(ui, table) + 1.0;
                        let here = ui.vertical(|ui| {
                            ui.set_width(width);
                            name_ui(ui, &table.name);
                            table_ui(ui, table, ctx.selection)
                        });
                        picked = picked.or(here.inner);
                    }
                    picked
                });
                beside.inner.map(|pick| ViewAction::Select(pick.over(ctx.selection)))
            }
            Self::One(chart) if has_name => {
                name_ui(ui, chart.name());
                chart_ui(ui, chart, below_name, range, ctx)
            }
            Self::One(chart) => chart_ui(ui, chart, height, range, ctx),
        }
    }
}

/// The height of a chart's name, with the space below it.
const NAME_HEIGHT: f32 = 22.0;

fn name_ui(ui: &mut Ui, name: &str) {
    ui.label(RichText::new(name).font(axis_font()).strong());
}

/// A map below its name, in a column of `width`.
fn named_map_ui(
    ui: &mut Ui,
    map: &Map,
    width: f32,
    height: Option<f32>,
    range: Option<(f32, f32)>,
    ctx: &ViewCtx<'_>,
) -> Option<ViewAction> {
    let column = ui.vertical(|ui| {
        ui.set_width(width);
        name_ui(ui, &map.name);
        map_ui(ui, map, height, range, ctx)
    });
    column.inner
}

fn is_of_heads(map: &Map) -> bool {
    matches!(map.rows.keys.first(), Some(figure::Key::Head(_)))
}

/// `height`: the room for the chart. `range`: the ends of a map's colours, if they are not its own.
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
        Chart::Scatter(scatter) => scatter_ui(ui, scatter, plot_height).map(select),
        Chart::Graph(graph) => graph_ui(ui, graph, before),
        Chart::Table(table) => table_ui(ui, table, before).map(select),
    }
}

/// The button that exports a figure.
pub fn export_button_ui(ui: &mut Ui, figure: &Arc<Figure>, commands: &mut Vec<Command>) {
    command_button_ui(ui, Command::Export(Arc::clone(figure)), commands);
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

/// Draws each bar in a line of its own. `starts`: where bars start; none if all start at zero.
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

/// Whether a bar was clicked, or pressed as a button is.
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

fn scatter_ui(ui: &mut Ui, scatter: &Scatter, height: f32) -> Option<Pick> {
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
    let (x, y) = (exact(nearest.x), exact(nearest.y));
    response.on_hover_text(format!(
        "{}\n{}  {x}\n{}  {y}",
        nearest.label, scatter.x_title, scatter.y_title
    ));
    (was_clicked && nearest.pick != Pick::default()).then_some(nearest.pick)
}
