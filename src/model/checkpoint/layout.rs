//! Which files a model is in: a folder in Hugging Face's layout, a weight file of such a folder, a GGUF
//! file, or files that are part of the program.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::{Format, LoadError, read_text};
use crate::builtin;

/// The files of a model.
#[derive(Debug)]
pub(super) struct Layout {
    /// The `config.json`. `None` if the weight file holds the configuration.
    pub config: Option<PathBuf>,
    pub format: Format,

    /// In the order of their names.
    pub files: Vec<PathBuf>,

    /// The file to name where a tensor is missing: the index, or the only weight file.
    pub list: PathBuf,

    /// The file of each tensor, as an index says.
    pub index: Option<BTreeMap<String, PathBuf>>,
}

/// What weights are called in a folder, in the order in which `transformers` looks for them.
const NAMES: [(&str, Format); 2] =
    [("model.safetensors", Format::Safetensors), ("pytorch_model.bin", Format::PyTorch)];

const CONFIG: &str = "config.json";

/// What is added to the name of weights for the file that says which shard a tensor is in.
const INDEX: &str = ".index.json";

impl Layout {
    /// The layout of a built-in model, of a folder, or of a file.
    pub fn of(path: &Path) -> Result<Self, LoadError> {
        if builtin::find(path).is_some() {
            let [(name, format), _] = NAMES;
            return Ok(Self::single(Some(path.join(CONFIG)), format, path.join(name)));
        }
        if path.is_dir() {
            return Self::of_folder(path);
        }
        if !path.is_file() {
            return Err(LoadError::NoSuchDir(path.to_owned()));
        }
        let format = Format::of(path);
        if format == Some(Format::Gguf) {
            return Ok(Self::single(None, Format::Gguf, path.to_owned()));
        }
        let dir =
            path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
        if path.file_name().is_some_and(|it| it == CONFIG) {
            return Self::of_folder(dir);
        }
        let format = format.ok_or_else(|| LoadError::NoWeightFile(path.to_owned()))?;
        let config = Self::config_of(dir)?;
        // A shard is no model without the others.
        let indices = NAMES.map(|(name, format)| (dir.join(format!("{name}{INDEX}")), format));
        for (index, format) in indices {
            let is_shard = |it: &Self| it.files.iter().any(|it| it.file_name() == path.file_name());
            if index.is_file()
                && let Ok(layout) = Self::of_index(dir, format, index)
                && is_shard(&layout)
            {
                return Ok(layout);
            }
        }
        Ok(Self::single(Some(config), format, path.to_owned()))
    }

    fn single(config: Option<PathBuf>, format: Format, file: PathBuf) -> Self {
        Self { config, format, list: file.clone(), files: vec![file], index: None }
    }

    fn of_folder(dir: &Path) -> Result<Self, LoadError> {
        let config = Self::config_of(dir)?;
        for (name, format) in NAMES {
            let single = dir.join(name);
            if single.is_file() {
                return Ok(Self::single(Some(config), format, single));
            }
            let index = dir.join(format!("{name}{INDEX}"));
            if index.is_file() {
                return Self::of_index(dir, format, index);
            }
        }
        let names: Vec<String> = NAMES
            .iter()
            .flat_map(|(it, _)| [format!("`{it}`"), format!("`{it}{INDEX}`")])
            .collect();
        Err(LoadError::NoWeights { names: names.join(", "), dir: dir.to_owned() })
    }

    fn config_of(dir: &Path) -> Result<PathBuf, LoadError> {
        let config = dir.join(CONFIG);
        if config.is_file() {
            return Ok(config);
        }
        let entries = fs::read_dir(dir).into_iter().flatten().flatten().map(|it| it.path());
        let mut files: Vec<PathBuf> =
            entries.filter(|it| Format::of(it) == Some(Format::Gguf)).collect();
        files.sort_unstable();
        match files.into_iter().next() {
            Some(file) => Err(LoadError::OpenTheFile { dir: dir.to_owned(), file }),
            None => Err(LoadError::NoConfig(dir.to_owned())),
        }
    }

    /// The shards that an index names.
    fn of_index(dir: &Path, format: Format, index: PathBuf) -> Result<Self, LoadError> {
        let invalid = |reason: String| LoadError::Index { path: index.clone(), reason };
        let json: serde_json::Value = serde_json::from_str(&read_text(&index)?)
            .map_err(|error| invalid(error.to_string()))?;
        let map = json["weight_map"]
            .as_object()
            .ok_or_else(|| invalid("it has no `weight_map`".into()))?;
        let mut files = BTreeMap::new();
        let mut file_of = BTreeMap::new();
        for (tensor, name) in map {
            let name = name.as_str();
            let name = name.ok_or_else(|| invalid(format!("it names no file for `{tensor}`")))?;
            file_of.insert(tensor.clone(), dir.join(name));
            files.insert(dir.join(name), name);
        }
        if let Some((_, name)) = files.iter().find(|(path, _)| !path.is_file()) {
            let reason = format!("it names the file `{name}`, which is not there; get it again");
            return Err(invalid(reason));
        }
        let files = files.into_keys().collect();
        let config = Some(dir.join(CONFIG));
        Ok(Self { config, format, files, list: index, index: Some(file_of) })
    }
}
