//! Any result, drawn from its figure: the same charts that go into files.

use std::sync::Arc;

use eframe::egui::{
    Align2, CornerRadius, FontId, Galley, Grid, Key, Rect, Response, RichText, Role, ScrollArea,
    Sense, Stroke, StrokeKind, TextStyle, Ui, WidgetInfo, pos2, style::ScrollStyle, vec2,
};
use egui_plot::{AxisHints, Line, LineStyle, Plot, PlotPoints, Points};

use super::graph_view::graph_ui;
use super::header_ui;
use super::small_maps::small_maps_ui;
use crate::figure::number::{brief, exact, significant};
use crate::figure::{Bars, Cell, Chart, Figure, Lines, Map, Pick, Point, Scatter, Side, Table};
use crate::ui::command::Command;
use crate::ui::theme::{axis_font, palette, series, token_font};
use crate::ui::view::{ViewAction, ViewCtx};
use crate::ui::widgets::layer_plot::{LayerPlot, Marks, Series, Stroke as Dash};
use crate::ui::widgets::{
    Axis, Caption, Cell as MapCell, CellShape, Heatmap, Labels, Tone, elide_middle,
};

/// Points that a map may take of a pane's height.
const MAP_HEIGHT: f32 = 460.0;
const PLOT_HEIGHT: f32 = 260.0;
const BAR_ROW: f32 = 19.0;

/// Between the columns of a table, if there is room, and if not.
const WIDE_GAP: f32 = 16.0;
const NARROW_GAP: f32 = 10.0;

/// Draws the figure, with a menu to take it away as a file or a table.
pub fn figure_ui(
    ui: &mut Ui,
    figure: &Arc<Figure>,
    ctx: &ViewCtx<'_>,
    commands: &mut Vec<Command>,
) -> Option<ViewAction> {
    header_ui(ui, &figure.title, 80.0, |ui| export_menu_ui(ui, figure, commands));
    let before = ctx.selection;
    let mut action: Option<ViewAction> = None;
    let mut charts = figure.charts.as_slice();
    let mut nth = 0;
    while let Some(chart) = charts.first() {
        nth += 1;
        let small = Chart::small_maps(charts);
        // All of them together are one.
        charts = &charts[small.len().max(1)..];
        ui.push_id(nth, |ui| {
            if figure.charts.len() > 1 && small.is_empty() {
                let name = RichText::new(chart.name()).font(axis_font()).strong();
                ui.label(name);
            }
            let select = |pick: Pick| ViewAction::Select(pick.over(before));
            let here = match chart {
                Chart::Map(_) if !small.is_empty() => small_maps_ui(ui, &small, ctx),
                Chart::Map(map) => map_ui(ui, map, ctx),
                Chart::Bars(bars) => bars_ui(ui, bars, &[], before),
                Chart::Waterfall(it) => bars_ui(ui, &it.bars, &it.starts, before),
                Chart::Lines(lines) => lines_ui(ui, lines, before, PLOT_HEIGHT).map(select),
                Chart::Scatter(scatter) => scatter_ui(ui, scatter).map(select),
                Chart::Graph(graph) => graph_ui(ui, graph, before),
                Chart::Table(table) => table_ui(ui, table, before).map(select),
            };
            // The pointer may lie on one chart while the keyboard is in another.
            action = ViewAction::either(action.take(), here);
            ui.add_space(6.0);
        });
    }
    let mut caption = Caption::default();
    for warning in &figure.warnings {
        caption.add(Tone::Warning, warning);
    }
    for note in &figure.notes {
        caption.add(Tone::Note, note);
    }
    caption.show(ui);
    action
}

