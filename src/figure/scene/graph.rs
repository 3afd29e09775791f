//! Places joined by edges.

use super::map::{shown_labels, shown_places};
use super::text::text_width;
use super::{
    Anchor, FAINT, GREEN, INK, LegendKey, NEGATIVE, SMALL, Scene, Shape, Style, WEAK, paler,
    step_of, widest,
};
use crate::figure::color::Rgb;
use crate::figure::{Graph, GraphKind};

/// The distance between two tokens.
const ROW: f32 = 22.0;

/// The widest that a layer is drawn.
const COLUMN: f32 = 56.0;

/// The width of the thinnest line, and what a weight of 1 adds to it.
const THIN: f32 = 0.4;
const THICK: f32 = 2.2;

impl Scene {
    pub(super) fn graph(&mut self, graph: &Graph) {
        let (n_rows, n_columns) = (graph.rows.labels.len(), graph.columns.labels.len());
        if n_rows == 0 || n_columns == 0 {
            self.paragraph("Nothing to show", Style::weak());
            return;
        }
        self.graph_legend(graph);
        let style = Style::label(graph.rows.is_tokens);
        let labels = shown_labels(&graph.rows, style, self.room);
        let left = self.margin + SMALL + 8.0 + widest(&labels, style);
        let column = (self.right() - left) / n_columns as f32;
        let column = if self.fills { column } else { column.min(COLUMN) };
        let size = [column * n_columns as f32, ROW * n_rows as f32];
        let corner = [left, self.height + 2.0];
        let place =
            |[x, y]: [f32; 2]| [corner[0] + (x + 0.5) * column, corner[1] + (y + 0.5) * ROW];
        for nth in 0..n_rows {
            let [x, y] = place([-0.5, nth as f32]);
            self.line([x, y], [x + size[0], y], FAINT);
        }
        for edge in &graph.edges {
            let [from, to] = [edge.from, edge.to].map(|nth| place(graph.nodes[nth].at));
            let weight = edge.weight.clamp(0.0, 1.0);
            let color = paler(ink(edge.kind), 0.25 + 0.75 * weight);
            let width = THIN + THICK * weight;
            self.shapes.push(Shape::Line { from, to, color, width, dash: None });
        }
        for (nth, node) in graph.nodes.iter().enumerate() {
            let at = place(node.at);
            self.shapes.push(Shape::Dot { at, radius: 1.2, color: INK });
            self.tell_around(at, || graph.told(nth));
        }
        let title = &*graph.rows.title;
        let at = [self.margin + SMALL / 2.0, corner[1] + size[1] / 2.0];
        if text_width(title, Style::weak()) <= size[1] {
            self.text(at, title, Anchor::Middle, Style::weak().turned(-90.0));
        }
        for nth in shown_places(&graph.rows, step_of(n_rows, ROW, SMALL)) {
            let at = [corner[0] - 5.0, corner[1] + (nth as f32 + 0.5) * ROW];
            self.label(&graph.rows, nth, &labels[nth], at, Anchor::End, style);
        }
        self.frame(corner, size);
        self.height = self.columns(&graph.columns, corner, size, column);
    }

    /// Draws the legend of colours and widths.
    fn graph_legend(&mut self, graph: &Graph) {
        let line = |kind| LegendKey::Line { color: ink(kind), width: 1.6, dash: None };
        let kinds = GraphKind::ALL.map(|kind| (line(kind), kind.name()));
        let width = format!("width: {}", graph.quantity);
        let entries: Vec<_> = kinds.into_iter().chain([(LegendKey::None, &*width)]).collect();
        self.legend(self.margin, &entries);
    }
}

fn ink(kind: GraphKind) -> Rgb {
    match kind {
        GraphKind::Stream => WEAK,
        GraphKind::Attention => NEGATIVE,
        GraphKind::Mlp => GREEN,
    }
}
