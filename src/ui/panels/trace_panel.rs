use std::time::Instant;

use eframe::egui::{
    Align, Button, ComboBox, DragValue, Label, Layout, ProgressBar, RichText, ScrollArea,
    Separator, Ui, vec2,
};

use super::pane::asked_by;
use super::trace_difference::{Difference, difference_ui};
use crate::analysis::attribution_patching::AttributionPatching;
use crate::analysis::causal_trace::{self, CausalTrace, Component, Severed};
use crate::analysis::{AnalysisResult, Metric};
use crate::facts::{Direction, InverseOrigin};
use crate::intervention::NoiseRng;
use crate::tokens::Flags;
use crate::ui::command::Command;
use crate::ui::pane::Pane;
use crate::ui::state::{
    NoiseSetting, Quick, Slot, State, TracePair, TraceRun, TraceSettings, TraceState,
};
use crate::ui::theme;
use crate::ui::view::{ViewAction, ViewCtx};
use crate::ui::views::{CausalTraceView, causal_trace_ui, own_range};
use crate::ui::widgets::number::significant;
use crate::ui::widgets::token_strip_ui;

/// Points; in a lower window the settings are folded away until they are asked for.
const LOW_HEIGHT: f32 = 760.0;

fn is_low(ui: &Ui) -> bool {
    ui.ctx().content_rect().height() < LOW_HEIGHT
}

/// How many right answers a tooltip lists.
const N_ANSWERS: usize = 20;

/// The chosen fact and its inverse: their tokens, and where restoring a state brings the answer
/// back.
pub fn trace_panel_ui(
    ui: &mut Ui,
    state: &mut State,
    view: &mut CausalTraceView,
    difference: &mut Difference,
    commands: &mut Vec<Command>,
) {
    let directions: Vec<Direction> = state.directions().collect();
    if directions.is_empty() {
        empty_ui(ui, "No fact is chosen", "Choose one on the left, or type your own");
        return;
    }
    let has_subject = directions.iter().any(|&direction| {
        let prompt = state.findings_at(direction).and_then(|it| it.prompt.as_ref().ok());
        prompt.is_some_and(|prompt| prompt.subject.is_some())
    });
    if has_subject {
        controls_ui(ui, state, commands);
        ui.add_space(2.0);
    }
    let is_pair = directions.len() > 1;
    view.range = None;
    view.is_brief = is_pair && is_low(ui);
    if is_pair && state.settings.trace_pair.has_same_scale {
        view.range = shared_range(state, &directions, view.metric);
    }
    let has_difference = is_pair && has_subject && state.settings.trace_pair.shows_difference;
    let is_beside = has_difference && ui.available_width() >= WIDE;
    let room = ui.available_size();
    let maps_width = if is_beside { room.x * MAPS_SHARE } else { room.x };
    let n_rows = directions.len() + usize::from(has_difference && !is_beside);
    let metric = view.metric;
    let is_short = has_difference && !is_beside && room.y < n_rows as f32 * LEAST_ROW;
    let mut picked = Vec::new();
    let mut maps_ui = |ui: &mut Ui| {
        for (nth, direction) in directions.iter().copied().enumerate() {
            if has_subject || nth > 0 {
                ui.add(Separator::default().spacing(if view.is_brief { 2.0 } else { 6.0 }));
            }
            let share = ui.available_height() / (n_rows - nth) as f32;
            let height = if is_short { LEAST_ROW } else { share };
            let size = vec2(ui.available_width(), height);
            ui.allocate_ui_with_layout(size, Layout::top_down(Align::Min), |ui| {
                ui.push_id(direction, |ui| direction_ui(ui, state, direction, view, &mut picked));
            });
        }
    };
    if is_beside {
        ui.horizontal_top(|ui| {
            let size = vec2(maps_width, room.y);
            ui.allocate_ui_with_layout(size, Layout::top_down(Align::Min), |ui| maps_ui(ui));
            ui.separator();
            let size = ui.available_size();
            ui.allocate_ui_with_layout(size, Layout::top_down(Align::Min), |ui| {
                difference_ui(ui, state, difference, metric, commands);
            });
        });
    } else {
        let mut rows_ui = |ui: &mut Ui| {
            maps_ui(ui);
            if has_difference {
                ui.separator();
                difference_ui(ui, state, difference, metric, commands);
            }
        };
        if is_short {
            ScrollArea::vertical().id_salt("trace rows").auto_shrink(false).show(ui, rows_ui);
        } else {
            rows_ui(ui);
        }
    }
    commands.extend(picked);
}

