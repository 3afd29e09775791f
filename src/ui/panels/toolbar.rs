//! The bar below the menus: BOS, model, device and dataset.

use eframe::egui::{Align, Color32, FontId, Layout, Response, RichText, TextStyle, Ui, vec2};

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

/// The part of the window's width that the name of a model may take, and the width in points that a name has
/// at least, and that is kept for the dataset's.
const NAME_SHARE: f32 = 0.2;
const LEAST_NAME: f32 = 60.0;
const DATASET: f32 = 90.0;

/// The height in points of a window in which a hint would take the room of a map.
const LOW: f32 = 480.0;

/// What the numbers depend on: BOS, model, device, dataset.
pub fn toolbar_ui(ui: &mut Ui, state: &State, commands: &mut Vec<Command>) {
    ui.horizontal(|ui| {
        // Controls come first: what follows them changes in length.
        bos_ui(ui, state.settings.bos, commands);
        ui.separator();
        let shown = Shown::of(ui, state);
        match &state.model {
            ModelState::None => {
                ui.weak("No model");
            }
            ModelState::Loading { dir, .. } => {
                ui.weak(format!("Opening {}…", file_name(dir)));
            }
            ModelState::Open(info) => model_ui(ui, info, shown),
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
                name_ui(ui, info, shown);
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

/// What there is room for beside the names, a change of the model with the way back, and the dataset.
#[derive(Clone, Copy, Debug)]
struct Shown {
    device: bool,
    shape: bool,
    badge: bool,

    /// The points that a model's name may take.
    name: f32,
}

impl Shown {
    /// `ui`: the rest of the line.
    fn of(ui: &Ui, state: &State) -> Self {
        let gap = ui.spacing().item_spacing.x;
        let [body, small] = [TextStyle::Body, TextStyle::Small].map(|it| it.resolve(ui.style()));
        let width = |text: &str, font: &FontId| width_of(ui, text, font) + gap;
        let most = NAME_SHARE * ui.ctx().content_rect().width();
        let models = [&state.model, &state.model_beside.model];
        let infos = models.into_iter().filter_map(|it| match it {
            ModelState::Open(info) => Some(info),
            ModelState::None | ModelState::Loading { .. } => None,
        });
        let infos: Vec<_> = infos.collect();
        let names: f32 = infos.iter().map(|it| width(&it.name, &body).min(most + gap)).sum();
        let shapes: f32 = infos.iter().map(|it| width(&shape(it), &body)).sum();
        let device = infos.first().map_or(0.0, |it| width(&device_text(it), &body));
        let badge = infos.first().map_or(0.0, |it| width(&badge_of(it), &small));
        let beside = if infos.len() > 1 { width("beside", &body) + SEPARATOR + gap } else { 0.0 };
        let changed = if state.edits.is_empty() {
            0.0
        } else {
            let back = width(BACK, &body) + 2.0 * ui.spacing().button_padding.x;
            changed_width(ui) + gap + back
        };
        let counts = counts_of(state).map(|it| width(&it, &body)).sum::<f32>();
        let dataset = DATASET + gap + counts;
        let rest = ui.available_width() - 2.0 * (SEPARATOR + gap) - beside - changed - dataset;
        let has_room = |parts: f32| names + parts <= rest;
        let badged = if has_room(badge) { badge } else { 0.0 };
        let n_names = infos.len().max(1) as f32;
        Self {
            device: has_room(badge + shapes + device),
            shape: has_room(badge + shapes),
            badge: has_room(badge),
            name: most.min((rest - badged) / n_names - gap).max(LEAST_NAME),
        }
    }
}

/// The points that a separator takes, without the gap after it.
const SEPARATOR: f32 = 6.0;

fn width_of(ui: &Ui, text: &str, font: &FontId) -> f32 {
    ui.painter().layout_no_wrap(text.to_owned(), font.clone(), Color32::PLACEHOLDER).size().x
}

fn device_text(info: &ModelInfo) -> String {
    shortened(&info.device, 44)
}

fn badge_of(info: &ModelInfo) -> String {
    format!("✔ {}", if info.verdict.is_none() { "reference device" } else { "verified" })
}

fn model_ui(ui: &mut Ui, info: &ModelInfo, shown: Shown) {
    name_ui(ui, info, shown);
    if shown.device || shown.badge {
        ui.separator();
    }
    if shown.device {
        ui.label(device_text(info)).on_hover_text(&info.device);
    }
    if !shown.badge {
        return;
    }
    match &info.verdict {
        None => badge_ui(
            ui,
            &badge_of(info),
            "The CPU computes the numbers that graphics adapters are compared with. This says nothing \
             of the model, which may have been changed",
        ),
        Some(verdict) => badge_ui(ui, &badge_of(info), &checks(verdict)),
    }
}

/// A model's name, and its shape where there is room for it.
fn name_ui(ui: &mut Ui, info: &ModelInfo, shown: Shown) {
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
    short_ui(ui, &info.name, shown.name).on_hover_text(&about);
    if shown.shape {
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

const CHANGING: &str = "changing model";
const CHANGED: &str = "changed model";
const BACK: &str = "Back";

/// The points for the words about a change, which has as much room while it is made as when it is there, so
/// that the way back stays where it is.
fn changed_width(ui: &Ui) -> f32 {
    let font = TextStyle::Body.resolve(ui.style());
    let widths = [CHANGING, CHANGED].map(|it| width_of(ui, it, &font));
    widths.into_iter().fold(0.0, f32::max)
}

/// Says that the open model is changed, or is being changed, and offers the way back.
fn edits_ui(ui: &mut Ui, state: &State, commands: &mut Vec<Command>) {
    if state.edits.is_empty() {
        return;
    }
    let lines = state.edits.iter().map(about_edit);
    let text = if state.is_changing() { CHANGING } else { CHANGED };
    let text = RichText::new(text).strong().color(theme::palette(ui).warning);
    let size = vec2(changed_width(ui), ui.spacing().interact_size.y);
    ui.allocate_ui_with_layout(size, Layout::left_to_right(Align::Center), |ui| {
        ui.set_width(size.x);
        ui.label(text).on_hover_text(lines.collect::<Vec<_>>().join("\n"));
    });
    let command = Command::DropEdits;
    gives(ui.small_button(BACK), command, commands);
}

fn badge_ui(ui: &mut Ui, text: &str, about: &str) {
    let text = RichText::new(text).small().color(theme::palette(ui).good);
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
    let counts: Vec<String> = counts_of(state).collect();
    // Of the room the counts take what they need.
    let font = TextStyle::Body.resolve(ui.style());
    let gap = ui.spacing().item_spacing.x;
    let taken: f32 = counts.iter().map(|it| width_of(ui, it, &font) + gap).sum();
    let most = ui.available_width() - taken;
    let place = dataset.path.display().to_string();
    short_ui(ui, &file_name(&dataset.path), most).on_hover_text(place);
    let reading = dataset.reading();
    for (nth, count) in counts.into_iter().enumerate() {
        let text = RichText::new(count);
        let text = if nth == 0 { text } else { text.color(theme::palette(ui).warning) };
        ui.label(text).on_hover_text(&reading);
    }
}

/// How many facts the dataset has, and how many were left out, if any were.
fn counts_of(state: &State) -> impl Iterator<Item = String> {
    let dataset = state.facts.dataset.as_ref().filter(|_| state.reading.is_none());
    dataset.into_iter().flat_map(|it| {
        let count = counted(it.records.len(), "fact");
        let n = it.n_skipped();
        [count].into_iter().chain((n > 0).then(|| format!("{} left out", grouped(n))))
    })
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
