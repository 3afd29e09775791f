//! Asking for a path: with the system's own dialog, or where there is none by typing it.
//!
//! Without a portal and without zenity, `rfd` answers within some 50 ms that nothing was picked,
//! just as if the user had cancelled. Nobody cancels that fast, so a fast answer means that there
//! is no dialog.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use eframe::egui::{self, Align, Id, Key, Layout, Modal, Modifiers, RichText, TextEdit};

use super::command::Command;
use super::completions::Completions;
use crate::builtin;
use crate::facts::Dataset;
use crate::figure::FileFormat;
use crate::figure::words::capitalized;
use crate::hub;
use crate::noise_file;
use crate::session::EXTENSION;
use crate::worker::{WEIGHT_ENDINGS, Which, is_weight_file};

/// No person cancels a dialog faster.
const TOO_FAST: Duration = Duration::from_millis(300);

/// The most completions that are listed.
const N_COMPLETIONS: usize = 6;

/// The purpose that a path is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    Model(Which),
    ModelFile(Which),
    Dataset,
    Noise,
    Session,
    SavedSession,
    Screenshot,
    Figure,
    Spec,
    OpenedSpec,
}

/// A function that waits for the answer. It is called on a thread of its own.
pub type Answer = Box<dyn FnOnce() -> Option<PathBuf> + Send>;

