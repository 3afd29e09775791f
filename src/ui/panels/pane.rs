use eframe::egui::{RichText, Ui};

use super::jobs_panel::jobs_ui;
use super::study_panel::study_panel_ui;
use super::trace_panel::trace_panel_ui;
use super::trust_panel::trust_ui;
use super::{Views, wanted};
use crate::analysis::AnalysisResult;
use crate::facts::Direction;
use crate::ui::command::Command;
use crate::ui::pane::Pane;
use crate::ui::state::{Quick, Slot, State};
use crate::ui::theme;
use crate::ui::view::{Hovered, ViewAction, ViewCtx};
use crate::ui::views::{attention_ui, attribution_ui, logit_lens_ui, prediction_ui};

fn prediction_panel_ui(ui: &mut Ui, state: &State, commands: &mut Vec<Command>) {
    slot_ui(ui, state, Pane::Prediction, Quick::Prediction, commands, |ui, result, ctx| {
        if let AnalysisResult::Prediction(it) = result {
            prediction_ui(ui, it, ctx);
        }
        None
    });
}

/// What a view shows of the chosen fact.
pub fn pane_ui(
    ui: &mut Ui,
    pane: Pane,
    state: &mut State,
    views: &mut Views,
    commands: &mut Vec<Command>,
) {
    match pane {
        Pane::Trust => return trust_ui(ui, state, commands),
        Pane::Jobs => return jobs_ui(ui, state, commands),
        _ => {}
    }
    if pane != Pane::Trace && state.prompt().is_none() {
        ui.weak("Choose a fact on the left");
        return;
    }
    let [_, lens, attribution, attention] = wanted(state.parts);
    match pane {
        Pane::Trace => {
            let Views { trace, difference, .. } = views;
            trace_panel_ui(ui, state, trace, difference, commands);
        }
        Pane::Prediction => prediction_panel_ui(ui, state, commands),
        Pane::Attention => slot_ui(ui, state, pane, attention, commands, |ui, result, ctx| {
            let AnalysisResult::Attention(it) = result else { return None };
            attention_ui(ui, it, ctx)
        }),
        Pane::Attribution => slot_ui(ui, state, pane, attribution, commands, |ui, result, ctx| {
            let AnalysisResult::LogitAttribution(it) = result else { return None };
            attribution_ui(ui, it, ctx)
        }),
        Pane::LogitLens => slot_ui(ui, state, pane, lens, commands, |ui, result, ctx| {
            let AnalysisResult::LogitLens(it) = result else { return None };
            logit_lens_ui(ui, &mut views.lens, it, ctx)
        }),
        _ => study_panel_ui(ui, pane, state, views, commands),
    }
}

/// What a view's action asks the window to do.
pub(super) fn asked_by(action: ViewAction, pane: Pane, direction: Direction) -> Vec<Command> {
    match action {
        ViewAction::Hover(selection) => {
            vec![Command::Hover(Hovered { pane, direction, selection })]
        }
        ViewAction::Select(_) | ViewAction::SplitBy(_) => {
            vec![Command::LookAt(direction), Command::View(action)]
        }
    }
}

/// A result, or why there is none yet.
fn slot_ui(
    ui: &mut Ui,
    state: &State,
    pane: Pane,
    quick: Quick,
    commands: &mut Vec<Command>,
    show: impl FnOnce(&mut Ui, &AnalysisResult, &ViewCtx<'_>) -> Option<ViewAction>,
) {
    let (Some(findings), Some(info)) = (state.findings(), state.info()) else { return };
    match findings.quick(quick) {
        Slot::Found(result) => {
            let ctx = ViewCtx {
                selection: state.seen(pane, state.direction),
                tokenizer: &info.tokenizer,
                planted: state.planted(state.direction),
            };
            let action = show(ui, result, &ctx);
            commands.extend(action.into_iter().flat_map(|it| asked_by(it, pane, state.direction)));
        }
        Slot::Failed(error) => {
            ui.label(RichText::new(error).color(theme::palette(ui).error));
        }
        Slot::Missing if state.stored.is_some() => {
            ui.weak("The session file does not hold this");
        }
        Slot::Missing | Slot::Waiting(_) => {
            // Still: a spinner would be drawn all the time, on the cores that the model needs.
            ui.weak("Running the model…");
        }
    }
}
