//! One head's attention as lines from token to token, as `BertViz` draws it (Vig 2019).

use std::collections::BTreeSet;

use eframe::egui::{
    Align2, Color32, Pos2, Rect, Role, Sense, Shape, Stroke, StrokeKind, Ui, WidgetInfo, pos2, vec2,
};

use crate::analysis::attention::Attention;
use crate::analysis::edge_cut::Edge;
use crate::figure::words::{token_at, token_labels};
use crate::ui::theme::{axis_font, palette, token_font};
use crate::ui::view::ViewCtx;
use crate::ui::widgets::number::significant;
use crate::ui::widgets::{arrow_steps, elide_middle, moved};

const ROW: f32 = 19.0;
const TITLE: f32 = 18.0;
const MAX_WIDTH: f32 = 520.0;

/// The width of a weight beside a token.
const NUMBER: f32 = 46.0;

/// A token at one of the two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Query(usize),
    Key(usize),
}

/// The weights that are drawn as lines.
pub struct Weights<'a> {
    /// `[query, key]`
    pub pattern: &'a [f32],

    /// The weight that is drawn strongest.
    pub scale: f32,

    /// The least share of `scale` that is drawn, above 0.
    pub least: f32,
}

/// Draws the lines. Returns the position that is picked in this frame, by click or arrow key.
///
/// `painted`: edges that are cut, which are drawn whatever they weigh.
#[expect(clippy::too_many_lines, reason = "one drawing, whose measures are shared")]
pub fn attention_lines_ui(
    ui: &mut Ui,
    attention: &Attention,
    weights: &Weights<'_>,
    painted: &BTreeSet<Edge>,
    ctx: &ViewCtx<'_>,
) -> Option<usize> {
    let &Weights { pattern, scale, least } = weights;
    let threshold = least * scale;
    let prompt = &attention.prompt;
    let n_pos = prompt.n_pos();
    let colors = palette(ui);
    let width = ui.available_width().min(MAX_WIDTH);
    let size = vec2(width, TITLE + n_pos as f32 * ROW);
    let (outer, _) = ui.allocate_exact_size(size, Sense::hover());
    let rows = Rect::from_min_max(outer.min + vec2(0.0, TITLE), outer.max);
    let id = ui.make_persistent_id("attention lines");
    let mut response = ui.interact(rows, id, Sense::click());

    let painter = ui.painter();
    let widest = (width - 2.0 * NUMBER) * 0.36;
    let labels: Vec<String> = token_labels(prompt)
        .iter()
        .map(|label| elide_middle(painter, label, &token_font(), widest))
        .collect();
    let label_width =
        |label: &String| painter.layout_no_wrap(label.clone(), token_font(), colors.text).size().x;
    let beside = labels.iter().map(label_width).fold(0.0, f32::max) + 6.0 + NUMBER;
    let (left, right) = (outer.left() + beside, outer.right() - beside);
    let y_of = |pos: usize| rows.top() + (pos as f32 + 0.5) * ROW;

    let at = |pos: Pos2| {
        let row = (((pos.y - rows.top()) / ROW).max(0.0) as usize).min(n_pos - 1);
        if pos.x < outer.center().x { End::Query(row) } else { End::Key(row) }
    };
    // Between the two sides the pointer is on lines, and on no token.
    let is_token = |pos: &Pos2| pos.x < left + 4.0 || pos.x > right - 4.0;
    let hovered = response.hover_pos().filter(is_token).map(at);
    let mut picked = None;
    if response.clicked() {
        response.request_focus();
        let end = response.interact_pointer_pos().filter(is_token).map(at);
        picked = end.map(|(End::Query(pos) | End::Key(pos))| pos);
    }
    if response.has_focus() {
        let (down, _) = arrow_steps(ui, id);
        if down != 0 {
            picked = Some(moved(ctx.selection.position, down, n_pos));
        }
        painter.rect_stroke(
            rows.expand(2.0),
            2.0,
            Stroke::new(1.0, colors.accent),
            StrokeKind::Middle,
        );
    }
    if picked.is_some() {
        response.mark_changed();
    }

    let selected = ctx.selection.position.filter(|pos| *pos < n_pos);
    let shown = |query: usize, key: usize| match hovered {
        Some(End::Query(pos)) => pos == query,
        Some(End::Key(pos)) => pos == key,
        None => true,
    };
    if ui.is_rect_visible(outer) {
        let painter = ui.painter_at(outer.expand(2.0));
        for query in 0..n_pos {
            for key in 0..=query {
                let weight = pattern[query * n_pos + key];
                let is_cut = painted.contains(&Edge { query, key });
                if !shown(query, key) {
                    continue;
                }
                let ends = [pos2(left + 3.0, y_of(query)), pos2(right - 3.0, y_of(key))];
                if is_cut {
                    let line = Stroke::new(1.5, colors.error);
                    painter.extend(Shape::dashed_line(&ends, line, 5.0, 4.0));
                    continue;
                }
                if weight.is_nan() || weight < threshold {
                    continue;
                }
                let fades = hovered.is_none() && selected.is_some_and(|pos| pos != query);
                let share = weight / scale;
                let strength = share.clamp(0.08, 1.0) * if fades { 0.45 } else { 1.0 };
                let line = Stroke::new(1.0 + 1.5 * share, faded(colors.accent, strength));
                painter.line_segment(ends, line);
            }
        }
        let title = |x: f32, anchor: Align2, text: &str| {
            painter.text(pos2(x, outer.top()), anchor, text, axis_font(), colors.weak_text);
        };
        title(left, Align2::RIGHT_TOP, "From (query)");
        title(right, Align2::LEFT_TOP, "To (key)");
        for (pos, label) in labels.iter().enumerate() {
            let is_subject = prompt.subject.as_ref().is_some_and(|it| it.contains(&pos));
            let ink = if is_subject { colors.subject } else { colors.text };
            let is_at = |end: End| hovered == Some(end);
            if selected == Some(pos) || is_at(End::Query(pos)) {
                let token = pos2(outer.left() + NUMBER, y_of(pos) - ROW / 2.0 + 1.0);
                let rect = Rect::from_min_max(token, pos2(left, token.y + ROW - 2.0));
                painter.rect_filled(rect, 3.0, colors.accent_fill);
            }
            if is_at(End::Key(pos)) {
                let token = pos2(right, y_of(pos) - ROW / 2.0 + 1.0);
                let to = pos2(outer.right() - NUMBER, token.y + ROW - 2.0);
                painter.rect_filled(Rect::from_min_max(token, to), 3.0, colors.accent_fill);
            }
            let write = |x: f32, anchor: Align2| {
                painter.text(pos2(x, y_of(pos)), anchor, label, token_font(), ink);
            };
            write(left - 3.0, Align2::RIGHT_CENTER);
            write(right + 3.0, Align2::LEFT_CENTER);
            // The weights of the lines stand at their other ends.
            let query = match hovered {
                Some(End::Query(query)) => Some(query),
                Some(End::Key(_)) => None,
                None => selected,
            };
            let number = |x: f32, anchor: Align2, weight: f32| {
                if weight >= threshold {
                    let text = significant(weight, 2);
                    painter.text(pos2(x, y_of(pos)), anchor, text, axis_font(), colors.weak_text);
                }
            };
            if let Some(query) = query {
                number(outer.right(), Align2::RIGHT_CENTER, pattern[query * n_pos + pos]);
            }
            if let Some(End::Key(key)) = hovered {
                number(outer.left(), Align2::LEFT_CENTER, pattern[pos * n_pos + key]);
            }
        }
    }
    response.widget_info(|| {
        let spoken = match picked.or(selected) {
            Some(query) => spoken(attention, pattern, query),
            None => "Attention lines".to_owned(),
        };
        WidgetInfo::labeled(Role::Canvas, ui.is_enabled(), spoken)
    });
    picked
}

/// The colour, as strong as a weight's share.
fn faded(color: Color32, share: f32) -> Color32 {
    color.gamma_multiply(share)
}

/// Says what a query looks at most.
fn spoken(attention: &Attention, pattern: &[f32], query: usize) -> String {
    let prompt = &attention.prompt;
    let n_pos = prompt.n_pos();
    let row = &pattern[query * n_pos..=query * n_pos + query];
    let mut keys: Vec<usize> = (0..=query).collect();
    keys.sort_by(|a, b| row[*b].total_cmp(&row[*a]));
    let to: Vec<String> = keys
        .iter()
        .take(3)
        .map(|&key| format!("{} {}", token_at(key, prompt), significant(row[key], 2)))
        .collect();
    format!("Attention lines: from {} to {}", token_at(query, prompt), to.join(", "))
}