/// What files are called, and how their names end.
pub type Endings = (&'static str, &'static [&'static str]);

/// Shows the system's dialogs. They are started on the window's thread, for macOS wants that.
pub trait Picker: Send + Sync {
    fn pick_folder(&self, title: &str, dir: Option<&Path>) -> Answer;
    /// `endings`: what such files are called, and how their names end.
    fn pick_file(&self, title: &str, dir: Option<&Path>, endings: Endings) -> Answer;
    fn save_file(&self, title: &str, dir: Option<&Path>, name: &str) -> Answer;
}

/// The picker that shows the system's own dialogs.
#[derive(Clone, Copy, Debug, Default)]
pub struct RfdPicker;

impl Picker for RfdPicker {
    fn pick_folder(&self, title: &str, dir: Option<&Path>) -> Answer {
        let dialog = dialog(title, dir).pick_folder();
        Box::new(move || Some(pollster::block_on(dialog)?.path().to_owned()))
    }

    fn pick_file(&self, title: &str, dir: Option<&Path>, (name, endings): Endings) -> Answer {
        let dialog = dialog(title, dir).add_filter(name, endings).pick_file();
        Box::new(move || Some(pollster::block_on(dialog)?.path().to_owned()))
    }

    fn save_file(&self, title: &str, dir: Option<&Path>, name: &str) -> Answer {
        let kind = Path::new(name).extension().and_then(|it| it.to_str()).unwrap_or_default();
        let dialog = dialog(title, dir).set_file_name(name);
        let dialog = match kind {
            "png" => dialog.add_filter("PNG", &["png"]),
            "json" => dialog.add_filter("JSON", &["json"]),
            EXTENSION => dialog.add_filter("Sessions", &[EXTENSION]),
            _ => dialog.add_filter("Figures and tables", FileFormat::ENDINGS),
        };
        let dialog = dialog.save_file();
        Box::new(move || Some(pollster::block_on(dialog)?.path().to_owned()))
    }
}

fn dialog(title: &str, dir: Option<&Path>) -> rfd::AsyncFileDialog {
    let dialog = rfd::AsyncFileDialog::new().set_title(title);
    match dir.filter(|dir| dir.is_dir()) {
        Some(dir) => dialog.set_directory(dir),
        None => dialog,
    }
}

impl Purpose {
    pub fn title(self) -> &'static str {
        match self {
            Self::Model(Which::Main) => "Open model folder",
            Self::Model(Which::Beside) => "Open model folder beside",
            Self::ModelFile(Which::Main) => "Open model file",
            Self::ModelFile(Which::Beside) => "Open model file beside",
            Self::Dataset => "Open dataset",
            Self::Noise => "Noise from a file",
            Self::Session => "Open session",
            Self::SavedSession => "Save session as",
            Self::Screenshot => "Save screenshot",
            Self::Figure => "Export figure",
            Self::Spec => "Save what was asked",
            Self::OpenedSpec => "Open experiment",
        }
    }

    /// The name of a file that is to be written, unless its own dialog says another.
    fn file_name(self) -> Option<&'static str> {
        match self {
            Self::Model(_)
            | Self::ModelFile(_)
            | Self::Dataset
            | Self::Noise
            | Self::Session
            | Self::OpenedSpec => None,
            Self::SavedSession => Some("session.factscope"),
            Self::Screenshot => Some("factscope.png"),
            Self::Figure => Some("figure.svg"),
            Self::Spec => Some("experiment.json"),
        }
    }

    fn command(self, path: PathBuf) -> Command {
        match self {
            Self::Model(Which::Main) | Self::ModelFile(Which::Main) => Command::OpenModelAt(path),
            Self::Model(Which::Beside) | Self::ModelFile(Which::Beside) => {
                Command::OpenModelBesideAt(path)
            }
            Self::Dataset => Command::OpenDatasetAt(path),
            Self::Noise => Command::UseNoise(path),
            Self::Session => Command::OpenSessionAt(path),
            Self::SavedSession => Command::SaveSessionTo(path),
            Self::Screenshot => Command::SaveScreenshotTo(path),
            Self::Figure => Command::SaveFigureTo(path),
            Self::Spec => Command::SaveSpecTo(path),
            Self::OpenedSpec => Command::OpenSpecAt(path),
        }
    }

    /// A path as a command, if it can be used; dialogs return all kinds of things.
    pub fn accept(self, path: PathBuf) -> Result<Command, String> {
        let path = match self {
            Self::Model(_) | Self::ModelFile(_) => hub::find_unless_folder(&path).unwrap_or(path),
            _ => path,
        };
        let place = path.display();
        match self {
            Self::Model(_) | Self::ModelFile(_) => model_at(&path)?,
            Self::Dataset if path.is_dir() => {
                return Err(format!("This is a folder; a dataset is a file: {place}"));
            }
            Self::Noise if path.is_dir() => {
                return Err(format!("This is a folder; noise is a file: {place}"));
            }
            Self::OpenedSpec if path.is_dir() => {
                return Err(format!("This is a folder; an experiment is a file: {place}"));
            }
            Self::Session if path.is_dir() => {
                return Err(format!("This is a folder; a session is a file: {place}"));
            }
            Self::Dataset | Self::Noise | Self::Session | Self::OpenedSpec if !path.is_file() => {
                return Err(format!("There is no such file: {place}"));
            }
            Self::SavedSession | Self::Screenshot | Self::Figure | Self::Spec if path.is_dir() => {
                return Err(format!("This is a folder; add a file name: {place}"));
            }
            Self::SavedSession | Self::Screenshot | Self::Figure | Self::Spec => {
                let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
                if let Some(dir) = dir.filter(|dir| !dir.is_dir()) {
                    return Err(format!("There is no such folder: {}", dir.display()));
                }
            }
            Self::Dataset | Self::Noise | Self::Session | Self::OpenedSpec => {}
        }
        let has_extension = path.extension().is_some();
        let path = match self {
            Self::SavedSession if !has_extension => path.with_extension(EXTENSION),
            Self::Screenshot if !has_extension => path.with_extension("png"),
            Self::Figure if !has_extension => path.with_extension("svg"),
            Self::Figure => {
                FileFormat::of(&path).map_err(|error| capitalized(&error))?;
                path
            }
            Self::Spec if !has_extension => path.with_extension("json"),
            _ => path,
        };
        Ok(self.command(path))
    }
}

/// Checks that a path may be a model's.
fn model_at(path: &Path) -> Result<(), String> {
    let place = path.display();
    if builtin::find(path).is_some() || is_weight_file(path) {
        return Ok(());
    }
    if path.is_file() {
        let endings = WEIGHT_ENDINGS.join(", ");
        return Err(format!(
            "This is no model, which is a folder or a file whose name ends in {endings}: {place}"
        ));
    }
    if !path.is_dir() {
        return Err(format!(
            "There is no such folder or file, nor a model of that name in Hugging Face's cache: {place}"
        ));
    }
    if !path.join("config.json").is_file() {
        return Err(format!(
            "This folder holds no config.json, so no model; a GGUF file is opened itself: {place}"
        ));
    }
    Ok(())
}

