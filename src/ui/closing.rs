//! Asks before something is closed that would be lost.

use eframe::egui::{Align, Context, Id, Layout, Modal};

use super::command::{ClosingAnswer, Command};
use super::panels;
use super::state::State;

/// How far the window is from being closed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Closing {
    #[default]
    No,

    /// `is_new`: not drawn yet.
    Asking {
        is_new: bool,
    },

    /// Closed as soon as the session is written.
    Saving,
    Agreed,
}

/// Whether closing would lose something that could be kept. Results of a session file that are shown
/// without their model are in that file.
pub fn would_lose(state: &State) -> bool {
    is_unsaved(state) || n_jobs(state) > 0
}

fn is_unsaved(state: &State) -> bool {
    state.stored.is_none() && state.is_unsaved() == Some(true)
}

/// Traces and studies.
fn n_jobs(state: &State) -> usize {
    state.jobs.asked().count()
}

/// Draws the question while it is open.
pub fn closing_ui(
    ctx: &Context,
    closing: &mut Closing,
    state: &State,
    commands: &mut Vec<Command>,
) {
    let (is_asked, is_new) = match closing {
        Closing::Asking { is_new } => (true, std::mem::take(is_new)),
        Closing::Saving => (false, false),
        Closing::No | Closing::Agreed => return,
    };
    let mut answer = None;
    let modal = Modal::new(Id::unique("closing")).show(ctx, |ui| {
        ui.set_width(420.0);
        ui.heading("Close Factscope?");
        ui.add_space(4.0);
        if is_asked {
            for text in reasons(state) {
                ui.label(text);
            }
        } else {
            ui.label("Saving the session; the window closes when it is written");
        }
        ui.add_space(8.0);
        let can_save = state.session.is_some() && state.stored.is_none();
        let answers: &[ClosingAnswer] = match (is_asked, can_save) {
            (true, true) => &[ClosingAnswer::Save, ClosingAnswer::Discard, ClosingAnswer::Cancel],
            (true, false) => &[ClosingAnswer::Discard, ClosingAnswer::Cancel],
            (false, _) => &[ClosingAnswer::Cancel],
        };
        ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
            for &it in answers {
                let command = Command::AnswerClosing(it);
                let button = ui.button(command.text()).on_hover_text(command.tooltip());
                // Enter must not lose anything.
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

/// What would be lost, as far as it still would.
fn reasons(state: &State) -> Vec<String> {
    let mut reasons = Vec::new();
    if is_unsaved(state)
        && let Some(session) = &state.session
    {
        let name = panels::file_name(&session.path);
        reasons.push(format!("{name} holds less than this window: it is not saved"));
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
