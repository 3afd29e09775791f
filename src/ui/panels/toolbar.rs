//! The bar below the menus: BOS, model, device and dataset.

use eframe::egui::{Align, Color32, Layout, Response, RichText, TextStyle, Ui};

use super::{file_name, grouped};
use crate::figure::about_edit;
use crate::figure::words::counted;
use crate::tokens::Bos;
use crate::ui::command::Command;
use crate::ui::state::{ModelState, State};
use crate::ui::theme;
use crate::ui::widgets::{Choice, elide_middle, gives};
use crate::worker::{ModelInfo, Verdict};

const ABOUT_BOS: &str = "Whether BOS, the token that begins a text, stands before the prompt. A model \
    whose tokenizer puts it there opens with it. Probabilities and traces differ between the two, so \
    compare only numbers made with the same choice. ROME's code runs the prompt as it is; \
    TransformerLens puts BOS first by default.";

/// The width in points of a window in which there is room for no more than names, and the part of the width
/// that the name of a model may take.
const NARROW: f32 = 800.0;
const NAME_SHARE: f32 = 0.2;

/// The height in points of a window in which a hint would take the room of a map.
const LOW: f32 = 480.0;

/// What the numbers depend on: BOS, model, device, dataset.
pub fn toolbar_ui(ui: &mut Ui, state: &State, commands: &mut Vec<Command>) {
    ui.horizontal(|ui| {
        let is_narrow = ui.available_width() < NARROW;
        // Controls come first: what follows them changes in length.
        bos_ui(ui, state.settings.bos, commands);
        ui.separator();
        match &state.model {
            ModelState::None => {
                ui.weak("No model");
            }
            ModelState::Loading { dir, .. } => {
                ui.weak(format!("Opening {}…", file_name(dir)));
            }
            ModelState::Open(info) => model_ui(ui, info, is_narrow),
        }
        edits_ui(ui, state, commands);
        match &state.model_beside.model {
            ModelState::None => {}
            ModelState::Loading { dir, .. } => {
                ui.separator();
                ui.weak(format!("Opening {} beside…", file_name(dir)));
            }
            ModelState::Open(info) => {
                ui.separator();
                ui.label("beside");
                name_ui(ui, info, is_narrow);
            }
        }
        ui.separator();
        // The dataset has the rest of the line, so that a long name is cut and the line is not.
        ui.with_layout(Layout::left_to_right(Align::Center).with_main_wrap(false), |ui| {
            dataset_ui(ui, state);
        });
    });
    let is_low = ui.ctx().content_rect().height() < LOW;
    if !state.preferences.knows_hint && !is_low && matches!(state.model, ModelState::Open(_)) {
        hint_ui(ui, commands);
    }
}

/// The hint shown until it is dismissed.
fn hint_ui(ui: &mut Ui, commands: &mut Vec<Command>) {
    ui.separator();
    ui.horizontal_wrapped(|ui| {
        ui.label(
            "Click a fact on the left, then Trace: it and its inverse are mapped one above the \
             other. Click a cell of a map to look there on the right. File opens your own model \
             and facts.",
        );
        if ui.button(Command::DismissHint.text()).clicked() {
            commands.push(Command::DismissHint);
        }
    });
}

fn model_ui(ui: &mut Ui, info: &ModelInfo, is_narrow: bool) {
    name_ui(ui, info, is_narrow);
    ui.separator();
    if !is_narrow {
        let device = shortened(&info.device, 44);
        ui.label(device).on_hover_text(&info.device);
    }
    match &info.verdict {
        None => badge_ui(
            ui,
            "reference device",
            "The CPU computes the numbers that graphics adapters are compared with. This says nothing \
             of the model, which may have been changed",
        ),
        Some(verdict) => badge_ui(ui, "verified", &checks(verdict)),
    }
}

/// A model's name, and its shape where there is room for it.
fn name_ui(ui: &mut Ui, info: &ModelInfo, is_narrow: bool) {
    let config = &info.config;
    let memory = if info.device.starts_with("cpu") {
        "computed with where they lie".to_owned()
    } else {
        format!("{} in the adapter's memory", size(4 * config.n_params()))
    };
    let about = format!(
        "{}\n{}, {}, d_model {}, {} tokens, context {}\n{:.0} M parameters, {} on \
         disk ({}), {memory}\nopened in {:.1} s",
        info.dir.display(),
        info.device,
        shape(info),
        config.d_model,
        grouped(config.d_vocab),
        grouped(config.n_ctx),
        config.n_params() as f64 / 1e6,
        size(info.n_bytes),
        info.dtypes.join(", "),
        info.load_secs,
    );
    let most = NAME_SHARE * ui.ctx().content_rect().width();
    short_ui(ui, &info.name, most).on_hover_text(&about);
    if !is_narrow {
        ui.label(shape(info)).on_hover_text(about);
    }
}

