//! What a trace restores, and how the run is corrupted.

use eframe::egui::{Button, Ui};

use crate::analysis::causal_trace;
use crate::analysis::causal_trace::Component;
use crate::intervention::NoiseRng;
use crate::ui::command::Command;
use crate::ui::state::{NoiseSetting, Setting, State, TraceSettings};
use crate::ui::widgets::{
    Choice, NumberField, command_choice_ui, keep_together, number_field, severing_ui,
};
use crate::ui::words::direction_name;

/// What is restored or corrupted, of the three kinds of a trace.
pub(super) fn restored_ui(ui: &mut Ui, state: &State, commands: &mut Vec<Command>) {
    ui.label(match state.settings.trace.direction {
        causal_trace::Direction::Denoise => "Restore",
        causal_trace::Direction::Noise => "Corrupt",
    });
    for component in Component::ALL {
        let command = Command::ShowKind(component);
        let is_chosen = state.settings.trace.component == component;
        command_choice_ui(ui, is_chosen, command, commands);
    }
}

/// Whether the settings are shown.
pub(super) fn has_settings(state: &State) -> bool {
    state.preferences.shows_more_of_trace == Some(true)
}

/// The settings that are rarely changed, those only that have a part in the trace.
pub(super) fn settings_ui(ui: &mut Ui, state: &State, commands: &mut Vec<Command>) {
    let n_layers = state.info().map_or(48, |info| info.config.n_layers);
    let mut edited = state.settings.trace.clone();
    let settings = &mut edited;
    ui.horizontal_wrapped(|ui| {
        let about = "Noise draws averaged per cell. ROME: 10";
        let samples = number_field(&mut settings.n_samples).range(1..=1000);
        number_ui(ui, "Samples", about, samples);
        if settings.component != Component::Hidden {
            let about = "How many layers are restored together around each cell. ROME: 10 of 48; \
                         here 10 too from 24 layers on, and as large a part of fewer";
            let usual = settings.window(n_layers);
            let mut window = usual;
            number_ui(ui, "Window", about, number_field(&mut window).range(1..=100));
            if window != usual {
                settings.own_window = Some(window);
            }
        }
        ui.add_space(6.0);
        direction_setting_ui(ui, settings);
        ui.add_space(6.0);
        let TraceSettings { sever, sever_layers, .. } = settings;
        severing_ui(ui, sever, sever_layers, n_layers);
    });
    ui.horizontal_wrapped(|ui| {
        noise_ui(ui, settings, commands);
        // A file brings its noise as it is.
        if !matches!(settings.noise, NoiseSetting::File(_)) {
            rng_ui(ui, settings);
            let about = "Which sequence of noise. ROME: 1";
            number_ui(ui, "Seed", about, number_field(&mut settings.seed));
        }
        let rome = TraceSettings::rome(settings.component);
        let has_window = settings.component != Component::Hidden;
        let is_other = has_window && settings.window(n_layers) != rome.window(n_layers)
            || *settings != (TraceSettings { own_window: settings.own_window, ..rome.clone() });
        // Always in its place, so that a changed setting moves nothing.
        let button = ui.add_enabled(is_other, Button::new("ROME's settings"));
        let about = "Restoring, nothing severed, window 10, 3 × σ, 10 samples, numpy, seed 1";
        let button = button.on_hover_text(about);
        if button.on_disabled_hover_text("The settings are ROME's").clicked() {
            *settings = rome;
        }
    });
    if edited != state.settings.trace {
        commands.push(Command::Set(Box::new(Setting::Trace(edited))));
    }
}

/// Shows or hides the settings.
pub(super) fn settings_toggle_ui(ui: &mut Ui, state: &State, commands: &mut Vec<Command>) {
    let is_shown = has_settings(state);
    let command = Command::ShowMoreOfTrace(!is_shown);
    let button = ui.selectable_label(is_shown, command.text());
    let summary = state.settings.trace.summary();
    if button.on_hover_text(format!("Samples, window, severing, noise: {summary}")).clicked() {
        commands.push(command);
    }
}

fn direction_setting_ui(ui: &mut Ui, settings: &mut TraceSettings) {
    ui.label("Direction");
    for direction in causal_trace::Direction::ALL {
        let about = match direction {
            causal_trace::Direction::Denoise => {
                "Clean states are put into the corrupted run, as ROME does: which of them suffice \
                 (denoising)"
            }
            causal_trace::Direction::Noise => {
                "Corrupted states are put into the clean run: which of them are needed (noising, \
                 Heimersheim & Nanda 2024)"
            }
        };
        let name = direction_name(direction);
        ui.selectable_value(&mut settings.direction, direction, name).on_hover_text(about);
    }
}

/// The width in points of a number, and of the boxes with noise and its generator.
const NUMBER_WIDTH: f32 = 48.0;
const NOISE_WIDTH: f32 = 140.0;
const RNG_WIDTH: f32 = 84.0;

/// A named number.
fn number_ui(ui: &mut Ui, name: &str, about: &str, value: NumberField<'_>) {
    keep_together(ui, name, NUMBER_WIDTH);
    let label = ui.label(name);
    ui.add(value).labelled_by(label.id).on_hover_text(about);
}

fn noise_ui(ui: &mut Ui, settings: &mut TraceSettings, commands: &mut Vec<Command>) {
    const SUBJECTS: &str = "3 × σ of subjects";
    const FIXED: &str = "fixed σ";
    let about = "How strong the noise on the subject's embeddings is. ROME: 3 × the standard \
                 deviation σ over the embeddings of all the dataset's subjects; without a dataset, \
                 of this subject alone. Or noise that somebody else has drawn, from a file";
    keep_together(ui, "Noise", NOISE_WIDTH);
    let label = ui.label("Noise");
    let text = |noise: &NoiseSetting| match noise {
        NoiseSetting::Subjects => SUBJECTS.into(),
        NoiseSetting::Fixed => FIXED.into(),
        NoiseSetting::File(file) => file.name().into(),
    };
    let about = match &settings.noise {
        NoiseSetting::File(file) => {
            format!("{}. SHA-256 {}. Added as it is", file.path.display(), file.sha256)
        }
        NoiseSetting::Subjects | NoiseSetting::Fixed => about.to_owned(),
    };
    let choices = [NoiseSetting::Subjects, NoiseSetting::Fixed];
    let is_file = matches!(settings.noise, NoiseSetting::File(_));
    let choice = Choice::new("noise", NOISE_WIDTH);
    let describe = |noise: &NoiseSetting| (text(noise), "");
    let combo = choice.show_with(ui, &mut settings.noise, &choices, describe, |ui| {
        command_choice_ui(ui, is_file, Command::OpenNoise, commands);
    });
    combo.labelled_by(label.id).on_hover_text(about);
    if settings.noise == NoiseSetting::Fixed {
        let value = number_field(&mut settings.noise_std)
            .range(0.0..=100.0)
            .speed(0.001)
            .max_decimals(4)
            .prefix("σ ");
        let about = "Standard deviation of the noise, in units of embedding values";
        ui.add(value).labelled_by(label.id).on_hover_text(about);
    }
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
    keep_together(ui, "Generator", RNG_WIDTH);
    let label = ui.label("Generator");
    let choices = [NoiseRng::Numpy, NoiseRng::Chacha];
    let choice = Choice::new("generator", RNG_WIDTH);
    let describe = |rng: &NoiseRng| (text(*rng).into(), about_rng(*rng));
    let combo = choice.show(ui, &mut settings.rng, &choices, describe);
    combo.labelled_by(label.id).on_hover_text(about);
}
