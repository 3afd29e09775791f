//! Attention edges that are painted on a head's map, and what the answer loses without them.

use std::collections::BTreeSet;
use std::sync::Arc;

use eframe::egui::{
    Button, Key, Pos2, Rect, Response, RichText, Stroke, StrokeKind, Ui, Vec2, vec2,
};

use super::table_view::table_ui;
use crate::analysis::edge_cut::Edge;
use crate::figure::{Chart, Figure};
use crate::tokens::{TokenizedPrompt, visible};
use crate::ui::command::Command;
use crate::ui::pane::Pane;
use crate::ui::state::Paint;
use crate::ui::studies::cut;
use crate::ui::theme::{palette, token_font};
use crate::ui::view::ViewCtx;
use crate::ui::widgets::command_button_ui;

/// How many edges have a button of their own.
const N_LISTED: usize = 48;

/// The least width in points that has room for both tables beside one another.
const BESIDE: f32 = 640.0;

/// The painted edges, and what is known of cutting them.
pub struct CutView<'a> {
    pub painted: &'a BTreeSet<Edge>,
    pub settings: &'a mut cut::Settings,

    /// Why they cannot be cut.
    pub error: Option<String>,

    /// The figure of cutting these edges, or else the edges that were painted before.
    pub found: Option<Arc<Figure>>,
    pub is_current: bool,
}

/// Lets the pointer and the space bar paint cells of a map of queries and keys, and marks the painted
/// cells. `map`: the map that was just drawn. `selected`: its query and key.
pub fn paint_ui(
    ui: &Ui,
    map: &Response,
    n_pos: usize,
    selected: Option<(usize, usize)>,
    painted: &BTreeSet<Edge>,
    commands: &mut Vec<Command>,
) {
    let cell = map.rect.size() / n_pos as f32;
    let mut paint = |paint: Paint| commands.push(Command::Paint(paint));
    if map.dragged()
        && let Some(to) = map.interact_pointer_pos()
    {
        let from = if map.drag_started() {
            ui.input(|input| input.pointer.press_origin()).unwrap_or(to)
        } else {
            to - map.drag_delta()
        };
        let removes = ui.input(|input| input.modifiers.shift);
        for edge in along(from, to, map.rect, cell, n_pos) {
            if removes && painted.contains(&edge) {
                paint(Paint::Remove(edge));
            } else if !removes && !painted.contains(&edge) {
                paint(Paint::Add(edge));
            }
        }
    }
    if map.has_focus()
        && ui.input(|input| input.key_pressed(Key::Space))
        && let Some((query, key)) = selected.filter(|(query, key)| key <= query)
    {
        paint(Paint::Toggle(Edge { query, key }));
    }
    let colors = palette(ui);
    let painter = ui.painter_at(map.rect);
    for edge in painted.iter().filter(|edge| edge.query < n_pos) {
        let min = map.rect.min + vec2(edge.key as f32, edge.query as f32) * cell;
        let rect = Rect::from_min_size(min, cell).shrink((cell.x / 8.0).clamp(0.5, 2.0));
        let line = Stroke::new((cell.x / 8.0).clamp(1.0, 2.0), colors.error);
        painter.rect_stroke(rect, 0.0, line, StrokeKind::Inside);
        painter.line_segment([rect.left_top(), rect.right_bottom()], line);
        painter.line_segment([rect.left_bottom(), rect.right_top()], line);
    }
}

/// Every edge that a stroke of the brush crosses.
fn along(from: Pos2, to: Pos2, map: Rect, cell: Vec2, n_pos: usize) -> BTreeSet<Edge> {
    let n_steps = ((to - from).length() / (cell.x / 2.0)).ceil().max(1.0) as usize;
    (0..=n_steps)
        .map(|step| from + (to - from) * (step as f32 / n_steps as f32))
        .filter(|pos| map.contains(*pos))
        .map(|pos| (pos - map.min) / cell)
        .map(|at| Edge {
            query: (at.y as usize).min(n_pos - 1),
            key: (at.x as usize).min(n_pos - 1),
        })
        .filter(|edge| edge.key <= edge.query)
        .collect()
}

/// Lists the painted edges, the layers and heads in which they are cut, and what that changes.
pub fn cut_ui(
    ui: &mut Ui,
    view: &mut CutView<'_>,
    prompt: &TokenizedPrompt,
    n_layers: usize,
    ctx: &ViewCtx<'_>,
    commands: &mut Vec<Command>,
) {
    if view.painted.is_empty() {
        return;
    }
    ui.horizontal_wrapped(|ui| {
        view.settings.where_ui(ui, n_layers);
        let clear = Command::Paint(Paint::Clear);
        command_button_ui(ui, clear, commands);
        let details = ui.button("Details").on_hover_text("All readings, to be exported");
        if details.clicked() {
            commands.push(Command::ShowPane(Pane::Cut));
        }
    });
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = vec2(4.0, 4.0);
        for &edge in view.painted.iter().take(N_LISTED) {
            let piece = |pos: usize| prompt.pieces.get(pos).map(|it| visible(it));
            let (Some(query), Some(key)) = (piece(edge.query), piece(edge.key)) else { continue };
            let text = RichText::new(format!("{query} ↛ {key} ×")).font(token_font());
            let name = format!("Cut no more: token {} to token {}", edge.query, edge.key);
            let button = ui.add(Button::new(text).small());
            if button.on_hover_text(&name).accessible_name(name).clicked() {
                commands.push(Command::Paint(Paint::Remove(edge)));
            }
        }
        if view.painted.len() > N_LISTED {
            ui.weak(format!("and {} more", view.painted.len() - N_LISTED));
        }
    });
    if let Some(error) = &view.error {
        ui.label(RichText::new(error).color(palette(ui).warning));
    } else if let Some(found) = &view.found {
        found_ui(ui, found, view.is_current, ctx);
    } else {
        ui.weak("Running the model…");
    }
}

/// The tables of the figure beside one another, where there is room.
fn found_ui(ui: &mut Ui, figure: &Figure, is_current: bool, ctx: &ViewCtx<'_>) {
    let tables_ui = |ui: &mut Ui| {
        if !is_current {
            // Until the model has answered, the tables are of the edges before.
            ui.multiply_opacity(0.5);
        }
        for chart in &figure.charts {
            if let Chart::Table(table) = chart {
                ui.vertical(|ui| _ = table_ui(ui, table, ctx.selection, false, None));
                ui.add_space(12.0);
            }
        }
    };
    if ui.available_width() < BESIDE {
        tables_ui(ui);
    } else {
        ui.horizontal_top(tables_ui);
    }
}