/// A name without its middle where it is wider than `most` points.
fn short_ui(ui: &mut Ui, name: &str, most: f32) -> Response {
    let font = TextStyle::Body.resolve(ui.style());
    let shown = elide_middle(ui.painter(), name, &font, most);
    ui.label(RichText::new(shown).strong())
}

/// `30 layers × 9 heads (3 key heads)`
fn shape(info: &ModelInfo) -> String {
    let (n_heads, n_key_heads) = (info.config.n_heads, info.config.n_kv_heads());
    let (layers, heads) = (counted(info.config.n_layers, "layer"), counted(n_heads, "head"));
    let shape = format!("{layers} × {heads}");
    if n_key_heads == n_heads {
        return shape;
    }
    format!("{shape} ({})", counted(n_key_heads, "key head"))
}

/// Says that the open model is changed, and offers the way back.
fn edits_ui(ui: &mut Ui, state: &State, commands: &mut Vec<Command>) {
    if state.edits.is_empty() {
        return;
    }
    let lines = state.edits.iter().map(about_edit);
    let text = RichText::new("changed model").strong().color(theme::palette(ui).warning);
    ui.label(text).on_hover_text(lines.collect::<Vec<_>>().join("\n"));
    let command = Command::DropEdits;
    gives(ui.small_button("Back"), command, commands);
}

fn badge_ui(ui: &mut Ui, text: &str, about: &str) {
    let text = RichText::new(format!("✔ {text}")).small().color(theme::palette(ui).good);
    ui.label(text).on_hover_text(about);
}

fn checks(verdict: &Verdict) -> String {
    let title = "This device was compared with the CPU before it was used; largest relative \
                 difference of each check\n";
    let lines = verdict.checks.iter().map(|check| {
        let error = check.error.map_or_else(|| "failed".to_owned(), |error| format!("{error:.1e}"));
        format!("{error}  {} (allowed {:.0e})", check.name, check.tolerance)
    });
    [title.to_owned()].into_iter().chain(lines).collect::<Vec<_>>().join("\n")
}

fn bos_ui(ui: &mut Ui, bos: Bos, commands: &mut Vec<Command>) {
    let label = ui.label("BOS").on_hover_text(ABOUT_BOS);
    let mut chosen = bos;
    let choice = Choice::new("bos", 170.0);
    let combo = choice.show(ui, &mut chosen, &[Bos::Off, Bos::On], |it| {
        let command = Command::SetBos(*it);
        (command.text().into(), command.tooltip())
    });
    combo.labelled_by(label.id).on_hover_text(ABOUT_BOS);
    if chosen != bos {
        commands.push(Command::SetBos(chosen));
    }
}

fn dataset_ui(ui: &mut Ui, state: &State) {
    if let Some(path) = &state.reading {
        ui.weak(format!("Reading {}…", file_name(path)));
        return;
    }
    let Some(dataset) = &state.facts.dataset else {
        ui.weak("No dataset");
        return;
    };
    let count = counted(dataset.records.len(), "fact");
    let n_skipped = dataset.n_skipped();
    let skipped = (n_skipped > 0).then(|| format!("{} left out", grouped(n_skipped)));
    // Of the room the counts take what they need.
    let font = TextStyle::Body.resolve(ui.style());
    let width = |text: &str| {
        let laid_out =
            ui.painter().layout_no_wrap(text.to_owned(), font.clone(), Color32::PLACEHOLDER);
        laid_out.size().x + ui.spacing().item_spacing.x
    };
    let counts = width(&count) + skipped.as_deref().map_or(0.0, width);
    let most = ui.available_width() - counts;
    let place = dataset.path.display().to_string();
    short_ui(ui, &file_name(&dataset.path), most).on_hover_text(place);
    let reading = dataset.reading();
    ui.label(count).on_hover_text(&reading);
    if let Some(text) = skipped {
        let text = RichText::new(text).color(theme::palette(ui).warning);
        ui.label(text).on_hover_text(reading);
    }
}

fn size(n_bytes: u64) -> String {
    let mib = n_bytes as f64 / f64::from(1 << 20);
    if mib < 1024.0 { format!("{mib:.1} MiB") } else { format!("{:.2} GiB", mib / 1024.0) }
}

fn shortened(text: &str, n_chars: usize) -> String {
    if text.chars().count() <= n_chars {
        return text.to_owned();
    }
    let start: String = text.chars().take(n_chars - 1).collect();
    format!("{}…", start.trim_end())
}
