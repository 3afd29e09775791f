//! What a path is wanted for, and whether one that was picked or typed is of use.

use std::path::{Path, PathBuf};

use super::command::Command;
use crate::builtin;
use crate::experiment::Written;
use crate::facts::Dataset;
use crate::figure::FileFormat;
use crate::figure::words::capitalized;
use crate::hub;
use crate::noise_file;
use crate::population::{Manifest, is_sweep};
use crate::session::EXTENSION;
use crate::worker::{WEIGHT_ENDINGS, Which, is_weight_file};

mod system;

pub use system::{Answer, Endings, Picker, RfdPicker, ask, end_dialogs};

/// The length of the longest experiment in bytes, far above what anybody types.
pub const MAX_SPEC_BYTES: u64 = 4 << 20;

/// The purpose that a path is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Anything that can be opened, as what it looks like.
    Anything,
    Model(Which),
    ModelFile(Which),
    Dataset,
    Noise,
    Session,

    /// The folder of a sweep.
    Sweep,

    /// The folder that a sweep is to write to.
    SweepDir,
    SavedSession,
    Report,
    Screenshot,
    Figure,
    Spec,
    OpenedSpec,
}

/// What a dialog says, and what it is to return.
#[derive(Clone, Copy, Debug)]
pub struct About {
    pub title: &'static str,

    /// The name of the field for a typed path, and an example in it.
    pub label: &'static str,
    pub example: &'static str,
    pub wants: Wants,
}

/// What a path must be to be of use.
#[derive(Clone, Copy, Debug)]
pub enum Wants {
    Anything,
    Folder,