/// What can be taken away.
pub fn export_menu_ui(ui: &mut Ui, figure: &Arc<Figure>, commands: &mut Vec<Command>) {
    let menu = ui.menu_button("Export", |ui| {
        let items = [
            Command::SaveFigure(Arc::clone(figure)),
            Command::CopyImage(Arc::clone(figure)),
            Command::CopyTable(Arc::clone(figure)),
        ];
        for command in items {
            if ui.button(command.text()).on_hover_text(command.tooltip()).clicked() {
                commands.push(command);
                ui.close();
            }
        }
    });
    menu.response.on_hover_text("This figure as a file, or its numbers as a table");
}

fn map_ui(ui: &mut Ui, map: &Map, ctx: &ViewCtx<'_>) -> Option<ViewAction> {
    let before = ctx.selection;
    let n_columns = map.n_columns();
    let is_estimated =
        |cell: MapCell| map.estimated.get(cell.row * n_columns + cell.column) == Some(&true);
    let text = |cell: MapCell| {
        map.texts.get(cell.row * n_columns + cell.column).cloned().unwrap_or_default()
    };
    let heatmap = Heatmap {
        provisional: (!map.estimated.is_empty()).then_some(&is_estimated),
        cell_text: (!map.texts.is_empty()).then_some(&text),
        ..heatmap(map, ctx)
    };
    let response = heatmap.show(ui, |cell| details(map, cell));
    response.action(|MapCell { row, column }| map.pick(row, column).over(before))
}

/// Without estimates or texts.
pub(super) fn heatmap<'a>(map: &'a Map, ctx: &ViewCtx<'_>) -> Heatmap<'a> {
    let before = ctx.selection;
    let selected = |side: &Side| side.nth_of(before);
    Heatmap {
        name: &map.name,
        values: &map.values,
        rows: drawn(&map.rows),
        columns: drawn(&map.columns),
        range: ctx.range(&map.quantity, map.range),
        color_map: map.color_map,
        quantity: &map.quantity,
        selected_row: selected(&map.rows),
        selected_column: selected(&map.columns),
        cell_shape: if map.is_square { CellShape::Square } else { CellShape::Free },
        provisional: None,
        cell_text: None,
        max_height: MAP_HEIGHT,
    }
}

pub(super) fn details(map: &Map, cell: MapCell) -> String {
    map.details.get(cell.row * map.n_columns() + cell.column).cloned().unwrap_or_default()
}

fn drawn(side: &Side) -> Axis<'_> {
    Axis {
        title: &side.title,
        noun: &side.noun,
        labels: &side.labels,
        marked: side.marked.clone(),
        kind: match side.labels.iter().all(|it| it.parse::<f32>().is_ok()) {
            _ if side.is_tokens => Labels::Tokens,
            true => Labels::Numbers,
            false => Labels::Words,
        },
    }
}