/// Points from which on the difference has room beside both maps, and what part these then keep.
const WIDE: f32 = 900.0;
const MAPS_SHARE: f32 = 0.58;

/// Points; where three rows have less they are scrolled.
const LEAST_ROW: f32 = 236.0;

/// So that both maps fit in. Nothing unless both are there.
fn shared_range(state: &State, directions: &[Direction], metric: Metric) -> Option<(f32, f32)> {
    let range = |direction: &Direction| {
        let run = state.trace(*direction)?;
        own_range(trace_of(run)?, metric, preview_of(run))
    };
    let ranges: Vec<(f32, f32)> = directions.iter().map(range).collect::<Option<_>>()?;
    let low = ranges.iter().map(|it| it.0).fold(f32::INFINITY, f32::min);
    let high = ranges.iter().map(|it| it.1).fold(f32::NEG_INFINITY, f32::max);
    Some((low, high)).filter(|(low, high)| low < high)
}

/// What is done with both maps.
fn pair_ui(ui: &mut Ui, state: &State, commands: &mut Vec<Command>) {
    let TracePair { shows_difference, has_same_scale } = state.settings.trace_pair;
    let command = Command::ShowDifference(!shows_difference);
    let button = ui.selectable_label(shows_difference, command.text());
    if button.on_hover_text(command.tooltip()).clicked() {
        commands.push(command);
    }
    let command = Command::SetSameScale(!has_same_scale);
    let mut is_on = has_same_scale;
    if ui.checkbox(&mut is_on, command.text()).on_hover_text(command.tooltip()).changed() {
        commands.push(command);
    }
}

/// A fact asked one way.
fn direction_ui(
    ui: &mut Ui,
    state: &State,
    direction: Direction,
    view: &mut CausalTraceView,
    commands: &mut Vec<Command>,
) {
    let (Some(findings), Some(info)) = (state.findings_at(direction), state.info()) else { return };
    if state.directions().count() > 1 {
        heading_ui(ui, state, direction, commands);
    }
    let prompt = match &findings.prompt {
        Ok(prompt) => prompt,
        Err(error) => {
            ui.label(RichText::new(error).color(theme::palette(ui).error));
            return;
        }
    };
    let selection = state.seen(Pane::Trace, direction);
    let planted = state.planted(direction);
    let ctx = ViewCtx { selection, tokenizer: &info.tokenizer, planted };
    let mut picked = token_strip_ui(ui, prompt, &ctx);
    if prompt.subject.is_none() {
        let about = "A trace corrupts the subject, and none is marked in this prompt";
        empty_ui(ui, "Nothing to trace", about);
    } else {
        let in_map = result_ui(ui, state, direction, view, &ctx);
        picked = picked.or(in_map);
    }
    commands.extend(picked.into_iter().flat_map(|it| asked_by(it, Pane::Trace, direction)));
}