/// Shows a dialog. `name`: what a file that is to be written is called, if not as usual. `tell` is given
/// what was picked, and whether there was no dialog to pick from.
pub fn ask(
    picker: &Arc<dyn Picker>,
    (purpose, name): (Purpose, Option<&str>),
    dir: Option<&Path>,
    ctx: &egui::Context,
    tell: impl FnOnce(Option<PathBuf>, bool) + Send + 'static,
) -> std::io::Result<()> {
    let title = purpose.title();
    let start = Instant::now();
    let answer = match purpose {
        Purpose::Model(_) => picker.pick_folder(title, dir),
        Purpose::ModelFile(_) => picker.pick_file(title, dir, ("Models", &WEIGHT_ENDINGS)),
        Purpose::Dataset => picker.pick_file(title, dir, ("Datasets", Dataset::EXTENSIONS)),
        Purpose::Noise => picker.pick_file(title, dir, ("Arrays", noise_file::EXTENSIONS)),
        Purpose::OpenedSpec => picker.pick_file(title, dir, ("Experiments", &["json"])),
        Purpose::Session => picker.pick_file(title, dir, ("Sessions", &[EXTENSION])),
        Purpose::SavedSession | Purpose::Screenshot | Purpose::Figure | Purpose::Spec => {
            picker.save_file(title, dir, name.or_else(|| purpose.file_name()).unwrap_or_default())
        }
    };
    let ctx = ctx.clone();
    thread::Builder::new().name("file dialog".to_owned()).spawn(move || {
        let path = answer();
        let is_missing = path.is_none() && start.elapsed() < TOO_FAST;
        tell(path, is_missing);
        ctx.request_repaint();
    })?;
    Ok(())
}

/// A small window with a field for a path.
#[derive(Debug)]
pub struct PathPrompt {
    purpose: Purpose,
    text: String,
    error: Option<String>,
    why: Why,
    is_new: bool,

    /// The ways in which the typed path may go on.
    completions: Completions,
}

/// Why a path is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    Wanted,

    /// The system shows no dialogs.
    NoDialog,
}

impl PathPrompt {
    pub fn new(purpose: Purpose, dir: Option<&Path>, why: Why) -> Self {
        let mut text = dir.map(|dir| dir.join("").display().to_string()).unwrap_or_default();
        text += purpose.file_name().unwrap_or_default();
        let completions = Completions::default();
        Self { purpose, text, error: None, why, is_new: true, completions }
    }
}

