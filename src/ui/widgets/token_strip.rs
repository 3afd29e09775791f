//! A prompt as a strip of its tokens.

use std::iter;
use std::ops::Range;

use eframe::egui::{
    Align, Align2, Button, Color32, CornerRadius, FontId, Layout, Rect, Response, Role, Sense,
    Stroke, StrokeKind, TextStyle, Ui, WidgetInfo, pos2, vec2,
};

use super::text::elide_middle;
use crate::tokens::{TokenizedPrompt, Tokenizer, visible};
use crate::ui::theme::{axis_font, palette, token_font};
use crate::ui::view::{Selection, ViewAction, ViewCtx};

/// What the token of a chip is to the prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chip {
    Plain,
    Subject,
    Answer,
}

const MAX_CHIP_WIDTH: f32 = 220.0;

/// A longer prompt is folded to its first tokens, its subject and its last tokens.
const FOLDED_FROM: usize = 48;

/// How many tokens stay on each side of a gap, and how short a gap is not worth folding.
const N_AROUND: usize = 6;
const LEAST_GAP: usize = 4;

/// Tokens with their positions, the subject set apart, and the answer after an arrow. A click
/// selects a position. A long prompt shows the tokens between as a gap, which a click opens.
pub fn token_strip_ui(
    ui: &mut Ui,
    prompt: &TokenizedPrompt,
    ctx: &ViewCtx<'_>,
) -> Option<ViewAction> {
    let mut action = None;
    let unfolded = ui.scope_id().with(("unfolded", &prompt.ids));
    let is_folded = !ui.data(|data| data.get_temp::<bool>(unfolded)).unwrap_or_default();
    let shown = if is_folded { folded(prompt) } else { iter::once(0..prompt.n_pos()).collect() };
    let rows = Layout::left_to_right(Align::Min).with_main_wrap(true);
    let room = vec2(ui.available_width(), 0.0);
    ui.allocate_ui_with_layout(room, rows, |ui| {
        ui.spacing_mut().item_spacing = vec2(3.0, 5.0);
        let mut end = 0;
        for piece in shown {
            if piece.start > end && gap_ui(ui, end..piece.start, ctx.selection.position) {
                ui.data_mut(|data| data.insert_temp(unfolded, true));
            }
            end = piece.end;
            for pos in piece {
                if let Some(clicked) = token_ui(ui, prompt, pos, ctx) {
                    action = Some(clicked);
                }
            }
        }
        if !is_folded && ui.small_button("Fold").on_hover_text(FOLD_ABOUT).clicked() {
            ui.data_mut(|data| data.remove::<bool>(unfolded));
        }
        if let Some(answer) = &prompt.answer {
            word_ui(ui, "→").on_hover_text("The answer that is measured");
            for (&id, piece) in answer.ids.iter().zip(&answer.pieces) {
                let response = chip_ui(ui, piece, Chip::Answer, None, false);
                response.on_hover_text(about(ctx.tokenizer, id, piece, None));
            }
        }
        if let Some(foil) = &prompt.foil {
            word_ui(ui, "not").on_hover_text(FOIL_ABOUT);
            for (&id, piece) in foil.ids.iter().zip(&foil.pieces) {
                let response = chip_ui(ui, piece, Chip::Plain, None, false);
                let about = about(ctx.tokenizer, id, piece, None);
                response.on_hover_text(format!("{about}\n{FOIL_ABOUT}"));
            }
        }
    });
    action
}

const FOIL_ABOUT: &str = "The foil: a wrong answer that the right one is compared with. The dataset gives one to each fact, and \
     each way of it, so two facts whose inverses ask the same may have two foils there";

const FOLD_ABOUT: &str = "Shows the first tokens, the subject and the last tokens only";

/// The positions that a folded strip shows, in order.
pub(super) fn folded(prompt: &TokenizedPrompt) -> Vec<Range<usize>> {
    let n_pos = prompt.n_pos();
    if n_pos <= FOLDED_FROM {
        return iter::once(0..n_pos).collect();
    }
    let mut shown: Vec<Range<usize>> = iter::once(0..N_AROUND).collect();
    // A subject that is itself long is cut as well.
    let subject = prompt.subject.clone().map(|it| {
        it.start.saturating_sub(2)..(it.end + 2).min(it.start + FOLDED_FROM / 2).min(n_pos)
    });
    for piece in subject.into_iter().chain(iter::once(n_pos - N_AROUND..n_pos)) {
        match shown.last_mut() {
            Some(last) if piece.start < last.end + LEAST_GAP => last.end = last.end.max(piece.end),
            _ => shown.push(piece),
        }
    }
    shown
}

/// The button that stands for tokens left out. Returns whether it was clicked.
pub(super) fn gap_ui(ui: &mut Ui, gap: Range<usize>, selected: Option<usize>) -> bool {
    let text = format!("… {} tokens …", gap.len());
    let is_selected = selected.is_some_and(|pos| gap.contains(&pos));
    let button = Button::selectable(is_selected, text).min_size(vec2(0.0, chip_height(ui)));
    let about = format!("Tokens {} to {}; a click shows them", gap.start, gap.end - 1);
    ui.add(button).on_hover_text(about).clicked()
}

