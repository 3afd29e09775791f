//! What the numbers rest on: the tokens, the machine, the weights, the conventions.

use eframe::egui::{Color32, Label, RichText, TextStyle, Ui};

use super::grouped;
use crate::analysis::AnalysisResult;
use crate::analysis::causal_trace::Component;
use crate::analysis::logit_attribution::adds_up;
use crate::figure::words::counted;
use crate::ui::command::Command;
use crate::ui::pane::Pane;
use crate::ui::state::{Convention, NoiseSetting, Settings, State};
use crate::ui::theme;
use crate::ui::view::ViewCtx;
use crate::ui::widgets::number::significant;
use crate::ui::widgets::{gives, token_strip_ui};
use crate::worker::{Verdict, Which};

pub fn trust_ui(ui: &mut Ui, state: &State, commands: &mut Vec<Command>) {
    heading_ui(ui, "Conventions");
    presets_ui(ui, state, commands);
    conventions_ui(ui, state);
    let ctx = ViewCtx::of(state, Pane::Trust, state.row);
    if let (Some(prompt), Some(ctx)) = (state.prompt(), ctx) {
        heading_ui(ui, "Tokens");
        commands.extend(token_strip_ui(ui, prompt, &ctx).map(Command::View));
        heading_ui(ui, "Attributions and the logit");
        sum_ui(ui, state);
    }
    if state.has_model_beside() {
        for (which, title) in
            [(Which::Main, "First model and machine"), (Which::Beside, "Second model and machine")]
        {
            heading_ui(ui, title);
            model_ui(ui, state, which);
        }
    } else {
        heading_ui(ui, "Model and machine");
        model_ui(ui, state, Which::Main);
    }
}

fn heading_ui(ui: &mut Ui, text: &str) {
    ui.add_space(6.0);
    ui.label(RichText::new(text).strong().color(theme::palette(ui).strong_text));
}

/// Says which program the settings match, and offers the settings of each.
fn presets_ui(ui: &mut Ui, state: &State, commands: &mut Vec<Command>) {
    let info = state.info_at(state.row);
    let n_layers = info.map_or(0, |info| info.config.n_layers);
    let has_foil = state.prompt().is_some_and(|prompt| prompt.foil.is_some());
    let differences =
        Convention::ALL.map(|it| (it, it.differences(&state.settings, n_layers, has_foil)));
    let matched = differences.iter().find(|(_, differences)| differences.is_empty());
    let text = match matched {
        Some((convention, _)) => format!("The settings match {}", convention.name()),
        None => "The settings are your own: they match neither program".to_owned(),
    };
    ui.label(text);
    ui.horizontal_wrapped(|ui| {
        for (convention, differences) in &differences {
            let command = Command::Match(*convention);
            let button =
                ui.add_enabled(!differences.is_empty(), eframe::egui::Button::new(command.text()));
            gives(button, command, commands);
        }
    });
    if matched.is_none() {
        for (convention, differences) in &differences {
            let list: Vec<String> = differences
                .iter()
                .map(|it| format!("{}: {} instead of {}", it.what, it.is, it.wanted))
                .collect();
            let text = format!("Not {}: {}", convention.name(), list.join("; "));
            ui.label(RichText::new(text).weak());
        }
    }
}

/// All conventions in force, and what each means.
fn conventions_ui(ui: &mut Ui, state: &State) {
    let trace = &state.settings.trace;
    let info = state.info_at(state.row);
    let n_layers = info.map_or(0, |info| info.config.n_layers);
    let window = if trace.component == Component::Hidden { 1 } else { trace.window(n_layers) };
    let measured = state.trace(state.row).and_then(|run| run.result.as_deref());
    let measured = match measured {
        Some(AnalysisResult::CausalTrace(it)) => format!(" = {:.6}", it.noise_std),
        _ => String::new(),
    };
    let noise = match &trace.noise {
        NoiseSetting::Subjects => format!("3 × σ, one scalar{measured}"),
        NoiseSetting::Fixed => format!("{} in embedding units", trace.noise_std),
        NoiseSetting::File(file) => format!("as it is in {}", file.short_name()),
    };
    let before = window / 2;
    let after = window.div_ceil(2).saturating_sub(1);
    let window = match window {
        1 if trace.component == Component::Hidden => "1 layer: a single hidden state".to_owned(),
        1 => "1 layer".to_owned(),
        _ => format!("{window} layers: {before} before to {after} after, clipped at the ends"),
    };
    let rows = [
        (
            "Noise",
            noise,
            "σ is the standard deviation of all entries of the embeddings (without positions) of the \
             dataset's subjects, encoded without a leading space, as ROME's `collect_embedding_std`. \
             Added to the subject's token embeddings",
        ),
        (
            "Seed and samples",
            format!("seed {}, {}", trace.seed, counted(trace.n_samples, "sample")),
            "The same noise for every cell of a map and every fact of as many subject tokens: ROME \
             seeds anew in each call. A score is the mean over the samples",
        ),
        (
            "Window",
            window,
            "Layers restored together. As in ROME, from l − ⌊w/2⌋ to l + ⌈w/2⌉ − 1, clipped at the \
             first and last layer, so that there are fewer there",
        ),
        (
            "Metric of traces",
            state.settings.trace_metric.key().to_owned(),
            "ROME: probability of the answer's first token, as mean over the samples (not the \
             probability of the mean logits)",
        ),
        (
            "Metric of other maps",
            other_metrics(&state.settings),
            "What figures of patched and ablated runs show",
        ),
        (
            "Layer norm of the lens",
            "its own at each layer".to_owned(),
            "The final layer norm is computed on each layer's own residual stream, as TransformerLens \
             does since 2.18; before, the scale of the last layer was used",
        ),
        (
            "Layer norm of attributions",
            "frozen at the final scale".to_owned(),
            "Each part's own mean is taken away, and it is divided by the scale of the prompt's last \
             residual stream (`apply_ln_to_stack`); so the parts add up to the logit",
        ),
    ];
    rows_ui(ui, rows.into());
}

