//! Any result, drawn from its figure: the same charts that go into files.

use std::mem;
use std::sync::Arc;

use eframe::egui::{Label, RichText, Sense, Ui};

use super::bars_view::{BAR_ROW, bars_ui};
use super::depth_bars::depth_bars_ui;
use super::graph_view::graph_ui;
use super::header_ui;
use super::lines_view::lines_ui;
use super::scatter_view::scatter_ui;
use super::small_maps::{Heights, SmallMap, small_maps_ui};
use super::table_view::{table_ui, table_width};
use crate::figure::{self, Bars, Chart, Figure, Map, Pick, Table};
use crate::ui::command::Command;
use crate::ui::theme::axis_font;
use crate::ui::view::{ViewAction, ViewCtx};
use crate::ui::widgets::{Caption, Cell, Heatmap, Tone, command_button_ui};

/// The height in points of a plot, unless it takes the rest of the room; and then its least and most.
pub(super) const PLOT_HEIGHT: f32 = 260.0;
const PLOT_HEIGHTS: [f32; 2] = [160.0, 560.0];

/// The part of the room that the first of several charts takes, so that the next is in sight.
const FIRST_OF_SEVERAL: f32 = 0.75;

/// The least height in points of maps that stand above or below other charts, which do not fit into less than that anyway.
const LEAST_OF_SEVERAL: f32 = 330.0;

/// The gap below each chart, where room is not short.
const CHART_GAP: f32 = 6.0;

/// The width of a list beside its map, and of both from which on there is room for that.
const LIST_WIDTH: f32 = 250.0;
const WIDE: f32 = 640.0;

/// The least width of each of several charts beside each other, of a map's labels and bar, and of each of
/// its columns; and the gap between charts.
const LEAST_CHART: f32 = 365.0;
const AROUND_MAP: f32 = 245.0;
const LEAST_COLUMN: f32 = 8.0;
const CHARTS_GAP: f32 = 16.0;

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

    /// Draws the figure, with `controls` before its title.
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
            // Where room is short, it stands above the title.
            if !self.is_brief {
                export_button_ui(ui, figure, commands);
            }
            controls(ui);
        });
        if !figure.text.is_empty() {
            ui.add(Label::new(&figure.text).wrap());
        }
        let caption = self.caption(self.is_brief).laid_out(ui);
        let gap = if self.is_brief { 0.0 } else { CHART_GAP };
        let below = caption.height(ui) + gap + ui.spacing().item_spacing.y;
        let room = ui.available_height();
        let mut height = Some(room - below);
        // What is scrolled is as high in one map as in the next, and in one view as in the next.
        let of_several = room * FIRST_OF_SEVERAL;
        let mut range = self.range;
        let mut action: Option<ViewAction> = None;
        let mut charts = figure.charts.as_slice();
        while !charts.is_empty() {
            let block = Block::first_of(ui, charts, width);
            let after = &charts[block.n_charts()..];
            if block.n_charts() < figure.charts.len() {
                let is_first = height.is_some();
                let least = if block.has_maps() { LEAST_OF_SEVERAL } else { 0.0 };
                height = (is_first || block.has_maps()).then_some(of_several.max(least));
            }
            ui.push_id(charts.len(), |ui| {
                // A chart that is wider than the pane makes no other wider.
                ui.set_max_width(width);
                let has_name = figure.charts.len() > 1;
                let (height, range) = (height.take(), range.take());
                let here = block.show(ui, height, range, has_name, ctx);
                // The pointer may lie on one chart while the keyboard is in another.
                action = ViewAction::either(action.take(), here);
                ui.add_space(gap);
            });
            charts = after;
        }
        ui.scope(|ui| {
            ui.set_max_width(width);
            // Maps that cannot get larger leave room for all of it.
            let whole = self.is_brief.then(|| self.caption(false).laid_out(ui));
            let whole = whole.filter(|it| it.height(ui) <= ui.available_height());
            whole.unwrap_or(caption).show(ui);
        });
        action
    }

    fn caption(&self, is_brief: bool) -> Caption {
        let mut caption = Caption::new(is_brief);
        for warning in &self.figure.warnings {
            caption.add(Tone::Warning, warning);
        }
        for (nth, note) in self.figure.notes.iter().enumerate() {
            // Notes are left out where room is short.
            let tone = if is_brief && nth == 0 { Tone::Plain } else { Tone::Note };
            caption.add(tone, note);
        }
        caption
    }
}

/// How many lines of charts a figure has in so many points of width: of several the first take most of the
/// room, and the rest is scrolled to.
pub fn n_lines(ui: &Ui, figure: &Figure, width: f32) -> usize {
    let (mut charts, mut n) = (figure.charts.as_slice(), 0);
    while !charts.is_empty() {
        charts = &charts[Block::first_of(ui, charts, width).n_charts()..];
        n += 1;
    }
    n
}

