//! The graph of places that a prediction came through, as the LM Transparency Tool draws it.

use eframe::egui::{
    Align2, Color32, Pos2, Rect, Response, Role, Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo,
    pos2, vec2,
};

use crate::figure::{Graph, GraphKind, Pick};
use crate::ui::theme::{Palette, axis_font, palette, token_font};
use crate::ui::view::{Selection, ViewAction};
use crate::ui::widgets::{arrow_steps, elide_middle, moved};

/// The distance between two tokens in points.
const ROW: f32 = 30.0;

/// The widest layer in points.
const COLUMN: f32 = 90.0;

/// The height of each line of the legend above, and of the layers below.
const LEGEND: f32 = 20.0;
const AXIS: f32 = 34.0;

/// The width of a line's sign in the legend, and the gaps after it and after its name.
const SIGN: f32 = 18.0;
const SIGN_GAP: f32 = 5.0;
const NAME_GAP: f32 = 14.0;

/// How near to a node the pointer must be, in points.
const NEAR: f32 = 11.0;

pub(super) fn graph_ui(ui: &mut Ui, graph: &Graph, before: Selection) -> Option<ViewAction> {
    let (n_rows, n_columns) = (graph.rows.labels.len(), graph.columns.labels.len());
    if n_rows == 0 || n_columns == 0 {
        ui.weak("Nothing to show");
        return None;
    }
    let drawing = Drawing::new(ui, graph);
    let (rect, _) = ui.allocate_exact_size(drawing.size, Sense::hover());
    let drawing = Drawing { corner: rect.min + drawing.corner.to_vec2(), ..drawing };
    let id = ui.make_persistent_id(&graph.name);
    let mut response = ui.interact(drawing.area(), id, Sense::click());

    let hovered = response.hover_pos().and_then(|pos| drawing.node_near(pos));
    let mut action = hovered.map(|nth| ViewAction::Hover(graph.nodes[nth].pick.over(before)));
    if response.clicked() {
        response.request_focus();
        let clicked = response.interact_pointer_pos().and_then(|pos| drawing.node_near(pos));
        action =
            clicked.map(|nth| ViewAction::Select(graph.nodes[nth].pick.over(before))).or(action);
    }
    if response.has_focus() {
        let (down, right) = arrow_steps(ui, id);
        if (down, right) != (0, 0) {
            let position = Some(moved(before.position, down, n_rows));
            let layer = Some(moved(before.layer, right, (n_columns - 1).max(1)));
            action = Some(ViewAction::Select(Pick { position, layer, head: None }.over(before)));
        }
    }
    if matches!(action, Some(ViewAction::Select(_))) {
        response.mark_changed();
    }
    let picked = picked(graph, before);
    if ui.is_rect_visible(rect) {
        drawing.paint(ui, &response, hovered, &picked, before);
    }
    let spoken = picked.last().map_or_else(|| graph.name.clone(), |&nth| graph.told(nth));
    response.widget_info(|| WidgetInfo::labeled(Role::Canvas, ui.is_enabled(), &spoken));
    if let Some(nth) = hovered {
        response.on_hover_text_at_pointer(graph.told(nth));
    }
    action
}

/// The nodes at the place that is picked out.
fn picked(graph: &Graph, before: Selection) -> Vec<usize> {
    let is_there = |nth: &usize| {
        let pick = graph.nodes[*nth].pick;
        before.layer.is_some() && (pick.layer, pick.position) == (before.layer, before.position)
    };
    (0..graph.nodes.len()).filter(is_there).collect()
}

/// A graph, and the places of its parts.
struct Drawing<'a> {
    graph: &'a Graph,
    labels: Vec<String>,

    /// The top left corner of the area of the nodes.
    corner: Pos2,
    column: f32,

    /// Where the signs of the legend begin, from that corner; then where its last line ends.
    legend: Vec<Vec2>,

    /// The size with labels and legend.
    size: Vec2,
}

impl<'a> Drawing<'a> {
    /// A drawing whose corner is at the origin.
    fn new(ui: &Ui, graph: &'a Graph) -> Self {
        let painter = ui.painter();
        let ink = palette(ui).text;
        let widest = ui.available_width() * 0.3;
        let labels: Vec<String> = graph
            .rows
            .labels
            .iter()
            .enumerate()
            .map(|(nth, label)| {
                let star = if graph.rows.marked.contains(&nth) { "*" } else { "" };
                format!("{}{star}", elide_middle(painter, label, &token_font(), widest))
            })
            .collect();
        let width =
            |label: &String| painter.layout_no_wrap(label.clone(), token_font(), ink).size().x;
        let left = labels.iter().map(width).fold(0.0, f32::max) + 8.0;
        let n_columns = graph.columns.labels.len() as f32;
        let column = ((ui.available_width() - left - 4.0) / n_columns).clamp(8.0, COLUMN);
        let width_of = |kind: GraphKind| {
            let text = painter.layout_no_wrap(kind.name().to_owned(), axis_font(), ink);
            SIGN + SIGN_GAP + text.size().x + NAME_GAP
        };
        let widths = GraphKind::ALL.map(width_of);
        // The legend begins above the nodes, unless it then needs another line.
        let room = ui.available_width() + NAME_GAP;
        let start = if left + widths.iter().sum::<f32>() <= room { 0.0 } else { -left };
        let (mut at, mut legend) = (vec2(start, 0.0), Vec::new());
        for width in widths {
            if at.x > start && left + at.x + width > room {
                at = vec2(start, at.y + LEGEND);
            }
            legend.push(at);
            at.x += width;
        }
        legend.push(at);
        let above = at.y + LEGEND;
        for place in &mut legend {
            place.y += LEGEND / 2.0 - 2.0 - above;
        }
        let height = above + ROW * graph.rows.labels.len() as f32 + AXIS;
        let size = vec2(left + column * n_columns + 2.0, height);
        Self { graph, labels, corner: pos2(left, above), column, legend, size }
    }