/// Which way the fact is asked, and what the model makes of it.
fn heading_ui(ui: &mut Ui, state: &State, direction: Direction, commands: &mut Vec<Command>) {
    let (Some(record), Some(key)) = (state.record_at(direction), state.key_of(direction)) else {
        return;
    };
    ui.horizontal(|ui| {
        let command = Command::LookAt(direction);
        let chosen =
            ui.selectable_label(state.direction == direction, state.name_of(direction));
        if chosen.on_hover_text(command.tooltip()).clicked() {
            commands.push(command);
        }
        beside_ui(ui, state, direction, commands);
        if let Some(inverse) = record.inverse.as_ref().filter(|_| key.direction == Direction::Inverse)
            && inverse.origin == InverseOrigin::Generated
        {
            ui.label(RichText::new("generated").small().weak()).on_hover_text(
                "The dataset has no inverse of this fact; this one was written from the \
                 catalogue's template of its relation",
            );
        }
        if key.direction == Direction::Forward
            && let Some(plan) = state.plan(record)
        {
            ui.label(RichText::new(plan.group.text()).small().weak()).on_hover_text(
                "What the built-in model was trained on of this fact: the split is part of the \
                 program, so what it can know is known",
            );
        }
        if let Some(layer) = state.planted(direction) {
            let text = RichText::new(format!("planted in MLP {layer}")).small();
            ui.label(text.color(theme::palette(ui).subject)).on_hover_text(
                "This was written into the MLP of that one layer, with all else frozen: there it is \
                 stored. Where a trace peaks is where restoring a state brings the answer back, \
                 which is another question",
            );
        }
        let answers = state.answers_at(direction);
        if answers.len() > 1 {
            let text = RichText::new(format!("one of {} right answers", answers.len()));
            let rest = if answers.len() > N_ANSWERS { ", …" } else { "" };
            let list = answers.iter().take(N_ANSWERS).map(String::as_str).collect::<Vec<_>>();
            ui.label(text.small().color(theme::palette(ui).warning))
                .on_hover_text(format!("{}{rest}", list.join(", ")));
        }
        if let Some(flags) = state.facts.flags(key.fact, key.direction) {
            flags_ui(ui, flags);
        }
        recall_ui(ui, state, direction);
    });
}

/// Keeps what stands here, or lets it go.
fn beside_ui(ui: &mut Ui, state: &State, row: Direction, commands: &mut Vec<Command>) {
    let command = match (state.beside, row) {
        (Some(_), Direction::Inverse) => Command::DropBeside,
        (None, row) if row == state.direction => Command::KeepBeside,
        _ => return,
    };
    if ui.small_button(command.text()).on_hover_text(command.tooltip()).clicked() {
        commands.push(command);
    }
}

/// What to beware of before the numbers are read.
fn flags_ui(ui: &mut Ui, flags: &Flags) {
    let tokens = |n: usize| if n == 1 { "1 token".to_owned() } else { format!("{n} tokens") };
    let Flags { n_subject, n_answer, n_same_length, .. } = *flags;
    let text = RichText::new(format!("{n_subject} → {}", tokens(n_answer)));
    ui.label(text.small().weak()).on_hover_text(format!(
        "Subject: {}; answer: {}. Other subjects of this relation with as many tokens, to be put \
         in its place: {n_same_length}",
        tokens(n_subject),
        tokens(n_answer),
    ));
    let warning = theme::palette(ui).warning;
    if flags.leaks {
        ui.label(RichText::new("answer in prompt").small().color(warning))
            .on_hover_text("The answer's words stand in the prompt: the model can copy them");
    }
    if let Some(other) = &flags.collides_with {
        ui.label(RichText::new("shared first token").small().color(warning)).on_hover_text(format!(
            "“{other}” starts with the same token: the probability of the first token cannot tell \
             the two apart; look at the probability of the whole answer",
        ));
    }
}

/// Whether the model knows the answer: a trace of an unknown fact means little.
fn recall_ui(ui: &mut Ui, state: &State, direction: Direction) {
    let Some(findings) = state.findings_at(direction) else { return };
    let Slot::Found(result) = findings.quick(Quick::Prediction) else { return };
    let AnalysisResult::Prediction(it) = &**result else { return };
    let Some(answer) = &it.answer else { return };
    let palette = theme::palette(ui);
    let (rank, prob) = (answer.rank, significant(answer.prob, 3));
    let (text, color) = if rank == 0 {
        (format!("recalled, p {prob}"), palette.good)
    } else {
        (format!("not recalled: {rank} likelier, p {prob}"), palette.warning)
    };
    ui.label(RichText::new(text).small().color(color))
        .on_hover_text("The answer's first token, as the model predicts it from the clean prompt");
}

