//! Ablation and attention knockout beside the trace: their controls, how far they are, what they
//! found.

use std::time::Instant;

use eframe::egui::{Align, Button, ComboBox, DragValue, Layout, ProgressBar, RichText, Ui, vec2};

use super::Views;
use crate::analysis::AnalysisResult;
use crate::analysis::ablation::Part;
use crate::analysis::attention_knockout::default_window;
use crate::facts::Direction;
use crate::ui::command::Command;
use crate::ui::pane::Pane;
use crate::ui::state::{ReplacementSetting, State, Study, TokenSetting, TraceState};
use crate::ui::theme;
use crate::ui::view::{Selection, ViewCtx};
use crate::ui::views::knockout_view::Notes;
use crate::ui::views::{ablation_ui, knockout_ui};

/// Of the way that is looked at.
pub fn ablation_panel_ui(
    ui: &mut Ui,
    state: &mut State,
    views: &mut Views,
    commands: &mut Vec<Command>,
) {
    ablation_controls_ui(ui, state);
    run_ui(ui, state, Pane::Ablation, commands);
    ui.add_space(4.0);
    let study = state.study(Pane::Ablation, state.direction);
    let result = study.and_then(|study| study.result.as_deref());
    let (Some(AnalysisResult::Ablation(ablation)), Some(info)) = (result, state.info()) else {
        ui.weak(
            "Replaces the output of one head, MLP or layer at a time, and shows what the answer \
             loses",
        );
        return;
    };
    let planted = state.planted(state.direction);
    let ctx = ViewCtx { selection: state.selection, tokenizer: &info.tokenizer, planted };
    let picked = ablation_ui(ui, &mut views.ablation, ablation, &ctx);
    commands.extend(picked.map(Command::View));
}

fn ablation_controls_ui(ui: &mut Ui, state: &mut State) {
    let settings = &mut state.settings.ablation;
    ui.horizontal_wrapped(|ui| {
        ui.label("Without");
        for part in Part::ALL {
            let (name, about) = about_part(part);
            ui.selectable_value(&mut settings.part, part, name).on_hover_text(about);
        }
    });
    ui.horizontal_wrapped(|ui| {
        ui.horizontal(|ui| {
            let about = "At which tokens the output is replaced";
            let label = ui.label("At");
            let combo = ComboBox::from_id_salt("ablated tokens")
                .selected_text(tokens_name(settings.tokens))
                .width(130.0)
                .show_ui(ui, |ui| {
                    for choice in TokenSetting::ALL {
                        ui.selectable_value(&mut settings.tokens, choice, tokens_name(choice));
                    }
                });
            combo.response.labelled_by(label.id).on_hover_text(about);
        });
        ui.horizontal(|ui| {
            let label = ui.label("Put in");
            let combo = ComboBox::from_id_salt("replacement")
                .selected_text(about_replacement(settings.replacement).0)
                .width(100.0)
                .show_ui(ui, |ui| {
                    for choice in ReplacementSetting::ALL {
                        let (name, about) = about_replacement(choice);
                        let item = ui.selectable_value(&mut settings.replacement, choice, name);
                        item.on_hover_text(about);
                    }
                });
            let about = about_replacement(settings.replacement).1;
            combo.response.labelled_by(label.id).on_hover_text(about);
        });
    });
}

fn about_part(part: Part) -> (&'static str, &'static str) {
    match part {
        Part::Heads => ("Heads", "Each head's output before W_O (hook_z); b_O stays"),
        Part::Attn => ("Attention", "All that a layer's attention adds (hook_attn_out)"),
        Part::Mlp => ("MLPs", "What a layer's MLP adds (hook_mlp_out)"),
        Part::Layers => ("Layers", "Attention and MLP of a layer together"),
    }
}

fn tokens_name(tokens: TokenSetting) -> &'static str {
    match tokens {
        TokenSetting::All => "all tokens",
        TokenSetting::Subject => "the subject",
        TokenSetting::NonSubject => "non-subject",
        TokenSetting::Last => "the last token",
        TokenSetting::Selected => "the selected token",
    }
}

fn about_replacement(replacement: ReplacementSetting) -> (&'static str, &'static str) {
    match replacement {
        ReplacementSetting::Zero => (
            "zeros",
            "Zero ablation. Later layers never saw a silent part, so it may break more than the \
             part did",
        ),
        ReplacementSetting::Mean => (
            "the mean",
            "Mean ablation, over up to 256 prompts of the dataset. Position 0, where attention \
             rests, gets the mean over first tokens, any other the mean over all later ones",
        ),
        ReplacementSetting::Resample => (
            "a resample",
            "Resample ablation: what the part is in another fact's prompt of as many tokens, of the \
             same relation if there is one (Chan et al. 2022)",
        ),
    }
}

