use eframe::egui::{RichText, ScrollArea, Ui};

use super::{Views, wanted};
use crate::analysis::AnalysisResult;
use crate::ui::command::Command;
use crate::ui::state::{Detail, Quick, Slot, State};
use crate::ui::theme;
use crate::ui::view::{ViewAction, ViewCtx};
use crate::ui::views::{attention_ui, attribution_ui, logit_lens_ui, prediction_ui};

/// Points; in a lower window the predictions are one of the tabs.
const STACKED_HEIGHT: f32 = 760.0;

/// What one forward pass tells of the chosen fact.
pub fn details_ui(ui: &mut Ui, state: &mut State, views: &mut Views, commands: &mut Vec<Command>) {
    let is_stacked = ui.available_height() >= STACKED_HEIGHT;
    if is_stacked {
        prediction_panel_ui(ui, state, commands);
        ui.add_space(8.0);
        ui.separator();
    }
    let mut shown = state.settings.detail;
    if is_stacked && shown == Detail::Prediction {
        shown = Detail::Attention;
    }
    ui.horizontal(|ui| {
        for detail in Detail::ALL {
            if is_stacked && detail == Detail::Prediction {
                continue;
            }
            if ui.selectable_label(shown == detail, detail.text()).clicked() {
                state.settings.detail = detail;
                shown = detail;
            }
        }
    });
    ui.add_space(4.0);
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        detail_ui(ui, state, shown, views, commands);
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

fn detail_ui(
    ui: &mut Ui,
    state: &State,
    shown: Detail,
    views: &mut Views,
    commands: &mut Vec<Command>,
) {
    let [_, lens, attribution, attention] = wanted(state.parts);
    match shown {
        Detail::Prediction => prediction_panel_ui(ui, state, commands),
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
            let ctx = ViewCtx {
                selection: state.selection,
                tokenizer: &info.tokenizer,
                planted: state.planted(state.direction),
            };
            commands.extend(show(ui, result, &ctx).map(Command::View));
        }
        Slot::Failed(error) => {
            ui.label(RichText::new(error).color(theme::palette(ui).error));
        }
        Slot::Missing | Slot::Waiting(_) => {
            // Still: a spinner would be drawn all the time, on the cores that the model needs.
            ui.weak("Running the model…");
        }
    }
}