fn controls_ui(ui: &mut Ui, state: &mut State, commands: &mut Vec<Command>) {
    let n_layers = state.info().map_or(48, |info| info.config.n_layers);
    let settings = &mut state.settings.trace;
    ui.horizontal_wrapped(|ui| {
        ui.label("Restore");
        for component in Component::ALL {
            let (name, about) = about_component(component);
            ui.selectable_value(&mut settings.component, component, name).on_hover_text(about);
        }
        ui.add_space(6.0);
        let has_window = settings.component != Component::Hidden;
        let about = "How many layers are restored together around each cell. ROME: 10 of 48; here \
                     10 too from 24 layers on, and as large a part of fewer. Hidden states are \
                     restored one at a time";
        let usual = settings.window(n_layers);
        let mut window = usual;
        number_ui(ui, has_window, "Window", about, DragValue::new(&mut window).range(1..=100));
        if window != usual {
            settings.own_window = Some(window);
        }
        let about = "Noise draws averaged per cell. ROME: 10";
        let samples = DragValue::new(&mut settings.n_samples).range(1..=1000);
        number_ui(ui, true, "Samples", about, samples);
    });
    // Where there is little room it belongs to the maps.
    if state.settings.shows_more_of_trace.unwrap_or_else(|| !is_low(ui)) {
        more_settings_ui(ui, settings, n_layers);
    }
    run_ui(ui, state, commands);
}

/// All that is rarely changed.
fn more_settings_ui(ui: &mut Ui, settings: &mut TraceSettings, n_layers: usize) {
    ui.horizontal_wrapped(|ui| {
        direction_setting_ui(ui, settings);
        ui.add_space(6.0);
        sever_ui(ui, settings);
    });
    ui.horizontal_wrapped(|ui| {
        noise_ui(ui, settings);
        rng_ui(ui, settings);
        let about = "Which sequence of noise. ROME: 1";
        number_ui(ui, true, "Seed", about, DragValue::new(&mut settings.seed));
        let rome = TraceSettings::rome(settings.component);
        let has_window = settings.component != Component::Hidden;
        if has_window && settings.window(n_layers) != rome.window(n_layers)
            || *settings != (TraceSettings { own_window: settings.own_window, ..rome.clone() })
        {
            let button = ui.button("ROME's settings");
            if button
                .on_hover_text(
                    "Denoise, nothing severed, window 10, 3 × σ, 10 samples, numpy, seed 1",
                )
                .clicked()
            {
                *settings = rome;
            }
        }
    });
}

/// Opens the runs behind the cell that is picked out.
fn cell_ui(ui: &mut Ui, state: &State, commands: &mut Vec<Command>) {
    let command = Command::Study(Pane::Cell);
    let is_picked = state.selection.layer.is_some() && state.selection.position.is_some();
    let response = ui.add_enabled(is_picked, Button::new(command.text()));
    let response = response.on_hover_text(command.tooltip());
    if response.on_disabled_hover_text("Click a cell of the map first").clicked() {
        commands.push(command);
    }
}

/// Shows or hides them, and says what they are while they are hidden.
fn settings_toggle_ui(ui: &mut Ui, state: &mut State) {
    let is_low = is_low(ui);
    let is_shown = state.settings.shows_more_of_trace.unwrap_or(!is_low);
    let button = ui.selectable_label(is_shown, "Settings");
    let summary = state.settings.trace.summary();
    let button = button.on_hover_text(format!("Direction, severing, noise and seed: {summary}"));
    if button.clicked() {
        state.settings.shows_more_of_trace = Some(!is_shown);
    }
    if !is_shown && !is_low {
        ui.add(Label::new(RichText::new(summary).weak()).truncate());
    }
}

fn about_component(component: Component) -> (&'static str, &'static str) {
    match component {
        Component::Hidden => {
            ("Hidden state", "The residual stream after one layer. ROME's kind=None")
        }
        Component::Mlp => ("MLP", "What the MLPs of a window of layers add. ROME's kind=\"mlp\""),
        Component::Attn => {
            ("Attention", "What attention adds in a window of layers. ROME's kind=\"attn\"")
        }
    }
}

fn direction_setting_ui(ui: &mut Ui, settings: &mut TraceSettings) {
    ui.label("Direction");
    for direction in causal_trace::Direction::ALL {
        let (name, about) = match direction {
            causal_trace::Direction::Denoise => (
                "Denoise",
                "Clean states are put into the corrupted run, as ROME does: which of them suffice",
            ),
            causal_trace::Direction::Noise => (
                "Noise",
                "Corrupted states are put into the clean run: which of them are needed \
                 (Heimersheim & Nanda 2024)",
            ),
        };
        ui.selectable_value(&mut settings.direction, direction, name).on_hover_text(about);
    }
}

