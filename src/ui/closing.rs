//! Asks before something is left that would be lost.

use eframe::egui::Context;

use super::command::{ClosingAnswer, Command};
use super::panels;
use super::state::State;
use super::widgets::{Outside, dialog_ui};

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
        // It takes no other's place.
        Command::OpenModelBesideAt(_) if !state.has_model_beside() => return false,
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
    let ((), is_left) = dialog_ui(ctx, "closing", 420.0, Outside::Leaves, |ui| {
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
        let said = if is_asked {
            reasons(state)
        } else {
            [format!("Saving the session; {soon} when it is written"), String::new()]
        };
        for text in said {
            ui.label(text);
        }
        ui.add_space(8.0);
        let can_save = can_save(state);
        let answers: &[ClosingAnswer] = match (is_asked, can_save) {
            (true, true) => &[ClosingAnswer::Save, ClosingAnswer::Discard, ClosingAnswer::Cancel],
            (true, false) => &[ClosingAnswer::Discard, ClosingAnswer::Cancel],
            (false, _) => &[ClosingAnswer::Cancel],
        };
        ui.horizontal(|ui| {
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
    if answer.is_none() && is_left {
        answer = Some(ClosingAnswer::Cancel);
    }
    commands.extend(answer.map(Command::AnswerClosing));
}

/// What would be lost now: of what was found, and of what runs. There is always a line for each, so that no
/// button moves when a job ends.
fn reasons(state: &State) -> [String; 2] {
    let found = match &state.session {
        _ if !state.has_unsaved() => "Everything is saved".to_owned(),
        Some(session) => {
            let name = panels::file_name(&session.path);
            format!("{name} holds less than this window: it is not saved")
        }
        None if !can_save(state) => {
            "The typed facts are in no session file, which needs a model: they would be lost"
                .to_owned()
        }
        None => "What was found is in no session file: it would be lost".to_owned(),
    };
    let jobs = match n_jobs(state) {
        0 => "No job is running".to_owned(),
        1 => "A job is running or waits: it would be stopped".to_owned(),
        n => format!("{n} jobs are running or wait: they would be stopped"),
    };
    [found, jobs]
}
