//! A row of the list of facts: its prompt, and below it its answer and how well it is recalled.

use std::fmt::Write as _;

use eframe::egui::accesskit::Role;
use eframe::egui::text::{LayoutJob, TextFormat, TextWrapping};
use eframe::egui::{
    Color32, CornerRadius, FontId, Rect, Response, Sense, TextStyle, Ui, WidgetInfo, pos2, vec2,
};

use super::facts_panel::relation_name;
use super::grouped;
use crate::facts::{Direction, Record};
use crate::figure::number::significant;
use crate::population::KnownBy;
use crate::ui::state::Recalled;
use crate::ui::theme;

/// Points that a row of two lines of text takes.
pub(super) const ROW_HEIGHT: f32 = 42.0;
const PADDING: f32 = 8.0;

/// What stands in the place of the answer of a fact that has none.
const FIRST_GUESS: &str = "the first guess";

/// Whether the fact of a row is chosen, whether it is kept beside the chosen one, whether Tab stops there,
/// whether the model is still to be asked it, each way, and by what it counts as known.
#[derive(Clone, Copy)]
pub(super) struct Marks {
    pub is_selected: bool,
    pub is_beside: bool,
    pub is_stop: bool,
    pub is_open: [bool; 2],
    pub known_by: KnownBy,
}

pub(super) fn row_ui(
    ui: &mut Ui,
    record: &Record,
    recall: [Option<Recalled>; 2],
    marks @ Marks { is_selected, is_beside, is_stop, .. }: Marks,
) -> Response {
    let size = vec2(ui.available_width(), ROW_HEIGHT);
    let sense = if is_stop { Sense::click() } else { Sense::CLICK };
    let (rect, response) = ui.allocate_exact_size(size, sense);
    let fact = &record.fact;
    let answer = fact.answer.as_deref().unwrap_or(FIRST_GUESS);
    response.widget_info(|| {
        let beside = if is_beside { ", kept beside" } else { "" };
        let label = format!("{} → {answer}{beside}", fact.prompt);
        WidgetInfo::selected(Role::ListBoxOption, true, is_selected, label)
    });
    let palette = theme::palette(ui);
    let visuals = ui.visuals();
    let fill = if is_selected {
        palette.accent_fill
    } else if response.hovered() || response.has_focus() {
        visuals.widgets.hovered.weak_bg_fill
    } else {
        Color32::TRANSPARENT
    };
    let inner = rect.shrink2(vec2(0.0, 1.0));
    let painter = ui.painter();
    painter.rect_filled(inner, CornerRadius::same(4), fill);
    if response.has_focus() {
        theme::focus_ring(ui, inner);
    }
    if is_beside {
        let bar = Rect::from_min_size(inner.min, vec2(3.0, inner.height()));
        painter.rect_filled(bar, CornerRadius::same(1), palette.accent);
    }

    let body = TextStyle::Body.resolve(ui.style());
    let small = TextStyle::Small.resolve(ui.style());
    let width = inner.width() - 2.0 * PADDING;
    let prompt = painter.layout_job(prompt_job(record, &body, palette, width));
    let second = painter.layout_job(answer_job(record, (recall, marks), &small, palette, width));
    let is_cut = prompt.elided || second.elided;
    let mut about = if is_cut { format!("{} → {answer}", fact.prompt) } else { String::new() };
    let left = inner.left() + PADDING;
    painter.galley(pos2(left, inner.top() + 3.0), prompt, palette.text);
    painter.galley(pos2(left, inner.top() + 21.0), second, palette.weak_text);

    for (nth, way) in ["→", "←"].into_iter().enumerate() {
        let Some(recalled) = recall[nth] else { continue };
        let gap = if about.is_empty() { "" } else { "\n" };
        let answers = record.answers(Direction::ALL[nth]);
        let likeliest = recalled.answer.and_then(|it| answers.get(it as usize));
        let of = match likeliest.filter(|_| answers.len() > 1) {
            Some(it) => format!("{it}, the likeliest of {} right answers: ", answers.len()),
            None => String::new(),
        };
        _ = write!(about, "{gap}{way} {of}{}", recalled_text(recalled, marks.known_by));
    }
    if about.is_empty() { response } else { response.on_hover_text(about) }
}

/// How well a fact is recalled, and whether it counts as known by that.
fn recalled_text(recalled: Recalled, by: KnownBy) -> String {
    let Recalled { rank, prob, choice, .. } = recalled;
    let among =
        choice.map(|it| format!(", {} among the relation's answers", grouped(it as usize + 1)));
    let known = match recalled.is_known(by) {
        Some(true) => format!(": known by {}", by.text()),
        Some(false) => format!(": not known by {}", by.text()),
        None => String::new(),
    };
    let (rank, percent) = (grouped(rank as usize + 1), significant(100.0 * prob, 2));
    format!("rank {rank}, {percent} %{}{known}", among.unwrap_or_default())
}

fn prompt_job(record: &Record, font: &FontId, palette: &theme::Palette, width: f32) -> LayoutJob {
    let fact = &record.fact;
    let mut job = one_line(width);
    let format = |color: Color32| TextFormat::simple(font.clone(), color);
    match &fact.subject {
        Some(subject) => {
            job.append(&fact.prompt[..subject.start], 0.0, format(palette.text));
            job.append(&fact.prompt[subject.clone()], 0.0, format(palette.subject));
            job.append(&fact.prompt[subject.end..], 0.0, format(palette.text));
        }
        None => job.append(&fact.prompt, 0.0, format(palette.text)),
    }
    job
}

fn answer_job(
    record: &Record,
    (recall, Marks { is_open, known_by, .. }): ([Option<Recalled>; 2], Marks),
    font: &FontId,
    palette: &theme::Palette,
    width: f32,
) -> LayoutJob {
    let mut job = one_line(width);
    let format = |color: Color32| TextFormat::simple(font.clone(), color);
    job.append("→ ", 0.0, format(palette.weak_text));
    match &record.fact.answer {
        Some(answer) => job.append(answer, 0.0, format(palette.text)),
        None => job.append(FIRST_GUESS, 0.0, format(palette.weak_text)),
    }
    let ways = Direction::ALL.map(|it| record.fact(it).is_some());
    for (nth, name) in ["→", "←"].into_iter().enumerate() {
        let (mark, color) = match recall[nth].map(|it| it.is_known(known_by)) {
            Some(Some(true)) => ("✔", palette.good),
            Some(Some(false)) => ("✗", palette.weak_text),
            _ if is_open[nth] && ways[nth] => ("?", palette.weak_text),
            Some(None) | None => continue,
        };
        job.append(&format!("{name}{mark}"), 8.0, format(color));
    }
    if record.inverse.is_some() && recall[1].is_none() && !is_open[1] {
        job.append("⇄", 8.0, format(palette.weak_text));
    }
    if let Some(relation) = &record.relation {
        job.append(&relation_name(relation), 10.0, format(palette.weak_text));
    }
    let id =
        if record.id.starts_with("typed") { record.id.clone() } else { format!("#{}", record.id) };
    job.append(&id, 10.0, format(palette.weak_text));
    job
}

fn one_line(width: f32) -> LayoutJob {
    LayoutJob { wrap: TextWrapping::truncate_at_width(width), ..LayoutJob::default() }
}