    fn area(&self) -> Rect {
        let (n_rows, n_columns) = (self.graph.rows.labels.len(), self.graph.columns.labels.len());
        let size = vec2(self.column * n_columns as f32, ROW * n_rows as f32);
        Rect::from_min_size(self.corner, size)
    }

    fn at(&self, [x, y]: [f32; 2]) -> Pos2 {
        self.corner + vec2((x + 0.5) * self.column, (y + 0.5) * ROW)
    }

    fn node_near(&self, pos: Pos2) -> Option<usize> {
        let distance = |nth: usize| self.at(self.graph.nodes[nth].at).distance(pos);
        let nodes = 0..self.graph.nodes.len();
        let nearest = nodes.min_by(|a, b| distance(*a).total_cmp(&distance(*b)))?;
        (distance(nearest) <= NEAR).then_some(nearest)
    }

    fn paint(
        &self,
        ui: &Ui,
        response: &Response,
        hovered: Option<usize>,
        picked: &[usize],
        before: Selection,
    ) {
        let graph = self.graph;
        let colors = palette(ui);
        let area = self.area();
        let painter = ui.painter();
        let frame = if response.has_focus() { colors.accent } else { colors.line };
        painter.rect_stroke(area, 2.0, Stroke::new(1.0, frame), StrokeKind::Outside);
        for nth in 0..graph.rows.labels.len() {
            let y = self.at([0.0, nth as f32]).y;
            painter.hline(area.x_range(), y, Stroke::new(1.0, colors.faint_line));
        }
        // The edges of the nodes that are looked at stand out.
        let looked_at: Vec<usize> = hovered.map_or_else(|| picked.to_vec(), |nth| vec![nth]);
        for edge in &graph.edges {
            let weight = edge.weight.clamp(0.0, 1.0);
            let stands_out = looked_at.contains(&edge.from) || looked_at.contains(&edge.to);
            let fades = if looked_at.is_empty() || stands_out { 1.0 } else { 0.3 };
            let color = ink(edge.kind, colors).gamma_multiply((0.45 + 0.55 * weight) * fades);
            let ends = [edge.from, edge.to].map(|nth| self.at(graph.nodes[nth].at));
            painter.line_segment(ends, Stroke::new(0.7 + 3.3 * weight, color));
        }
        for (nth, node) in graph.nodes.iter().enumerate() {
            let at = self.at(node.at);
            painter.circle_filled(at, 2.0, colors.text);
            if looked_at.contains(&nth) {
                painter.circle_stroke(at, 5.0, Stroke::new(1.5, colors.accent));
            }
        }
        self.paint_words(ui, colors, before);
    }

    fn paint_words(&self, ui: &Ui, colors: &Palette, before: Selection) {
        let (graph, area) = (self.graph, self.area());
        let painter = ui.painter();
        for (nth, label) in self.labels.iter().enumerate() {
            let color = match nth {
                _ if graph.rows.marked.contains(&nth) => colors.subject,
                _ if before.position == Some(nth) => colors.accent,
                _ => colors.text,
            };
            let at = pos2(area.left() - 6.0, self.at([0.0, nth as f32]).y);
            painter.text(at, Align2::RIGHT_CENTER, label, token_font(), color);
        }
        let width =
            |text: &str| painter.layout_no_wrap(text.to_owned(), axis_font(), colors.text).size().x;
        let widest = graph.columns.labels.iter().map(|it| width(it)).fold(0.0, f32::max) + 6.0;
        let step = (widest / self.column).ceil().max(1.0) as usize;
        // The first column is the embedding, so layers are counted from the second.
        for (nth, label) in graph.columns.labels.iter().enumerate() {
            let is_shown = nth == 0 && step == 1 || nth > 0 && (nth - 1) % step == 0;
            if !is_shown {
                continue;
            }
            let at = pos2(self.at([nth as f32, 0.0]).x, area.bottom() + 3.0);
            let is_picked = nth > 0 && before.layer == Some(nth - 1);
            let color = if is_picked { colors.accent } else { colors.weak_text };
            painter.text(at, Align2::CENTER_TOP, label, axis_font(), color);
        }
        let at = pos2(area.center().x, area.bottom() + 17.0);
        let title = &graph.columns.title;
        painter.text(at, Align2::CENTER_TOP, title, axis_font(), colors.weak_text);

        for (kind, place) in GraphKind::ALL.into_iter().zip(&self.legend) {
            let at = self.corner + *place;
            painter.hline(at.x..=at.x + SIGN, at.y, Stroke::new(2.5, ink(kind, colors)));
            let at = at + vec2(SIGN + SIGN_GAP, 0.0);
            painter.text(at, Align2::LEFT_CENTER, kind.name(), axis_font(), colors.text);
        }
        let quantity = format!("width: {}", graph.quantity);
        if let Some(place) = self.legend.last()
            && width(&quantity) <= area.right() - (self.corner + *place).x
        {
            let at = self.corner + *place;
            painter.text(at, Align2::LEFT_CENTER, quantity, axis_font(), colors.weak_text);
        }
    }
}

fn ink(kind: GraphKind, colors: &Palette) -> Color32 {
    match kind {
        GraphKind::Stream => colors.embed,
        GraphKind::Attention => colors.attn,
        GraphKind::Mlp => colors.mlp,
    }
}