/// Charts that are drawn together.
enum Block<'a> {
    Small(Vec<&'a Map>),

    /// The heads that matter most stand beside the map of all.
    MapAndList(&'a Chart, &'a Bars),

    /// Several charts stand side by side, as many as have room.
    Beside(&'a [Chart]),

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
        if let [chart @ Chart::Map(map), Chart::Bars(list), ..] = charts
            && list.parts.is_empty()
            && is_of_heads(map)
            && width >= WIDE
        {
            return Self::MapAndList(chart, list);
        }
        // A map beside lines would be as narrow as these.
        let is_alike = |it: &&Chart| {
            can_stand_beside(it) && mem::discriminant(*it) == mem::discriminant(&charts[0])
        };
        let n = charts.iter().take_while(is_alike).count();
        if n_beside(&charts[..n], width) > 1 {
            return Self::Beside(&charts[..n]);
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

    /// Whether the part has maps, which grow with their room.
    fn has_maps(&self) -> bool {
        matches!(self, Self::MapAndList(..) | Self::Beside(_) | Self::One(Chart::Map(_)))
    }

    fn n_charts(&self) -> usize {
        match self {
            Self::Small(maps) => maps.len(),
            Self::Beside(charts) => charts.len(),
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
                let width = ui.available_width() - LIST_WIDTH - CHARTS_GAP;
                // The map is as high as the list, which takes its room in any case.
                let list_height = (list.bars.len() as f32 + 3.0) * BAR_ROW;
                let below_name = below_name.map(|it| it.max(list_height));
                let sides = ui.horizontal_top(|ui| {
                    let of_map = named_chart_ui(ui, map, width, below_name, range, ctx);
                    let list = ui.vertical(|ui| {
                        name_ui(ui, &list.name);
                        bars_ui(ui, list, &[], ctx.selection)
                    });
                    ViewAction::either(of_map, list.inner)
                });
                sides.inner
            }
            Self::Beside(charts) => {
                let room = ui.available_width() + CHARTS_GAP;
                let n = n_beside(charts, ui.available_width());
                // Of several lines the second is in sight.
                let part = if n < charts.len() { FIRST_OF_SEVERAL } else { 1.0 };
                let height = below_name.map(|it| it * part);
                let mut action = None;
                for line in charts.chunks(n) {
                    // The last line is full as well, however few are left for it.
                    let width = room / line.len() as f32 - CHARTS_GAP;
                    ui.horizontal_top(|ui| {
                        ui.spacing_mut().item_spacing.x = CHARTS_GAP;
                        for chart in line {
                            let here = named_chart_ui(ui, chart, width, height, range, ctx);
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
                            picked_row(ui, table, ctx, None)
                        });
                        picked = picked.or(here.inner);
                    }
                    picked
                });
                beside.inner
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

/// Whether a chart needs no more than a part of the width, as a map that is not small does.
fn can_stand_beside(chart: &Chart) -> bool {
    match chart {
        Chart::Map(map) => !map.is_small,
        Chart::Lines(_) | Chart::Scatter(_) => true,
        _ => false,
    }
}

/// How many of these charts stand beside each other in a line: as many as have room, but fewer where the
/// last line is full then.
fn n_beside(charts: &[Chart], width: f32) -> usize {
    let least = charts.iter().map(|chart| match chart {
        Chart::Map(map) => AROUND_MAP + map.n_columns() as f32 * LEAST_COLUMN,
        _ => LEAST_CHART,
    });
    let least = least.fold(LEAST_CHART, f32::max);
    let n = charts.len();
    let most = ((width + CHARTS_GAP) / (least + CHARTS_GAP)) as usize;
    let most = most.min(n).max(1);
    (2..=most).rev().find(|it| n.is_multiple_of(*it)).unwrap_or(most)
}

/// A chart below its name, in a column of `width`.
fn named_chart_ui(
    ui: &mut Ui,
    chart: &Chart,
    width: f32,
    height: Option<f32>,
    range: Option<(f32, f32)>,
    ctx: &ViewCtx<'_>,
) -> Option<ViewAction> {
    let column = ui.vertical(|ui| {
        ui.set_width(width);
        name_ui(ui, chart.name());
        chart_ui(ui, chart, height, range, ctx)
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
        Chart::Lines(lines) => lines_ui(ui, lines, ctx, plot_height),
        Chart::Scatter(scatter) => scatter_ui(ui, scatter, plot_height).map(select),
        Chart::Graph(graph) => graph_ui(ui, graph, before),
        Chart::Table(table) => picked_row(ui, table, ctx, height),
    }
}

/// Draws a table, and says what of it was clicked.
fn picked_row(
    ui: &mut Ui,
    table: &Table,
    ctx: &ViewCtx<'_>,
    height: Option<f32>,
) -> Option<ViewAction> {
    let nth = table_ui(ui, table, ctx.selection, ctx.picks_places, height)?;
    Some(if ctx.picks_places {
        ViewAction::Place { chart: table.name.as_str().into(), nth }
    } else {
        ViewAction::Select(table.rows.get(nth)?.pick.over(ctx.selection))
    })
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
    if let Some(Cell { row, column }) = shown.picked.filter(|_| ctx.picks_places) {
        let nth = row * map.n_columns() + column;
        return Some(ViewAction::Place { chart: map.name.as_str().into(), nth });
    }
    shown.action(|Cell { row, column }| map.pick(row, column).over(ctx.selection))
}