    /// A file that is there: what it is called in a sentence.
    File(&'static str, Endings),

    /// A file that is to be written: its name, unless its own dialog says another.
    NewFile(&'static str),
}

impl Purpose {
    pub fn about(self) -> About {
        let (title, label, example, wants) = match self {
            Self::Anything => (
                "Type a path",
                "Model, dataset, noise, experiment, sweep or session",
                "/path/to/file, or gpt2-large if Python has downloaded it",
                Wants::Anything,
            ),
            Self::Model(which) => (
                match which {
                    Which::Main => "Open model folder",
                    Which::Beside => "Open model folder beside",
                },
                "Model folder or file",
                "/path/to/gpt2-large, or gpt2-large if Python has downloaded it",
                Wants::Folder,
            ),
            Self::ModelFile(which) => (
                match which {
                    Which::Main => "Open model file",
                    Which::Beside => "Open model file beside",
                },
                "Model file",
                "/path/to/gpt2.gguf",
                Wants::File("a model", ("Models", &WEIGHT_ENDINGS)),
            ),
            Self::Dataset => (
                "Open dataset",
                "Dataset file",
                "/path/to/counterfact.json",
                Wants::File("a dataset", ("Datasets", Dataset::EXTENSIONS)),
            ),
            Self::Noise => (
                "Noise from a file",
                "npy or npz file",
                "/path/to/noise.npy",
                Wants::File("noise", ("Arrays", noise_file::EXTENSIONS)),
            ),
            Self::OpenedSpec => (
                "Open experiment",
                "JSON file",
                "/path/to/experiment.json",
                Wants::File("an experiment", ("Experiments", &["json"])),
            ),
            Self::Sweep => ("Open sweep", "Folder of a sweep", "/path/to/sweep", Wants::Folder),
            Self::SweepDir => (
                "Folder for the numbers",
                "Folder, new or of the same sweep",
                "/path/to/sweep",
                Wants::Folder,
            ),
            Self::Session => (
                "Open session",
                "Session file",
                "/path/to/session.factscope",
                Wants::File("a session", ("Sessions", &[EXTENSION])),
            ),
            Self::SavedSession => (
                "Save session as",
                "Session file",
                "/path/to/session.factscope",
                Wants::NewFile("session.factscope"),
            ),
            Self::Report => {
                ("Save report", "HTML file", "/path/to/report.html", Wants::NewFile("report.html"))
            }
            Self::Screenshot => (
                "Save screenshot",
                "PNG file",
                "/path/to/factscope.png",
                Wants::NewFile("factscope.png"),
            ),
            Self::Figure => (
                "Export figure",
                "SVG, PDF, PNG, CSV, JSON, npz or Parquet file",
                "/path/to/figure.svg",
                Wants::NewFile("figure.svg"),
            ),
            Self::Spec => (
                "Save what was asked",
                "JSON file",
                "/path/to/experiment.json",
                Wants::NewFile("experiment.json"),
            ),
        };
        About { title, label, example, wants }
    }

    /// The name of a file that is to be written, unless its own dialog says another.
    pub fn file_name(self) -> Option<&'static str> {
        match self.about().wants {
            Wants::NewFile(name) => Some(name),
            Wants::Anything | Wants::Folder | Wants::File(..) => None,
        }
    }

    /// Tells whether a file that is there is of use.
    pub fn wants(self) -> fn(&Path) -> bool {
        match self {
            Self::Model(_) | Self::ModelFile(_) => is_weight_file,
            // Of what is to be written only the folder is there.
            _ if self.file_name().is_some() => |_| false,
            _ => |_| true,
        }
    }

    /// What a path is opened as, by what it looks like.
    pub fn of(path: &Path) -> Result<Self, String> {
        let ends_with = |endings: &[&str]| {
            let ending = path.extension();
            ending.is_some_and(|it| endings.iter().any(|known| it.eq_ignore_ascii_case(known)))
        };
        if is_sweep(sweep_dir(path)) {
            Ok(Self::Sweep)
        } else if path.is_dir()
            || is_weight_file(path)
            || path.file_name().is_some_and(|it| it == CONFIG)
            || hub::find_unless_folder(path).is_some()
        {
            Ok(Self::Model(Which::Main))
        } else if ends_with(&[EXTENSION]) {
            Ok(Self::Session)
        } else if ends_with(noise_file::EXTENSIONS) {
            Ok(Self::Noise)
        } else if ends_with(&["json"]) && is_spec(path) {
            Ok(Self::OpenedSpec)
        } else if ends_with(Dataset::EXTENSIONS) {
            Ok(Self::Dataset)
        } else if !path.exists() {
            Err(format!("There is no such file or folder: {}", path.display()))
        } else {
            Err(format!(
                "This is neither a model folder (with a config.json) or file ({}), a dataset ({}), \
                 noise ({}), an experiment (json), a sweep's folder nor a session ({EXTENSION}): {}",
                WEIGHT_ENDINGS.join(", "),
                Dataset::EXTENSIONS.join(", "),
                noise_file::EXTENSIONS.join(", "),
                path.display()
            ))
        }
    }

    pub fn command(self, path: PathBuf) -> Command {
        match self {
            Self::Anything => Command::OpenAt(path),
            Self::Model(Which::Main) | Self::ModelFile(Which::Main) => Command::OpenModelAt(path),
            Self::Model(Which::Beside) | Self::ModelFile(Which::Beside) => {
                Command::OpenModelBesideAt(path)
            }
            Self::Dataset => Command::OpenDatasetAt(path),
            Self::Noise => Command::UseNoise(path),
            Self::Sweep => Command::OpenSweepAt(path),
            Self::SweepDir => Command::SetSweepDir(path),
            Self::Session => Command::OpenSessionAt(path),
            Self::SavedSession => Command::SaveSessionTo(path),
            Self::Report => Command::SaveReportTo(path),
            Self::Screenshot => Command::SaveScreenshotTo(path),
            Self::Figure => Command::SaveFigureTo(path),
            Self::Spec => Command::SaveSpecTo(path),
            Self::OpenedSpec => Command::OpenSpecAt(path),
        }
    }

    /// A path as a command, if it can be used; dialogs return all kinds of things.
    pub fn accept(self, path: PathBuf) -> Result<Command, String> {
        let (purpose, path) = self.resolve(path)?;
        Ok(purpose.command(path))
    }

    /// What a path is wanted for in the end, and the path as it is used.
    pub fn resolve(self, path: PathBuf) -> Result<(Self, PathBuf), String> {
        let path = match self.about().wants {
            Wants::Anything => return Self::of(&path)?.resolve(path),
            Wants::Folder if self == Self::SweepDir => path,
            Wants::Folder if self == Self::Sweep => sweep_at(&path)?,
            Wants::Folder => model_at(path)?,
            Wants::File(..) if matches!(self, Self::ModelFile(_)) => model_at(path)?,
            Wants::File(noun, _) if path.is_dir() => {
                return Err(format!("This is a folder; {noun} is a file: {}", path.display()));
            }
            Wants::File(..) if !path.is_file() => {
                return Err(format!("There is no such file: {}", path.display()));
            }
            Wants::File(..) => path,
            Wants::NewFile(name) => new_file(&path, name)?,
        };
        if self == Self::Figure {
            FileFormat::of(&path).map_err(|error| capitalized(&error))?;
        }
        Ok((self, path))
    }
}

/// The file that makes a folder a model's.
const CONFIG: &str = "config.json";

/// A path that may be a model's.
fn model_at(path: PathBuf) -> Result<PathBuf, String> {
    let path = hub::find_unless_folder(&path).unwrap_or(path);
    if builtin::find(&path).is_some() || is_weight_file(&path) {
        return Ok(path);
    }
    let path = match path.parent() {
        Some(dir) if path.ends_with(CONFIG) && path.is_file() => dir.to_owned(),
        _ => path,
    };
    let place = path.display();
    if path.is_file() {
        let endings = WEIGHT_ENDINGS.join(", ");
        Err(format!(
            "This is no model, which is a folder or a file whose name ends in {endings}: {place}"
        ))
    } else if !path.is_dir() {
        Err(format!(
            "There is no such folder or file, nor a model of that name in Hugging Face's cache (“File › \
             Get a model…” downloads one): {place}"
        ))
    } else if !path.join(CONFIG).is_file() {
        Err(format!(
            "This folder holds no {CONFIG}, so no model; a GGUF file is opened itself: {place}"
        ))
    } else {
        Ok(path)
    }
}

/// The folder of a sweep that is named by itself or by the file that makes it one.
fn sweep_dir(path: &Path) -> &Path {
    let is_manifest = path.file_name().is_some_and(|it| it == Manifest::FILE);
    path.parent().filter(|_| is_manifest).unwrap_or(path)
}

fn sweep_at(path: &Path) -> Result<PathBuf, String> {
    let dir = sweep_dir(path);
    if is_sweep(dir) {
        return Ok(dir.to_owned());
    }
    Err(if path.exists() {
        let file = Manifest::FILE;
        format!("This is no folder of a sweep; it has no {file}: {}", path.display())
    } else {
        format!("There is no such folder: {}", path.display())
    })
}

/// A file to be written, which ends like `name` unless it has an ending.
fn new_file(path: &Path, name: &str) -> Result<PathBuf, String> {
    if path.is_dir() {
        return Err(format!("This is a folder; add a file name: {}", path.display()));
    }
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    if let Some(dir) = dir.filter(|dir| !dir.is_dir()) {
        return Err(format!("There is no such folder: {}", dir.display()));
    }
    let ending = Path::new(name).extension().filter(|_| path.extension().is_none());
    Ok(ending.map_or_else(|| path.to_owned(), |ending| path.with_extension(ending)))
}

/// Whether a file is an experiment, and not facts.
fn is_spec(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|it| it.len() <= MAX_SPEC_BYTES)
        && Written::load(path).is_ok()
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
        for purpose in
            [Purpose::Model(Which::Main), Purpose::ModelFile(Which::Main), Purpose::Anything]
        {
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
