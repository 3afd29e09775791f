//! Which files a model is in: a folder in Hugging Face's layout, a weight file of such a folder, a GGUF
//! file, or files that are part of the program.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::other_folder::{IN_THAT_LAYOUT, MERGE, OtherFolder, SAVE, TOGETHER, is_of_deepspeed};
use super::{Format, LoadError};
use crate::builtin;
use crate::text_file;

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
        // Before anything is asked, which could be saved nowhere.
        if path.to_str().is_none() {
            return Err(LoadError::Name(path.to_owned()));
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
        let in_place =
            NAMES.iter().flat_map(|(it, _)| [dir.join(it), dir.join(format!("{it}{INDEX}"))]);
        for path in in_place {
            check_is_file(&path)?;
        }
        let names: Vec<String> = NAMES
            .iter()
            .flat_map(|(it, _)| [format!("`{it}`"), format!("`{it}{INDEX}`")])
            .collect();
        let hint = hint(dir).map_or_else(String::new, |it| format!(", but {it}"));
        Err(LoadError::NoWeights { names: names.join(", "), hint, dir: dir.to_owned() })
    }

    fn config_of(dir: &Path) -> Result<PathBuf, LoadError> {
        let config = dir.join(CONFIG);
        if config.is_file() {
            return Ok(config);
        }
        check_is_file(&config)?;
        let entries = fs::read_dir(dir).into_iter().flatten().flatten().map(|it| it.path());
        let mut files: Vec<PathBuf> =
            entries.filter(|it| Format::of(it) == Some(Format::Gguf)).collect();
        files.sort_unstable();
        match files.into_iter().next() {
            Some(file) => Err(LoadError::OpenTheFile { dir: dir.to_owned(), file }),
            None => Err(match OtherFolder::of(dir) {
                Some(OtherFolder { what, remedy }) => {
                    LoadError::OtherFolder { what, remedy, dir: dir.to_owned() }
                }
                None => LoadError::NoConfig(dir.to_owned()),
            }),
        }
    }

    /// The shards that an index names.
    fn of_index(dir: &Path, format: Format, index: PathBuf) -> Result<Self, LoadError> {
        let invalid = |reason: String| LoadError::Index { path: index.clone(), reason };
        let text = text_file::read_up_to(&index, text_file::MOST_OF_VOCABULARY).map_err(invalid)?;
        let text = text_file::json(&text).map_err(invalid)?;
        let Ok(Index { weight_map }) = serde_json::from_str(&text) else {
            let reason = "its `weight_map` does not say the file of each tensor";
            return Err(invalid(reason.to_owned()));
        };
        let map = weight_map.ok_or_else(|| invalid("it has no `weight_map`".into()))?;
        if map.is_empty() {
            let shards = shards(dir);
            let hint = match shards.first() {
                Some(first) => format!(", though there is `{first}`"),
                None => String::new(),
            };
            return Err(invalid(format!("it names no tensors{hint}; download the index again")));
        }
        let mut files = BTreeMap::new();
        let mut file_of = BTreeMap::new();
        for (tensor, Name(name)) in map {
            let name = name.ok_or_else(|| invalid(format!("it names no file for `{tensor}`")))?;
            // A shard lies beside its index. Another name would open any file of the machine.
            if Path::new(&name).file_name() != Some(OsStr::new(&name)) {
                let reason = format!(
                    "it names `{name}`, which is no file beside it; download the index again"
                );
                return Err(invalid(reason));
            }
            let path = dir.join(&name);
            file_of.insert(tensor, path.clone());
            files.insert(path, name);
        }
        for path in files.keys() {
            check_is_file(path)?;
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

/// Refuses what lies in the place of a file and is none, where anything lies there.
fn check_is_file(path: &Path) -> Result<(), LoadError> {
    let Ok(there) = fs::symlink_metadata(path) else { return Ok(()) };
    let what = match fs::metadata(path) {
        Ok(it) if it.is_file() => return Ok(()),
        Ok(it) if it.is_dir() => "a folder",
        Ok(_) => "a pipe or a device",
        Err(_) if there.is_symlink() => "a link to what is not there",
        Err(_) => return Ok(()),
    };
    Err(LoadError::NoFile { what, path: path.to_owned() })
}

/// What an index says that is of use here.
#[derive(Deserialize)]
struct Index {
    /// The file of each tensor.
    weight_map: Option<BTreeMap<String, Name>>,
}

/// The name of a file. `None` for another value, of which nothing is kept.
struct Name(Option<String>);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfAny;

        impl<'de> Visitor<'de> for OfAny {
            type Value = Name;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a file")
            }

            fn visit_str<E>(self, name: &str) -> Result<Name, E> {
                Ok(Name(Some(name.to_owned())))
            }

            fn visit_bool<E>(self, _: bool) -> Result<Name, E> {
                Ok(Name(None))
            }

            fn visit_i64<E>(self, _: i64) -> Result<Name, E> {
                Ok(Name(None))
            }

            fn visit_u64<E>(self, _: u64) -> Result<Name, E> {
                Ok(Name(None))
            }

            fn visit_f64<E>(self, _: f64) -> Result<Name, E> {
                Ok(Name(None))
            }

            fn visit_unit<E>(self) -> Result<Name, E> {
                Ok(Name(None))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Name, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Name(None))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Name, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Name(None))
            }
        }

        deserializer.deserialize_any(OfAny)
    }
}

