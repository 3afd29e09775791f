//! Above the trace of a fact: which way it is asked, and what to know before its numbers are read.

use std::sync::Arc;

use eframe::egui::{Button, Label, Response, RichText, ScrollArea, Ui};

use crate::analysis::AnalysisResult;
use crate::facts::{Direction, InverseOrigin};
use crate::figure::Figure;
use crate::figure::words::counted;
use crate::tokens::Flags;
use crate::ui::command::Command;
use crate::ui::pane::Pane;
use crate::ui::row::Row;
use crate::ui::state::{FactKey, State, capitalized, is_of_main};
use crate::ui::theme;
use crate::ui::widgets::gives;
use crate::ui::widgets::number::significant;
use crate::worker::Which;

/// How many right answers a tooltip lists.
const N_ANSWERS: usize = 20;

/// Draws the direction of the fact, and what to know before its numbers are read. `names`: the rows that
/// can be looked at from here. `exports`: whether the figure is exported from here, once it is there.
pub(super) fn heading_ui(
    ui: &mut Ui,
    state: &State,
    row: Row,
    (names, exports, figure): (&[Row], bool, Option<&Arc<Figure>>),
    commands: &mut Vec<Command>,
) {
    let Some(record) = state.record_at(row) else { return };
    ui.horizontal_wrapped(|ui| {
        for &named in names {
            let chosen = ui.selectable_label(state.row == named, state.name_of(named));
            gives(chosen, Command::LookAt(named), commands);
        }
        let Some(key) = state.key_of(row) else {
            if state.is_settling() {
                let text = "asking which of the right answers is the likeliest";
                aside_ui(ui, RichText::new(text).weak());
            }
            return;
        };
        // Controls come first, each in its place whichever row is looked at, and last of them the one that
        // only that row has: what follows changes in length.
        match figure.filter(|_| exports) {
            Some(figure) => {
                let command = Command::Export(Arc::clone(figure));
                gives(ui.small_button(command.text()), command, commands);
            }
            // It has its place before there is something to export.
            None if exports => {
                let text = Command::ExportOf(Pane::Trace).text();
                ui.add_visible(false, Button::new(text).small());
            }
            None => {}
        }
        answers_ui(ui, state, row, key, commands);
        model_ui(ui, state, row, commands);
        beside_ui(ui, state, row, commands);
        recall_ui(ui, state, row);
        if let Some(inverse) = record.inverse.as_ref().filter(|_| key.direction == Direction::Inverse)
            && inverse.origin == InverseOrigin::Generated
        {
            aside_ui(ui, RichText::new("generated").weak()).on_hover_text(
                "The dataset has no inverse of this fact; this one was written from the \
                 catalogue's template of its relation",
            );
        }
        if key.direction == Direction::Forward
            && let Some(plan) = state.plan_at(row)
        {
            aside_ui(ui, RichText::new(plan.group.text()).weak()).on_hover_text(
                "What the built-in model was trained on of this fact: the split is part of the \
                 program, so what it can know is known",
            );
        }
        if let Some(layer) = state.planted(row) {
            let text = RichText::new(format!("planted in MLP {layer}"));
            aside_ui(ui, text.color(theme::palette(ui).subject)).on_hover_text(
                "This was written into the MLP of that one layer, with all else frozen: there it is \
                 stored. Where a trace peaks is where restoring a state brings the answer back, \
                 which is another question",
            );
        }
        // Flags are counted in the main model's tokens.
        if key.which == Which::Main
            && let Some(flags) = state.facts.flags(key.fact, key.direction)
        {
            let prompt = state.findings_at(row).and_then(|it| it.prompt.as_ref().ok());
            let asked = prompt.and_then(|it| it.answer.as_ref()).map(|it| it.ids.len());
            let own = state.own_answer(key.fact, key.direction);
            let is_own = own.is_none_or(|own| own == key.answer);
            flags_ui(ui, flags, is_own, asked.unwrap_or(flags.n_answer));
        }
    });
    // They are sentences, which take as many lines as they need.
    let doubts = state.findings_at(row).and_then(|it| it.doubts.as_deref()).unwrap_or_default();
    for doubt in doubts {
        let text = RichText::new(capitalized(doubt)).color(theme::palette(ui).warning).small();
        ui.add(Label::new(text).wrap());
    }
}

