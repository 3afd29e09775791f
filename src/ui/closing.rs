//! Asks before something is left that would be lost.

use eframe::egui::{Align, Context, Id, Layout, Modal};

use super::command::{ClosingAnswer, Command};
use super::panels;
use super::state::State;

/// How far the window is from leaving what was found in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Closing {
    #[default]
    No,

    /// The question is open. `is_new`: it has not been drawn yet.
    Asking { is_new: bool },

    /// A name for the session is being asked for.
    Naming,

    /// What was found is left as soon as the session is written.
    Saving,

    /// The window closes.
    Agreed,
}

/// Whether a command would lose something that could be kept.
pub fn would_lose(state: &State, command: &Command) -> bool {
    let is_unsaved = match command {
        Command::Quit => state.has_unsaved(),
        _ => state.has_unsaved_results(),
    };
    is_unsaved || n_jobs(state) > 0
}

/// Whether what is not saved can be: a session is of a model.
fn can_save(state: &State) -> bool {
    state.has_unsaved() && state.info().is_some()
}

/// How many traces, studies and sweeps run or wait.
fn n_jobs(state: &State) -> usize {
    let sweeps = state.jobs.iter().filter(|(_, job)| job.kind.is_sweep());
    state.jobs.asked().count() + sweeps.count()
}

/// Draws the question while it is open.
pub fn closing_ui(
    ctx: &Context,
    closing: &mut Closing,
    left_for: Option<&Command>,
    state: &State,
    commands: &mut Vec<Command>,
) {
    let (is_asked, is_new) = match closing {
        Closing::Asking { is_new } => (true, std::mem::take(is_new)),
        Closing::Saving => (false, false),
        Closing::No | Closing::Naming | Closing::Agreed => return,
    };
    let mut answer = None;
    let modal = Modal::new(Id::unique("closing")).show(ctx, |ui| {
        ui.set_width(420.0);
        let (question, soon) = match left_for {
            None | Some(Command::Quit) => ("Close Factscope?", "the window closes"),
            Some(Command::OpenModelAt(_) | Command::OpenModelBesideAt(_)) => {
                ("Open another model?", "the model is opened")
            }
            Some(Command::SetDevice(_)) => ("Open the model again?", "the model is opened again"),
            Some(Command::OpenDatasetAt(_)) => ("Open another dataset?", "the dataset is opened"),
            Some(Command::CloseModelBeside) => ("Close the second model?", "it is closed"),
            Some(_) => ("Open another session?", "the session is opened"),
        };
        ui.heading(question);
        ui.add_space(4.0);
        if is_asked {
            for text in reasons(state) {
                ui.label(text);
            }
        } else {
            ui.label(format!("Saving the session; {soon} when it is written"));
        }
        ui.add_space(8.0);
        let can_save = can_save(state);
        let answers: &[ClosingAnswer] = match (is_asked, can_save) {
            (true, true) => &[ClosingAnswer::Save, ClosingAnswer::Discard, ClosingAnswer::Cancel],
            (true, false) => &[ClosingAnswer::Discard, ClosingAnswer::Cancel],
            (false, _) => &[ClosingAnswer::Cancel],
        };
        ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
            for &it in answers {
                let command = Command::AnswerClosing(it);
                let button = ui.button(command.text()).on_hover_text(command.tooltip());
                // The answer that Enter gives must lose nothing.
                let is_safe =
                    it == if can_save { ClosingAnswer::Save } else { ClosingAnswer::Cancel };
                if is_new && is_safe {
                    button.request_focus();
                }
                if button.clicked() {
                    answer = Some(it);
                }
            }
        });
    });
    if answer.is_none() && modal.should_close() {
        answer = Some(ClosingAnswer::Cancel);
    }
    commands.extend(answer.map(Command::AnswerClosing));
}

/// What would be lost now, a sentence each.
fn reasons(state: &State) -> Vec<String> {
    let mut reasons = Vec::new();
    if state.has_unsaved() {
        reasons.push(match &state.session {
            Some(session) => {
                let name = panels::file_name(&session.path);
                format!("{name} holds less than this window: it is not saved")
            }
            None if !can_save(state) => {
                "The typed facts are in no session file, which needs a model: they would be lost"
                    .to_owned()
            }
            None => "What was found is in no session file: it would be lost".to_owned(),
        });
    }
    match n_jobs(state) {
        0 => {}
        1 => reasons.push("A job is running or waits: it would be stopped".to_owned()),
        n => reasons.push(format!("{n} jobs are running or wait: they would be stopped")),
    }
    if reasons.is_empty() {
        reasons.push("Everything is saved, and no job is running".to_owned());
    }
    reasons
}
