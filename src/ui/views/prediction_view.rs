//! The likeliest next tokens, and where the answer stands among them.

use eframe::egui::{
    Align, Align2, CornerRadius, FontFamily, FontId, Layout, Rect, RichText, Sense, Ui, pos2, vec2,
};

use super::title_ui;
use crate::analysis::prediction::Prediction;
use crate::tokens::{Answer, visible};
use crate::ui::theme::palette;
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
const RANK_WIDTH: f32 = 46.0;
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

    let chip_width = chip_column(ui, &rows, ctx);
    header_ui(ui, chip_width);
    for (nth, row) in rows.iter().enumerate() {
        if row.is_answer && !is_listed {
            gap_ui(ui);
        }
        ui.push_id(nth, |ui| row_ui(ui, row, chip_width, ctx));
    }
    if let (Some(answer), Some(measured)) = (answer, prediction.answer) {
        ui.add_space(4.0);
        answer_ui(ui, answer, measured.prob, measured.answer_log_prob.exp());
    }
}

fn chip_column(ui: &Ui, rows: &[Row], ctx: &ViewCtx<'_>) -> f32 {
    let font = crate::ui::theme::token_font();
    let width = |row: &Row| {
        let text = visible(&ctx.tokenizer.piece(row.id));
        let text = elide_middle(ui.painter(), &text, &font, 220.0);
        let color = eframe::egui::Color32::PLACEHOLDER;
        ui.painter().layout_no_wrap(text, font.clone(), color).size().x + 9.0
    };
    rows.iter().map(width).fold(60.0, f32::max)
}

fn header_ui(ui: &mut Ui, chip_width: f32) {
    let colors = palette(ui);
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 18.0), Sense::hover());
    let text = |x: f32, anchor: Align2, text: &str| {
        let font = crate::ui::theme::axis_font();
        ui.painter().text(pos2(x, rect.center().y), anchor, text, font, colors.weak_text);
    };
    text(rect.left() + RANK_WIDTH - 12.0, Align2::RIGHT_CENTER, "Rank");
    text(rect.left() + RANK_WIDTH, Align2::LEFT_CENTER, "Token");
    text(rect.left() + RANK_WIDTH + chip_width + 12.0, Align2::LEFT_CENTER, "Probability");
    text(rect.right() - 6.0, Align2::RIGHT_CENTER, "Logit");
}

fn row_ui(ui: &mut Ui, row: &Row, chip_width: f32, ctx: &ViewCtx<'_>) {
    let colors = palette(ui);
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), HEIGHT), Sense::hover());
    let rank_font = FontId::new(12.0, FontFamily::Monospace);
    let middle = rect.center().y;
    let painter = ui.painter();
    if row.is_answer {
        painter.rect_filled(
            rect,
            CornerRadius::same(4),
            colors.accent_fill.gamma_multiply(0.45),
        );
    }
    let number = |x: f32, anchor: Align2, text: String| {
        painter.text(pos2(x, middle), anchor, text, rank_font.clone(), colors.text);
    };
    number(
        rect.left() + RANK_WIDTH - 12.0,
        Align2::RIGHT_CENTER,
        with_thousands(u64::from(row.rank)),
    );
    number(rect.right() - 6.0, Align2::RIGHT_CENTER, format!("{:.2}", row.logit).replace('-', "−"));

    let bar_left = rect.left() + RANK_WIDTH + chip_width + 12.0;
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
        pos2(rect.left() + RANK_WIDTH, rect.top()),
        vec2(chip_width, HEIGHT),
    );
    let builder = eframe::egui::UiBuilder::new()
        .max_rect(chip_rect)
        .layout(Layout::left_to_right(Align::Center));
    ui.scope_builder(builder, |ui| {
        let chip = if row.is_answer { Chip::Answer } else { Chip::Plain };
        token_chip_ui(ui, ctx.tokenizer, row.id, chip);
    });
}

/// Ranks are left out here.
fn gap_ui(ui: &mut Ui) {
    let colors = palette(ui);
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 10.0), Sense::hover());
    let font = FontId::new(12.0, FontFamily::Monospace);
    let at = pos2(rect.left() + RANK_WIDTH - 12.0, rect.center().y);
    ui.painter().text(at, Align2::RIGHT_CENTER, "⋮", font, colors.weak_text);
}

fn answer_ui(ui: &mut Ui, answer: &Answer, first: f32, whole: f32) {
    let n_tokens = answer.ids.len();
    if n_tokens == 1 {
        let text = format!("p({})  {}", visible(&answer.text), significant(first, 5));
        ui.label(RichText::new(text).small());
        return;
    }
    let text = format!(
        "Answer {} in {n_tokens} tokens. First token p({})  {}. Whole answer p({})  {}",
        visible(&answer.text),
        visible(&answer.pieces[0]),
        significant(first, 5),
        visible(&answer.text),
        significant(whole, 5),
    );
    ui.label(RichText::new(text).small());
}