/// The fact and its inverse, one above the other.
pub fn knockout_panel_ui(
    ui: &mut Ui,
    state: &mut State,
    views: &mut Views,
    commands: &mut Vec<Command>,
) {
    knockout_controls_ui(ui, state);
    run_ui(ui, state, Pane::Knockout, commands);
    ui.add_space(4.0);
    let Some(info) = state.info() else { return };
    let found: Vec<(Direction, &Study)> = state
        .directions()
        .filter_map(|it| Some((it, state.study(Pane::Knockout, it)?)))
        .filter(|(_, study)| study.result.is_some())
        .collect();
    if found.is_empty() {
        ui.weak(
            "Keeps the last token from looking at some others, a few layers at a time, and shows \
             when the answer gets lost",
        );
        return;
    }
    let n_found = found.len();
    let height = (ui.available_height() / n_found as f32).clamp(260.0, 400.0);
    for (nth, (direction, study)) in found.into_iter().enumerate() {
        let Some(AnalysisResult::AttentionKnockout(knockout)) = study.result.as_deref() else {
            continue;
        };
        ui.push_id(direction, |ui| {
            let top = ui.cursor().top();
            if n_found > 1 {
                let name = Command::LookAt(direction).text();
                ui.label(RichText::new(format!("{name}: {}", knockout.prompt.text)).strong());
            }
            let height = height - (ui.cursor().top() - top);
            let position = state.selection.position.filter(|_| direction == state.direction);
            let selection = Selection { position, ..state.selection };
            let planted = state.planted(direction);
            let ctx = ViewCtx { selection, tokenizer: &info.tokenizer, planted };
            let notes = if nth + 1 == n_found { Notes::Shown } else { Notes::Below };
            let picked = knockout_ui(ui, &mut views.knockout, knockout, notes, height, &ctx);
            commands.extend(picked.map(Command::View));
        });
    }
}

fn knockout_controls_ui(ui: &mut Ui, state: &mut State) {
    let Some(n_layers) = state.info().map(|info| info.config.n_layers) else { return };
    let settings = &mut state.settings.knockout;
    let usual = default_window(n_layers);
    ui.horizontal_wrapped(|ui| {
        ui.horizontal(|ui| {
            let about = format!(
                "In how many layers around each the edges are cut. Geva et al.: 9 of GPT-2 XL's \
                 48; for {n_layers} layers: {usual}"
            );
            let label = ui.label("Window");
            let mut window = settings.window.unwrap_or(usual);
            let value = DragValue::new(&mut window).range(1..=100);
            if ui.add(value).labelled_by(label.id).on_hover_text(about).changed() {
                settings.window = (window != usual).then_some(window);
            }
        });
        ui.checkbox(&mut settings.cuts_selected, "Also the selected token → last").on_hover_text(
            "One more line: the last token does not see the token that is picked out in the views",
        );
    });
}

/// The button, or how far it is.
pub(super) fn run_ui(ui: &mut Ui, state: &State, pane: Pane, commands: &mut Vec<Command>) {
    let studies: Vec<&Study> =
        state.directions().filter_map(|direction| state.study(pane, direction)).collect();
    let running = studies.iter().find_map(|study| match study.state {
        TraceState::Running(id) => state.jobs.get(id),
        _ => None,
    });
    ui.horizontal(|ui| {
        if let Some(job) = running {
            if job.cancel.is_cancelled() {
                ui.label("Cancelling…");
                return;
            }
            if ui.button("Stop").on_hover_text("Keeps what is done").clicked() {
                commands.push(Command::CancelStudy);
            }
            let left = job.time_left(Instant::now()).unwrap_or_else(|| "starting".to_owned());
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                ui.weak(left);
                let width = ui.available_width().max(60.0);
                let bar = ProgressBar::new(job.fraction()).desired_width(width);
                ui.add(bar.show_percentage());
            });
            return;
        }
        let command = Command::Study(pane);
        let is_complete = studies.len() == state.directions().count()
            && studies.iter().all(|study| study.state == TraceState::Complete);
        let fill = theme::palette(ui).accent_fill;
        let button = Button::new(command.text()).fill(fill).min_size(vec2(110.0, 26.0));
        let response = ui.add_enabled(!is_complete, button).on_hover_text(command.tooltip());
        let response =
            response.on_disabled_hover_text("This is complete; change a setting to ask for more");
        if response.clicked() {
            commands.push(command);
        }
        let Some(study) = state.study(pane, state.direction) else { return };
        let palette = theme::palette(ui);
        let (text, color) = match &study.state {
            TraceState::Running(_) => return,
            TraceState::Complete => ("✔ Complete".to_owned(), palette.good),
            TraceState::Cancelled => ("Cancelled; partial".to_owned(), palette.warning),
            TraceState::Failed(error) => (error.clone(), palette.error),
        };
        ui.label(RichText::new(text).color(color));
    });
}