/// The answer that is asked for, of several right ones, and the others to be asked for instead.
fn answers_ui(ui: &mut Ui, state: &State, row: Row, key: FactKey, commands: &mut Vec<Command>) {
    let answers = state.answers_at(row);
    if answers.len() < 2 {
        return;
    }
    let own = state.own_answer(key.fact, key.direction);
    let recalled = state.recalled(key.fact, key.direction);
    let likeliest = recalled.and_then(|it| it.answer).map(|it| it as usize);
    let text = RichText::new(format!("one of {} right answers", answers.len())).small();
    let rest = if answers.len() > N_ANSWERS { ", …" } else { "" };
    let list = answers.iter().take(N_ANSWERS).map(String::as_str).collect::<Vec<_>>();
    let first = [likeliest, own].into_iter().flatten();
    let others = (0..answers.len()).filter(|nth| Some(*nth) != likeliest && Some(*nth) != own);
    let mut places: Vec<usize> = first.chain(others).collect();
    places.dedup();
    ui.menu_button(text.color(theme::palette(ui).warning), |ui| {
        let height = ui.spacing().interact_size.y;
        ScrollArea::vertical().show_rows(ui, height, places.len(), |ui, rows| {
            for &nth in &places[rows] {
                let says = match (Some(nth) == likeliest, Some(nth) == own) {
                    (true, true) => ": the likeliest, and this fact's own",
                    (true, false) => ": the likeliest",
                    (false, true) => ": this fact's own",
                    (false, false) => "",
                };
                let text = format!("{}{says}", answers[nth]);
                let command = Command::AskFor((key.fact, key.direction, nth));
                gives(ui.selectable_label(nth == key.answer, text), command, commands);
            }
        });
    })
    .response
    .on_hover_text(format!(
        "Traces and all else of this prompt are of one of them: the likeliest, by which the list says \
         whether the fact is known, unless another is chosen here. {}{rest}",
        list.join(", ")
    ));
}

/// A remark, which stands in the next line where it does not fit in this one.
fn aside_ui(ui: &mut Ui, text: RichText) -> Response {
    ui.add(Label::new(text.small()).extend())
}

/// The name of the row's model and its button, where two models are asked.
fn model_ui(ui: &mut Ui, state: &State, row: Row, commands: &mut Vec<Command>) {
    if !state.has_model_beside() {
        return;
    }
    if let (Some(name), Some(info)) = (state.model_name(row), state.info_at(row)) {
        ui.strong(name).on_hover_text(info.dir.display().to_string());
    }
    let command = match row {
        Row::Second => Command::CloseModelBeside,
        Row::First => {
            let other = match state.asked_of_both() {
                Direction::Forward => Direction::Inverse,
                Direction::Inverse => Direction::Forward,
            };
            if state.record_at(row).is_none_or(|it| it.fact(other).is_none()) {
                return;
            }
            Command::AskBoth(other)
        }
    };
    gives(ui.small_button(command.text()), command, commands);
}

/// The button that keeps this row beside the next fact, or drops it.
fn beside_ui(ui: &mut Ui, state: &State, row: Row, commands: &mut Vec<Command>) {
    let command = match (state.beside, row) {
        (Some(_), Row::Second) => Command::DropBeside,
        (None, row) if row == state.row && !state.has_model_beside() => Command::KeepBeside,
        _ => return,
    };
    gives(ui.small_button(command.text()), command, commands);
}

