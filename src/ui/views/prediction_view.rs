//! The likeliest next tokens, and where the answer stands among them.

use eframe::egui::{
    Align, Align2, Color32, CornerRadius, FontFamily, FontId, Layout, Rect, RichText, Sense, Ui,
    UiBuilder, pos2, vec2,
};

use super::title_ui;
use crate::analysis::prediction::Prediction;
use crate::tokens::{Answer, visible};
use crate::ui::theme::{axis_font, palette, token_font};
use crate::ui::view::ViewCtx;
use crate::ui::widgets::number::{percent, significant, with_thousands};
use crate::ui::widgets::{Chip, elide_middle, token_chip_ui};

/// One line of the list.
struct Row {
    /// 1 is the likeliest.
    rank: u32,
    id: u32,

    /// 0 to 1.
    prob: f32,
    logit: f32,
    is_answer: bool,
}

const HEIGHT: f32 = 24.0;
const LOGIT_WIDTH: f32 = 64.0;
const PERCENT_WIDTH: f32 = 72.0;

pub fn prediction_ui(ui: &mut Ui, prediction: &Prediction, ctx: &ViewCtx<'_>) {
    let answer = prediction.prompt.answer.as_ref();
    title_ui(ui, "Next token — likeliest first");
    let mut rows: Vec<Row> = (1..)
        .zip(&prediction.top)
        .map(|(rank, candidate)| Row {
            rank,
            id: candidate.id,
            prob: candidate.prob,
            logit: candidate.logit,
            is_answer: answer.is_some_and(|answer| answer.first() == candidate.id),
        })
        .collect();
    let is_listed = rows.iter().any(|row| row.is_answer);
    if let (Some(answer), Some(measured), false) = (answer, prediction.answer, is_listed) {
        rows.push(Row {
            rank: measured.rank + 1,
            id: answer.first(),
            prob: measured.prob,
            logit: measured.logit,
            is_answer: true,
        });
    }

    let columns = Columns::new(ui, &rows, ctx);
    header_ui(ui, &columns);
    for (nth, row) in rows.iter().enumerate() {
        if row.is_answer && !is_listed {
            gap_ui(ui, &columns);
        }
        ui.push_id(nth, |ui| row_ui(ui, row, &columns, ctx));
    }
    if let (Some(answer), Some(measured)) = (answer, prediction.answer) {
        ui.add_space(4.0);
        answer_ui(ui, answer, measured.prob, measured.answer_log_prob.exp());
    }
}

/// Wide enough for all rows.
struct Columns {
    rank: f32,
    chip: f32,
}

impl Columns {
    fn new(ui: &Ui, rows: &[Row], ctx: &ViewCtx<'_>) -> Self {
        let width = |text: String, font: FontId| {
            ui.painter().layout_no_wrap(text, font, Color32::PLACEHOLDER).size().x
        };
        let rank = |row: &Row| width(with_thousands(u64::from(row.rank)), number_font());
        let chip = |row: &Row| {
            let text = visible(&ctx.tokenizer.piece(row.id));
            width(elide_middle(ui.painter(), &text, &token_font(), 220.0), token_font()) + 9.0
        };
        Self {
            rank: rows.iter().map(rank).fold(26.0, f32::max) + 6.0,
            chip: rows.iter().map(chip).fold(60.0, f32::max),
        }
    }
}

fn number_font() -> FontId {
    FontId::new(12.0, FontFamily::Monospace)
}

fn header_ui(ui: &mut Ui, columns: &Columns) {
    let colors = palette(ui);
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 18.0), Sense::hover());
    let text = |x: f32, anchor: Align2, text: &str| {
        let font = axis_font();
        ui.painter().text(pos2(x, rect.center().y), anchor, text, font, colors.weak_text);
    };
    text(rect.left() + columns.rank, Align2::RIGHT_CENTER, "Rank");
    text(rect.left() + columns.rank + 12.0, Align2::LEFT_CENTER, "Token");
    text(
        rect.left() + columns.rank + 12.0 + columns.chip + 12.0,
        Align2::LEFT_CENTER,
        "Probability",
    );
    text(rect.right() - 6.0, Align2::RIGHT_CENTER, "Logit");
}

fn row_ui(ui: &mut Ui, row: &Row, columns: &Columns, ctx: &ViewCtx<'_>) {
    let colors = palette(ui);
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), HEIGHT), Sense::hover());
    let middle = rect.center().y;
    let painter = ui.painter();
    if row.is_answer {
        painter.rect_filled(rect, CornerRadius::same(4), colors.accent_fill.gamma_multiply(0.45));
    }
    let number = |x: f32, anchor: Align2, text: String| {
        painter.text(pos2(x, middle), anchor, text, number_font(), colors.text);
    };
    number(rect.left() + columns.rank, Align2::RIGHT_CENTER, with_thousands(u64::from(row.rank)));
    number(rect.right() - 6.0, Align2::RIGHT_CENTER, format!("{:.2}", row.logit).replace('-', "−"));

    let bar_left = rect.left() + columns.rank + 12.0 + columns.chip + 12.0;
    let bar_right = rect.right() - LOGIT_WIDTH - PERCENT_WIDTH;
    if bar_right > bar_left + 8.0 {
        let track = Rect::from_x_y_ranges(bar_left..=bar_right, middle - 5.0..=middle + 5.0);
        painter.rect_filled(track, CornerRadius::same(2), colors.faint_line);
        let width = (track.width() * row.prob.clamp(0.0, 1.0)).max(1.0);
        let bar = Rect::from_min_size(track.min, vec2(width, track.height()));
        let color = if row.is_answer { colors.accent } else { colors.embed };
        painter.rect_filled(bar, CornerRadius::same(2), color);
    }
    number(rect.right() - LOGIT_WIDTH - 6.0, Align2::RIGHT_CENTER, percent(row.prob));

    let chip_rect = Rect::from_min_size(
        pos2(rect.left() + columns.rank + 12.0, rect.top()),
        vec2(columns.chip, HEIGHT),
    );
    let builder = UiBuilder::new().max_rect(chip_rect).layout(Layout::left_to_right(Align::Center));
    ui.scope_builder(builder, |ui| {
        let chip = if row.is_answer { Chip::Answer } else { Chip::Plain };
        token_chip_ui(ui, ctx.tokenizer, row.id, chip);
    });
}

/// Ranks are left out here.
fn gap_ui(ui: &mut Ui, columns: &Columns) {
    let colors = palette(ui);
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 10.0), Sense::hover());
    let font = number_font();
    let at = pos2(rect.left() + columns.rank, rect.center().y);
    ui.painter().text(at, Align2::RIGHT_CENTER, "⋮", font, colors.weak_text);
}

fn answer_ui(ui: &mut Ui, answer: &Answer, first: f32, whole: f32) {
    let line = |text: String| RichText::new(text).small();
    let (text, n_tokens) = (visible(&answer.text), answer.ids.len());
    let piece = visible(&answer.pieces[0]);
    if n_tokens == 1 {
        ui.label(line(format!("Answer  p({text}) = {}", significant(first, 4))));
        return;
    }
    ui.spacing_mut().item_spacing.y = 3.0;
    ui.label(line(format!("Answer {text} in {n_tokens} tokens")));
    ui.label(line(format!("First token  p({piece}) = {}", significant(first, 4))));
    ui.label(line(format!("Whole answer  p({text}) = {}", significant(whole, 4))));
}