/// One bar a line. `starts`: where they start; none if all do at zero
pub(super) fn bars_ui(
    ui: &mut Ui,
    bars: &Bars,
    starts: &[f32],
    before: Pick,
) -> Option<ViewAction> {
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

fn is_picked(pick: Pick, before: Pick) -> bool {
    let agrees = |one: Option<usize>, other: Option<usize>| one.is_none() || one == other;
    agrees(pick.layer, before.layer)
        && agrees(pick.head, before.head)
        && agrees(pick.position, before.position)
}

/// Whether some are picked and others are not: where all are of one head, a mark on each says nothing.
fn tells_apart(mut picks: impl Iterator<Item = Pick>, before: Pick) -> bool {
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

pub(super) fn lines_ui(ui: &mut Ui, lines: &Lines, before: Pick, height: f32) -> Option<Pick> {
    const DASHES: [Dash; 3] = [Dash::Solid, Dash::Dashed, Dash::Dotted];
    let n_layers = lines.series.iter().map(|it| it.values.len()).max().unwrap_or(0);
    let drawn: Vec<Series> = lines
        .series
        .iter()
        .enumerate()
        .map(|(nth, it)| Series {
            name: it.name.clone(),
            color: series(ui, nth),
            style: DASHES[nth % DASHES.len()],
            values: it.values.clone(),
            band: it.band.clone(),
        })
        .collect();
    let plot = LayerPlot {
        name: &lines.name,
        quantity: &lines.quantity,
        layer_title: &lines.layer_title,
        n_layers,
        series: &drawn,
        marks: Marks::Lines,
        selected_layer: before.layer,
        height,
    };
    plot.show(ui, |_| String::new()).map(Pick::layer)
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

fn table_ui(ui: &mut Ui, table: &Table, before: Pick) -> Option<Pick> {
    let mut picked = None;
    let marks_some = tells_apart(table.rows.iter().map(|it| it.pick), before);
    let is_below = ui.cursor().top() > ui.clip_rect().bottom();
    let shown = if is_below { 0.0 } else { 0.5 };
    // Where there is more to the right, the bar says so before anyone looks for it.
    ui.spacing_mut().scroll = ScrollStyle {
        floating_allocated_width: 6.0,
        dormant_handle_opacity: shown,
        ..ScrollStyle::floating()
    };
    let (heads, gap) = heads(ui, table);
    ScrollArea::horizontal().id_salt(&table.name).show(ui, |ui| {
        Grid::new(&table.name).striped(true).spacing(vec2(gap, 3.0)).show(ui, |ui| {
            for head in heads {
                ui.label(head);
            }
            ui.end_row();
            for row in &table.rows {
                let can_be_picked = row.pick != Pick::default();
                for (nth, cell) in row.cells.iter().enumerate() {
                    let text = RichText::new(cell_text(cell)).font(cell_font(ui, cell));
                    if nth == 0 && can_be_picked {
                        let is_picked = marks_some && is_picked(row.pick, before);
                        if ui.selectable_label(is_picked, text).clicked() {
                            picked = Some(row.pick);
                        }
                    } else {
                        ui.label(text);
                    }
                }
                ui.end_row();
            }
        });
    });
    picked
}

/// What stands over the columns, and the gap between these. Where the table is wider than its place,
/// heads take more than one line and columns stand nearer.
fn heads(ui: &Ui, table: &Table) -> (Vec<Arc<Galley>>, f32) {
    let ink = palette(ui).weak_text;
    let painter = ui.painter();
    let width = |text: String, font| painter.layout_no_wrap(text, font, ink).size().x;
    let columns = table.columns.iter().enumerate().map(|(nth, head)| {
        let cells = table.rows.iter().filter_map(|row| row.cells.get(nth));
        let longest = cells.max_by_key(|cell| cell_text(cell).chars().count());
        let below = longest.map_or(0.0, |cell| width(cell_text(cell), cell_font(ui, cell)));
        (width(head.clone(), axis_font()), below)
    });
    let columns: Vec<(f32, f32)> = columns.collect();
    let needed: f32 = columns.iter().map(|(head, below)| head.max(*below) + WIDE_GAP).sum();
    let is_wide = needed - WIDE_GAP > ui.available_width();
    let head = |(head, (_, below)): (&String, &(f32, f32))| {
        if !is_wide {
            return painter.layout_no_wrap(head.clone(), axis_font(), ink);
        }
        // A sign does not stand alone.
        let head = head.replace(" +", "\u{a0}+").replace(" −", "\u{a0}−");
        let words = head.split(' ').map(|word| width(word.to_owned(), axis_font()));
        let room = words.fold(*below, f32::max).ceil() + 1.0;
        painter.layout(head, axis_font(), ink, room)
    };
    let heads = table.columns.iter().zip(&columns).map(head).collect();
    (heads, if is_wide { NARROW_GAP } else { WIDE_GAP })
}

fn cell_text(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) | Cell::Token(text) => text.clone(),
        Cell::Number(value) => brief(*value),
    }
}

fn cell_font(ui: &Ui, cell: &Cell) -> FontId {
    match cell {
        Cell::Token(_) => token_font(),
        Cell::Text(_) | Cell::Number(_) => TextStyle::Body.resolve(ui.style()),
    }
}