/// The names of all files in a folder, in order.
pub(super) fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.map(|it| it.file_name().to_string_lossy().into_owned()).collect();
    names.sort_unstable();
    names
}

/// The files that are called as parts of one model.
fn shards(dir: &Path) -> Vec<String> {
    let mut names = names(dir);
    let is_shard = |it: &str| it.contains("-of-") && Format::of(Path::new(it)).is_some();
    names.retain(|it| is_shard(it));
    names
}

/// Weights in another form that the folder has, or parts of some, and what to do about them.
fn hint(dir: &Path) -> Option<String> {
    const OTHERS: &[(&str, &str)] = &[
        (".h5", "TensorFlow's weights"),
        (".msgpack", "Flax' weights"),
        (".ot", "weights for Rust's `tch`"),
        (".onnx", "a model for ONNX"),
        (".tflite", "a model for TensorFlow Lite"),
        (".ckpt.index", "TensorFlow's weights"),
        (".npz", "weights of numpy's"),
    ];
    const UNFINISHED: &[&str] = &[".part", ".incomplete", ".crdownload", ".aria2", ".tmp"];
    const BESIDE: &[&str] = &["optimizer", "training_args", "scheduler", "rng_state", "openvino"];
    let names = names(dir);
    let ends = |ending: &str| names.iter().find(|it| it.ends_with(ending));
    if let Some(name) = UNFINISHED.iter().find_map(|it| ends(it)) {
        return Some(format!("`{name}`, a download that did not end; download it again"));
    }
    let named_on = |wanted: &str| {
        let rest = |it: &String| it.strip_prefix(wanted).is_some_and(|it| it.starts_with('.'));
        Some((names.iter().find(|it| rest(it))?, wanted.to_owned()))
    };
    if let Some((name, wanted)) = NAMES.iter().find_map(|(it, _)| named_on(it)) {
        return Some(format!("`{name}`; if these are the weights, call it `{wanted}`"));
    }
    if is_of_deepspeed(&names) {
        return Some(format!("parts of weights as DeepSpeed writes them; {TOGETHER}"));
    }
    if let Some(name) = names.iter().find(|it| it.starts_with("adapter_model.")) {
        return Some(format!("`{name}`, an adapter (LoRA); {MERGE}"));
    }
    if let Some(name) = names.iter().find(|it| it.starts_with("consolidated.")) {
        return Some(format!("`{name}` in the layout of those who trained it; {IN_THAT_LAYOUT}"));
    }
    if let Some(name) = shards(dir).first() {
        return Some(format!(
            "`{name}`, a part of the weights; download the index as well, whose name ends in `{INDEX}`"
        ));
    }
    let is_weights = |it: &&String| {
        Format::of(Path::new(it)).is_some() && !BESIDE.iter().any(|other| it.starts_with(other))
    };
    if let Some(name) = names.iter().find(is_weights) {
        return Some(format!("`{name}`; open that file itself"));
    }
    if dir.join("onnx").is_dir() {
        return Some(format!("a folder `onnx` of models for ONNX, which are not read; {SAVE}"));
    }
    let (name, what) = OTHERS.iter().find_map(|(ending, what)| Some((ends(ending)?, what)))?;
    Some(format!("`{name}`, {what}, which this program does not read; {SAVE}"))
}