/// Remarks on the tokens of subject and answer. `n_answer`: tokens of the answer that is asked for, which
/// `is_own` if it is the fact's own, as the flags' is.
fn flags_ui(ui: &mut Ui, flags: &Flags, is_own: bool, n_answer: usize) {
    let tokens = |n: usize| counted(n, "token");
    let Flags { n_subject, n_same_length, .. } = *flags;
    let text = RichText::new(format!("{n_subject} → {}", tokens(n_answer)));
    aside_ui(ui, text.weak()).on_hover_text(format!(
        "Subject: {}; answer: {}. Other subjects of this relation with as many tokens, to be put \
         in its place: {n_same_length}",
        tokens(n_subject),
        tokens(n_answer),
    ));
    if !is_own {
        return;
    }
    let warning = theme::palette(ui).warning;
    if flags.leaks {
        aside_ui(ui, RichText::new("answer in prompt").color(warning))
            .on_hover_text("The answer's words stand in the prompt: the model can copy them");
    }
    if let Some(other) = &flags.collides_with {
        aside_ui(ui, RichText::new("shared first token").color(warning)).on_hover_text(format!(
            "“{other}” starts with the same token: the probability of the first token cannot tell \
             the two apart; look at the probability of the whole answer",
        ));
    }
}

/// Says whether the model knows the answer: a trace of an unknown fact means little. Where several are
/// right, says which one is meant, and what the list goes by if that is another.
fn recall_ui(ui: &mut Ui, state: &State, row: Row) {
    let found = state.run(Pane::Prediction, row).and_then(|run| run.result.as_deref());
    let Some(AnalysisResult::Prediction(it)) = found else { return };
    let (Some(answer), Some(key)) = (&it.answer, state.key_of(row)) else { return };
    let palette = theme::palette(ui);
    let answers = state.answers_at(row);
    let as_what = match answers.get(key.answer).filter(|_| answers.len() > 1) {
        Some(asked) => format!(" as {asked}"),
        None => String::new(),
    };
    let (rank, prob) = (answer.rank, significant(answer.prob, 3));
    let prompt = state.findings_at(row).and_then(|it| it.prompt.as_ref().ok());
    let is_longer = prompt.and_then(|it| it.answer.as_ref()).is_some_and(|it| it.ids.len() > 1);
    let (recalled, color) =
        if rank == 0 { ("recalled", palette.good) } else { ("not recalled", palette.warning) };
    // Of a longer answer that is all that is measured: the rest may be as unlikely as can be.
    let of = if is_longer { "first token " } else { "" };
    let text = match rank {
        0 => format!("{of}{recalled}{as_what}, p {prob}"),
        _ => format!("{of}{recalled}{as_what}: {rank} likelier, p {prob}"),
    };
    aside_ui(ui, RichText::new(text).color(color))
        .on_hover_text("The answer's first token, as the model predicts it from the clean prompt");
    if answers.len() < 2 || !is_of_main(key) {
        return;
    }
    if let Some((likeliest, recalled)) = state.likelier_at(row) {
        let (text, color) = if recalled.rank == 0 {
            (format!("✔ recalled as {likeliest}"), palette.good)
        } else {
            (format!("likeliest right answer: {likeliest}"), palette.warning)
        };
        let text = format!("{text}, p {}", significant(recalled.prob, 3));
        aside_ui(ui, RichText::new(text).color(color)).on_hover_text(
            "The list and sweeps go by this answer; what is shown here is of the other one",
        );
    }
    let own = state.own_answer(key.fact, key.direction).filter(|it| *it != key.answer);
    if let Some(own) = own.and_then(|it| answers.get(it)) {
        let recalled = state.recalled(key.fact, key.direction);
        let rank = recalled.and_then(|it| it.own_rank);
        let rank = rank.map_or_else(String::new, |it| format!(", rank {}", it + 1));
        aside_ui(ui, RichText::new(format!("this fact's own: {own}{rank}")).weak()).on_hover_text(
            "The subject of the fact itself, which is as right as the answer that is asked for",
        );
    }
}
