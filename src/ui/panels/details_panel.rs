use eframe::egui::{RichText, ScrollArea, Spinner, Ui};

use super::{Views, wanted};
use crate::analysis::AnalysisResult;
use crate::ui::command::Command;
use crate::ui::state::{Detail, Quick, Slot, State};
use crate::ui::theme;
use crate::ui::view::{ViewAction, ViewCtx};
use crate::ui::views::{attention_ui, attribution_ui, logit_lens_ui, prediction_ui};

/// What one forward pass tells of the chosen fact.
pub fn details_ui(ui: &mut Ui, state: &mut State, views: &mut Views, commands: &mut Vec<Command>) {
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        prediction_panel_ui(ui, state, commands);
        ui.add_space(8.0);
        ui.separator();
        ui.horizontal(|ui| {
            for detail in Detail::ALL {
                ui.selectable_value(&mut state.settings.detail, detail, detail.text());
            }
        });
        ui.add_space(4.0);
        detail_ui(ui, state, views, commands);
    });
}

fn prediction_panel_ui(ui: &mut Ui, state: &State, commands: &mut Vec<Command>) {
    slot_ui(ui, state, Quick::Prediction, commands, |ui, result, ctx| {
        if let AnalysisResult::Prediction(it) = result {
            prediction_ui(ui, it, ctx);
        }
        None
    });
}

fn detail_ui(ui: &mut Ui, state: &State, views: &mut Views, commands: &mut Vec<Command>) {
    let [_, lens, attribution, attention] = wanted(state.parts);
    match state.settings.detail {
        Detail::Attention => slot_ui(ui, state, attention, commands, |ui, result, ctx| {
            let AnalysisResult::Attention(it) = result else { return None };
            attention_ui(ui, it, ctx)
        }),
        Detail::Attribution => slot_ui(ui, state, attribution, commands, |ui, result, ctx| {
            let AnalysisResult::LogitAttribution(it) = result else { return None };
            attribution_ui(ui, it, ctx)
        }),
        Detail::LogitLens => slot_ui(ui, state, lens, commands, |ui, result, ctx| {
            let AnalysisResult::LogitLens(it) = result else { return None };
            logit_lens_ui(ui, &mut views.lens, it, ctx)
        }),
    }
}

/// A result, or why there is none yet.
fn slot_ui(
    ui: &mut Ui,
    state: &State,
    quick: Quick,
    commands: &mut Vec<Command>,
    show: impl FnOnce(&mut Ui, &AnalysisResult, &ViewCtx<'_>) -> Option<ViewAction>,
) {
    let (Some(findings), Some(info)) = (state.findings(), state.info()) else { return };
    match findings.quick(quick) {
        Slot::Found(result) => {
            let ctx = ViewCtx { selection: state.selection, tokenizer: &info.tokenizer };
            commands.extend(show(ui, result, &ctx).map(Command::View));
        }
        Slot::Failed(error) => {
            ui.label(RichText::new(error).color(theme::palette(ui).error));
        }
        Slot::Missing | Slot::Waiting(_) => {
            ui.horizontal(|ui| {
                ui.add(Spinner::new().size(14.0));
                ui.weak("Running the model");
            });
        }
    }
}