/// Draws the prompt while there is one, and takes it away when it is answered.
pub fn path_prompt_ui(
    ctx: &egui::Context,
    prompt: &mut Option<PathPrompt>,
    commands: &mut Vec<Command>,
) {
    let Some(open) = prompt else { return };
    let mut is_accepted = false;
    let mut is_closed = false;
    let modal = Modal::new(Id::unique("path prompt")).show(ctx, |ui| {
        ui.set_width(ui.ctx().content_rect().width().min(640.0) - 80.0);
        ui.heading(open.purpose.title());
        ui.add_space(4.0);
        if open.why == Why::NoDialog {
            ui.label(
                "This system shows no file dialog (it has neither a desktop portal nor zenity). \
                 You can type the path instead",
            );
        }
        let (label, hint) = match open.purpose {
            Purpose::Model(_) => (
                "Model folder or file",
                "/path/to/gpt2-large, or gpt2-large if Python has downloaded it",
            ),
            Purpose::ModelFile(_) => ("Model file", "/path/to/gpt2.gguf"),
            Purpose::Dataset => ("Dataset file", "/path/to/counterfact.json"),
            Purpose::Noise => ("npy or npz file", "/path/to/noise.npy"),
            Purpose::Session | Purpose::SavedSession => {
                ("Session file", "/path/to/session.factscope")
            }
            Purpose::Screenshot => ("PNG file", "/path/to/factscope.png"),
            Purpose::Figure => {
                ("SVG, PDF, PNG, CSV, JSON, npz or Parquet file", "/path/to/figure.svg")
            }
            Purpose::Spec | Purpose::OpenedSpec => ("JSON file", "/path/to/experiment.json"),
        };
        let label = ui.label(label);
        open.completions.look(&open.text, open.purpose);
        // Where it can complete nothing, Tab goes on to the buttons.
        let completed = open.completions.completed(&open.text);
        if let Some(completed) = &completed
            && ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Tab))
        {
            open.text.clone_from(completed);
            open.is_new = true;
        }
        let edit = TextEdit::singleline(&mut open.text)
            .hint_text(hint)
            .lock_focus(completed.is_some())
            .background_color(super::theme::field_color(ui))
            .desired_width(f32::INFINITY)
            .cursor_at_end(true);
        let field = ui.add(edit).labelled_by(label.id);
        if open.is_new {
            field.request_focus();
            open.is_new = false;
        }
        if field.changed() {
            open.error = None;
        }
        is_accepted = field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
        for path in open.completions.found.iter().take(N_COMPLETIONS) {
            if ui.selectable_label(false, path).on_hover_text("Or press Tab").clicked() {
                open.text.clone_from(path);
                open.is_new = true;
            }
        }
        if open.completions.found.len() > N_COMPLETIONS {
            ui.weak(format!("and {} more", open.completions.found.len() - N_COMPLETIONS));
        }
        if let Some(error) = &open.error {
            ui.label(RichText::new(error).color(ui.visuals().error_fg_color));
        }
        ui.add_space(8.0);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let text = match open.purpose {
                Purpose::SavedSession | Purpose::Screenshot | Purpose::Figure | Purpose::Spec => {
                    "Save"
                }
                Purpose::Model(_)
                | Purpose::ModelFile(_)
                | Purpose::Dataset
                | Purpose::Noise
                | Purpose::Session
                | Purpose::OpenedSpec => "Open",
            };
            is_accepted |= ui.button(text).clicked();
            is_closed = ui.button("Cancel").clicked();
        });
    });
    if is_accepted {
        match open.purpose.accept(typed_path(&open.text)) {
            Ok(command) => {
                commands.push(command);
                is_closed = true;
            }
            Err(error) => {
                open.error = Some(error);
                open.is_new = true;
            }
        }
    } else if modal.should_close() {
        is_closed = true;
    }
    if is_closed {
        *prompt = None;
    }
}

/// A path as a shell would read it: `~` is the user's own folder.
pub(super) fn typed_path(text: &str) -> PathBuf {
    let text = text.trim();
    match (text.strip_prefix("~/"), dirs::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_dialog_returns_is_checked() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("facts.json");
        std::fs::write(&file, "[]").unwrap();
        let refused = |purpose: Purpose, path: &Path, says: &str| {
            let error = purpose.accept(path.to_owned()).unwrap_err();
            assert!(error.contains(says), "{error}");
        };
        refused(Purpose::Model(Which::Main), dir.path(), "config.json");
        refused(Purpose::Model(Which::Main), &file, "is no model");
        let model = dir.path().join("small.gguf");
        std::fs::write(&model, "GGUF").unwrap();
        for purpose in [Purpose::Model(Which::Main), Purpose::ModelFile(Which::Main)] {
            assert_eq!(purpose.accept(model.clone()), Ok(Command::OpenModelAt(model.clone())));
        }
        refused(Purpose::Model(Which::Main), &dir.path().join("gone"), "no such folder");
        refused(Purpose::Dataset, dir.path(), "is a folder");
        refused(Purpose::Dataset, &dir.path().join("gone"), "no such file");
        refused(Purpose::Screenshot, &dir.path().join("gone/a.png"), "no such folder");
        assert_eq!(Purpose::Dataset.accept(file.clone()), Ok(Command::OpenDatasetAt(file.clone())));
        assert_eq!(
            Purpose::Screenshot.accept(dir.path().join("a")),
            Ok(Command::SaveScreenshotTo(dir.path().join("a.png")))
        );
    }
}