fn sever_ui(ui: &mut Ui, settings: &mut TraceSettings) {
    let about = "Holds what MLPs or attention add at the changed token, in all later layers, at the \
                 values it has without the change, so that only the path around them is left. If an \
                 early peak goes with the MLPs severed, it worked through them (Meng et al. 2022, \
                 fig. 3)";
    let name = |severed: Option<Severed>| match severed {
        None => "nothing",
        Some(Severed::Mlp) => "MLPs",
        Some(Severed::Attn) => "attention",
    };
    ui.horizontal(|ui| {
        let label = ui.label("Sever");
        let combo = ComboBox::from_id_salt("sever")
            .selected_text(name(settings.sever))
            .width(84.0)
            .show_ui(ui, |ui| {
                for choice in [None].into_iter().chain(Severed::ALL.map(Some)) {
                    ui.selectable_value(&mut settings.sever, choice, name(choice));
                }
            });
        combo.response.labelled_by(label.id).on_hover_text(about);
    });
}

/// A named number.
fn number_ui(ui: &mut Ui, is_enabled: bool, name: &str, about: &str, value: DragValue<'_>) {
    ui.add_enabled_ui(is_enabled, |ui| {
        // Name and number stay on one line.
        ui.horizontal(|ui| {
            let label = ui.label(name);
            ui.add(value).labelled_by(label.id).on_hover_text(about).on_disabled_hover_text(about);
        });
    });
}

fn noise_ui(ui: &mut Ui, settings: &mut TraceSettings) {
    const SUBJECTS: &str = "3 × σ of subjects";
    const FIXED: &str = "fixed σ";
    let about = "How strong the noise on the subject's embeddings is. ROME: 3 × the standard \
                 deviation σ over the embeddings of all the dataset's subjects; without a dataset, \
                 of this subject alone";
    ui.horizontal(|ui| {
        let label = ui.label("Noise");
        let text = match settings.noise {
            NoiseSetting::Subjects => SUBJECTS,
            NoiseSetting::Fixed => FIXED,
        };
        let combo =
            ComboBox::from_id_salt("noise").selected_text(text).width(140.0).show_ui(ui, |ui| {
                ui.selectable_value(&mut settings.noise, NoiseSetting::Subjects, SUBJECTS);
                ui.selectable_value(&mut settings.noise, NoiseSetting::Fixed, FIXED);
            });
        combo.response.labelled_by(label.id).on_hover_text(about);
        if settings.noise == NoiseSetting::Fixed {
            let value = DragValue::new(&mut settings.noise_std)
                .range(0.0..=100.0)
                .speed(0.001)
                .max_decimals(4)
                .prefix("σ ");
            let about = "Standard deviation of the noise, in units of embedding values";
            ui.add(value).labelled_by(label.id).on_hover_text(about);
        }
    });
}

fn rng_ui(ui: &mut Ui, settings: &mut TraceSettings) {
    let about = "Where Gaussian numbers come from. ROME: numpy";
    let text = |rng: NoiseRng| match rng {
        NoiseRng::Numpy => "numpy",
        NoiseRng::Chacha => "chacha",
    };
    let about_rng = |rng: NoiseRng| match rng {
        NoiseRng::Numpy => "numpy's RandomState, bit for bit as ROME draws it",
        NoiseRng::Chacha => {
            "ChaCha8: each sample has a stream of its own, so that a second \
                             sample does not depend on the length of the first"
        }
    };
    ui.horizontal(|ui| {
        let label = ui.label("Generator");
        let combo = ComboBox::from_id_salt("generator")
            .selected_text(text(settings.rng))
            .width(84.0)
            .show_ui(ui, |ui| {
                for rng in [NoiseRng::Numpy, NoiseRng::Chacha] {
                    let item = ui.selectable_value(&mut settings.rng, rng, text(rng));
                    item.on_hover_text(about_rng(rng));
                }
            });
        combo.response.labelled_by(label.id).on_hover_text(about);
    });
}