/// One token of a prompt.
fn token_ui(
    ui: &mut Ui,
    prompt: &TokenizedPrompt,
    pos: usize,
    ctx: &ViewCtx<'_>,
) -> Option<ViewAction> {
    let (id, piece) = (prompt.ids[pos], &prompt.pieces[pos]);
    let is_subject = prompt.subject.as_ref().is_some_and(|range| range.contains(&pos));
    let chip = if is_subject { Chip::Subject } else { Chip::Plain };
    let is_selected = ctx.selection.position == Some(pos);
    let response = chip_ui(ui, &ctx.tokenizer.shown(id), chip, Some(pos), is_selected);
    let response = response.on_hover_text(about(ctx.tokenizer, id, piece, Some((pos, chip))));
    let position = Some(pos);
    response.clicked().then_some(ViewAction::Select(Selection { position, ..ctx.selection }))
}

/// A word beside chips, at their height.
fn word_ui(ui: &mut Ui, word: &str) -> Response {
    let colors = palette(ui);
    let font = TextStyle::Body.resolve(ui.style());
    let galley = ui.painter().layout_no_wrap(word.to_owned(), font, colors.weak_text);
    let size = vec2(galley.size().x + 10.0, chip_height(ui));
    let (rect, response) = ui.allocate_exact_size(size, Sense::hover());
    ui.painter().galley(rect.center() - galley.size() / 2.0, galley, colors.weak_text);
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, word));
    response
}

fn chip_height(ui: &Ui) -> f32 {
    ui.fonts_mut(|fonts| fonts.row_height(&token_font())) + 6.0
}

/// One token by itself, in lists.
pub fn token_chip_ui(ui: &mut Ui, tokenizer: &Tokenizer, id: u32, chip: Chip) -> Response {
    let piece = tokenizer.readable(id);
    let response = chip_ui(ui, &tokenizer.shown(id), chip, None, false);
    response.on_hover_text(about(tokenizer, id, &piece, None))
}

fn chip_ui(
    ui: &mut Ui,
    piece: &str,
    chip: Chip,
    pos: Option<usize>,
    is_selected: bool,
) -> Response {
    let name = match pos {
        Some(pos) => format!("Token {pos} {}", visible(piece)),
        None => visible(piece),
    };
    named_chip_ui(ui, &name, piece, chip, pos, is_selected)
}

/// `name`: what screen readers say. A chip with a position is a button.
pub(super) fn named_chip_ui(
    ui: &mut Ui,
    name: &str,
    piece: &str,
    chip: Chip,
    pos: Option<usize>,
    is_selected: bool,
) -> Response {
    let colors = palette(ui);
    let (fill, ink) = match chip {
        Chip::Plain => (ui.visuals().widgets.inactive.bg_fill, colors.text),
        Chip::Subject => (colors.subject_fill, colors.subject),
        Chip::Answer => (colors.accent_fill, ui.visuals().selection.stroke.color),
    };
    let text = elide_middle(ui.painter(), &visible(piece), &token_font(), MAX_CHIP_WIDTH);
    let galley = ui.painter().layout_no_wrap(text, token_font(), ink);
    let index = pos.map(|pos| {
        let font = FontId { size: 10.0, ..axis_font() };
        ui.painter().layout_no_wrap(pos.to_string(), font, colors.weak_text)
    });
    let index_width = index.as_ref().map_or(0.0, |index| index.size().x);
    let index_height = index.as_ref().map_or(0.0, |index| index.size().y + 1.0);

    let chip_size = vec2(galley.size().x.max(index_width) + 9.0, chip_height(ui));
    let sense = if pos.is_some() { Sense::click() } else { Sense::hover() };
    let (rect, response) = ui.allocate_exact_size(chip_size + vec2(0.0, index_height), sense);
    let body = Rect::from_min_size(rect.min, chip_size);

    let painter = ui.painter();
    painter.rect_filled(body, CornerRadius::same(4), fill);
    if chip == Chip::Subject {
        // Not by colour alone.
        let under = painter.round_to_pixel_center(body.bottom() - 2.0);
        painter.hline(body.x_range().shrink(4.0), under, Stroke::new(1.5, colors.subject));
    }
    let outline = if is_selected || response.has_focus() {
        Some(Stroke::new(2.0, colors.accent))
    } else if response.hovered() && pos.is_some() {
        Some(Stroke::new(1.0, colors.weak_text))
    } else {
        None
    };
    if let Some(outline) = outline {
        painter.rect_stroke(body, CornerRadius::same(4), outline, StrokeKind::Middle);
    }
    painter.galley(body.center() - galley.size() / 2.0, galley, ink);
    if let Some(index) = index {
        let at = Align2::CENTER_TOP
            .anchor_size(pos2(body.center().x, body.bottom() + 1.0), index.size());
        painter.galley(at.min, index, Color32::PLACEHOLDER);
    }
    response.widget_info(|| match pos {
        Some(_) => WidgetInfo::selected(Role::Button, true, is_selected, name),
        None => WidgetInfo::labeled(Role::Label, true, name),
    });
    response
}

fn about(tokenizer: &Tokenizer, id: u32, piece: &str, place: Option<(usize, Chip)>) -> String {
    let mut lines = vec![format!("“{piece}”"), format!("Token id {id}")];
    // Half a character says nothing as text.
    if piece.contains('\u{fffd}') {
        let bytes = tokenizer.bytes(id);
        let bytes: Vec<String> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
        lines.push(format!("Bytes {}", bytes.join(" ")));
    }
    match place {
        Some((pos, Chip::Subject)) => lines.push(format!("Position {pos}, part of the subject")),
        Some((pos, _)) => lines.push(format!("Position {pos}")),
        None => {}
    }
    lines.join("\n")
}