/// Rows of a name, its value, and an explanation on hover. A grid would not wrap long values.
fn rows_ui(ui: &mut Ui, rows: Vec<(&str, String, &str)>) {
    let font = TextStyle::Body.resolve(ui.style());
    let width = |(name, ..): &(&str, String, &str)| {
        let text = (*name).to_owned();
        ui.painter().layout_no_wrap(text, font.clone(), Color32::PLACEHOLDER).size().x
    };
    let widths: Vec<f32> = rows.iter().map(width).collect();
    let widest = widths.iter().copied().fold(0.0, f32::max);
    for ((name, value, about), width) in rows.into_iter().zip(widths) {
        ui.horizontal_top(|ui| {
            ui.spacing_mut().item_spacing.x = 24.0 + widest - width;
            ui.label(name).on_hover_text(about);
            ui.add(Label::new(value).wrap()).on_hover_text(about);
        });
    }
}

/// Says whether the parts of the logit add up to it.
fn sum_ui(ui: &mut Ui, state: &State) {
    let Some(findings) = state.findings() else { return };
    let found = findings.runs.iter().filter_map(|run| match run.result.as_deref() {
        Some(AnalysisResult::LogitAttribution(it)) => Some(it),
        _ => None,
    });
    let found: Vec<_> = found.collect();
    if found.is_empty() {
        ui.weak("No attribution of this prompt yet");
    }
    for it in found {
        let sum = it.sum();
        let difference = (sum - it.logit).abs();
        let n = grouped(it.contributions.len() + 1);
        let of =
            if it.prompt.foil.is_some() { "answer − foil" } else { "answer − mean of all" };
        let text = format!(
            "{n} parts add up to {sum:.5}; the model's logit ({of}) is {:.5}: {} apart",
            it.logit,
            significant(difference, 2)
        );
        let palette = theme::palette(ui);
        let color = if adds_up(sum, it.logit) { palette.strong_text } else { palette.error };
        ui.label(RichText::new(text).color(color)).on_hover_text(
            "The sum of all contributions and the bias of the final layer norm, against the logit \
             that the forward pass gave",
        );
    }
}

fn model_ui(ui: &mut Ui, state: &State, which: Which) {
    let Some(info) = state.info_of(which) else {
        ui.weak("No model is open");
        return;
    };
    let (test, about) = match &info.verdict {
        None => ("not needed on the CPU".to_owned(), "The CPU is what devices are compared with"),
        Some(verdict) => (
            verdict_text(verdict),
            "Each kind of computation on this device against the CPU, at the first use of a device \
             and driver",
        ),
    };
    let numbers = match info.numbers.verdict() {
        None if state.stored.is_some() => "not looked at".to_owned(),
        None => "being looked at; no result is shown before".to_owned(),
        Some(Ok(())) => "all weights are finite".to_owned(),
        Some(Err(error)) => error,
    };
    let hash = match info.hash.known_already() {
        Some(hashes) => {
            let short = |(file, hash): (&String, &String)| {
                format!("{file} {}…", hash.get(..12).unwrap_or(hash))
            };
            hashes.iter().map(short).collect::<Vec<_>>().join(", ")
        }
        None => "taken when a session is saved".to_owned(),
    };
    let edits = match state.edits_of(which).len() {
        0 => "none".to_owned(),
        n => format!("{n}; all results are of the changed model"),
    };
    let left_out = info.left_out.join(", ");
    let mut rows = vec![
        ("Device", info.device.clone(), "What computes"),
        ("Self-test", test, about),
        ("Weights", info.dir.display().to_string(), "A folder, or the name of a built-in model"),
        (
            "Number type",
            format!("{} on disk, F32 where it is computed", info.dtypes.join(", ")),
            "F16 and BF16 are widened to F32 exactly",
        ),
        ("SHA-256", hash, "Of each weight file, as Hugging Face shows it"),
        (
            "NaN watch",
            numbers,
            "Every number of the weights is looked at once after opening; no result leaves before",
        ),
        ("Changes", edits, "Edits made to the open model, in this window"),
    ];
    if let Some(left_off) = info.tokenizer.about_left_off() {
        rows.push((
            "Left off",
            left_off,
            "What is asked is how the text of a prompt goes on, so that no token of the end stands there",
        ));
    }
    if !left_out.is_empty() {
        rows.push((
            "Left out",
            left_out,
            "Tensors of the files that are no part of a language model",
        ));
    }
    rows_ui(ui, rows);
}

/// What maps other than those of traces show.
fn other_metrics(settings: &Settings) -> String {
    let own = settings.own_metrics.iter().filter(|(_, metric)| **metric != settings.metric);
    let own = own.map(|(view, metric)| format!("; {} in {}", metric.key(), view.text()));
    format!("{}{}", settings.metric.key(), own.collect::<String>())
}

fn verdict_text(verdict: &Verdict) -> String {
    let n = verdict.checks.len();
    match verdict.failure() {
        None => format!("passed, {}", counted(n, "check")),
        Some(failure) => format!("failed: {failure}"),
    }
}