/// The button, or how far the trace is.
fn run_ui(ui: &mut Ui, state: &mut State, commands: &mut Vec<Command>) {
    ui.horizontal_wrapped(|ui| {
        let run = state.trace(state.direction);
        let job = state.running_trace().and_then(|id| state.jobs.get(id));
        if state.trace_waits {
            ui.label("Measuring the noise on the dataset's subjects…");
            return;
        }
        if let Some(job) = job {
            if job.cancel.is_cancelled() {
                ui.label("Cancelling…");
                return;
            }
            if ui.button("Cancel").clicked() {
                commands.push(Command::Cancel);
            }
            let width = (ui.available_width() - 130.0).max(80.0);
            ui.add(ProgressBar::new(job.fraction()).desired_width(width).show_percentage());
            let first = state.jobs.sweeps().next().map(|(id, _)| id);
            let is_first = first == state.running_trace();
            let left = job.time_left(Instant::now());
            let text = left.unwrap_or_else(|| {
                if is_first { "starting".to_owned() } else { "waits its turn".to_owned() }
            });
            ui.weak(text);
            return;
        }
        let is_complete = state.directions().all(|direction| {
            state.trace(direction).is_some_and(|run| run.state == TraceState::Complete)
        });
        let fill = theme::palette(ui).accent_fill;
        let width = if is_low(ui) { 64.0 } else { 110.0 };
        let button = Button::new("Trace").fill(fill).min_size(vec2(width, 26.0));
        let keys = Command::Trace.shortcuts().first().map(|keys| ui.ctx().format_shortcut(keys));
        let about = format!("{} ({})", Command::Trace.tooltip(), keys.unwrap_or_default());
        let response = ui.add_enabled(!is_complete, button).on_hover_text(about);
        let response = response
            .on_disabled_hover_text("This trace is complete; change a setting to make another");
        if response.clicked() {
            commands.push(Command::Trace);
        }
        if let Some(run) = run {
            outcome_ui(ui, run);
        }
        if state.directions().count() > 1 {
            pair_ui(ui, state, commands);
        }
        cell_ui(ui, state, commands);
        settings_toggle_ui(ui, state);
    });
}

fn outcome_ui(ui: &mut Ui, run: &TraceRun) {
    let palette = theme::palette(ui);
    match &run.state {
        TraceState::Running(_) => {}
        TraceState::Complete => {
            ui.label(RichText::new("✔ Complete").color(palette.good));
        }
        TraceState::Cancelled => {
            let text = match trace_of(run) {
                Some(trace) => format!("Cancelled; {}", share(trace)),
                None => "Cancelled before the first cell".to_owned(),
            };
            ui.label(RichText::new(text).color(palette.warning));
        }
        TraceState::Failed(error) => {
            ui.label(RichText::new(error).color(palette.error));
        }
    }
}

fn result_ui(
    ui: &mut Ui,
    state: &State,
    direction: Direction,
    view: &mut CausalTraceView,
    ctx: &ViewCtx<'_>,
) -> Option<ViewAction> {
    let run = state.trace(direction);
    let Some(trace) = run.and_then(trace_of) else {
        if run.is_none_or(|run| !run.is_running()) && !state.trace_waits {
            let about = "Trace shows which states, put back into a corrupted run, bring the answer \
                         back";
            empty_ui(ui, "Not traced yet", about);
        }
        return None;
    };
    causal_trace_ui(ui, view, trace, run.and_then(preview_of), ctx)
}

fn preview_of(run: &TraceRun) -> Option<&AttributionPatching> {
    match run.preview.as_deref()? {
        AnalysisResult::AttributionPatching(preview) => Some(preview),
        _ => None,
    }
}

fn trace_of(run: &TraceRun) -> Option<&CausalTrace> {
    match run.result.as_deref()? {
        AnalysisResult::CausalTrace(trace) => Some(trace),
        _ => None,
    }
}

/// How much of a partial result there is.
fn share(trace: &CausalTrace) -> String {
    let cells = trace.restored.values();
    let n_done = cells.iter().filter(|runs| !runs.is_empty()).count();
    format!("partial, {n_done} of {} cells", cells.len())
}

fn empty_ui(ui: &mut Ui, title: &str, about: &str) {
    ui.vertical_centered(|ui| {
        ui.add_space((ui.available_height() * 0.25).min(120.0));
        ui.heading(title);
        ui.add_space(2.0);
        ui.weak(about);
    });
}
