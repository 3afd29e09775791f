//! Text that is shortened or turned.

use std::sync::Arc;

use eframe::egui::epaint::TextShape;
use eframe::egui::{Align2, Color32, FontId, Galley, Painter, Pos2};

/// Shortens the middle, so that both the start and the end of a token stay readable.
pub fn elide_middle(painter: &Painter, text: &str, font: &FontId, max_width: f32) -> String {
    let width = |text: &str| {
        painter.layout_no_wrap(text.to_owned(), font.clone(), Color32::PLACEHOLDER).size().x
    };
    if width(text) <= max_width {
        return text.to_owned();
    }
    let chars: Vec<char> = text.chars().collect();
    let shortened = |n_kept: usize| {
        let n_start = n_kept.div_ceil(2);
        let start = chars[..n_start].iter();
        let end = chars[chars.len() - (n_kept - n_start)..].iter();
        start.chain(&['…']).chain(end).collect::<String>()
    };
    let fits = |n_kept: &usize| width(&shortened(*n_kept)) <= max_width;
    shortened((0..chars.len()).rev().find(fits).unwrap_or(0))
}

/// Shortens the end, so that as much of the start is read as has room.
pub fn elide_end(painter: &Painter, text: &str, font: &FontId, max_width: f32) -> String {
    let width = |text: &str| {
        painter.layout_no_wrap(text.to_owned(), font.clone(), Color32::PLACEHOLDER).size().x
    };
    let chars: Vec<char> = text.chars().collect();
    let shortened = |n: usize| chars[..n].iter().chain(&['…']).collect::<String>();
    let fits = |n: &usize| width(&shortened(*n)) <= max_width;
    shortened((0..chars.len()).rev().find(fits).unwrap_or(0))
}

/// A text that is laid out in a line of its own, without its middle where it is longer than `max_width`.
pub fn fitted(
    painter: &Painter,
    text: &str,
    font: &FontId,
    ink: Color32,
    max_width: f32,
) -> Arc<Galley> {
    let laid_out = |text: String| painter.layout_no_wrap(text, font.clone(), ink);
    let galley = laid_out(text.to_owned());
    // Most texts fit, and all are laid out in each frame.
    if galley.size().x <= max_width {
        return galley;
    }
    laid_out(elide_middle(painter, text, font, max_width))
}

/// Paints text that is turned by `angle` radians, clockwise, around its `anchor`, which lies at `pos`.
pub fn rotated_text(
    painter: &Painter,
    pos: Pos2,
    anchor: Align2,
    angle: f32,
    galley: Arc<Galley>,
    color: Color32,
) {
    let top_left = pos - anchor.pos_in_rect(&galley.rect).to_vec2();
    painter.add(TextShape::new(top_left, galley, color).with_angle_and_anchor(angle, anchor));
}
