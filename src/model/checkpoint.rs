//! A model folder in Hugging Face's layout: `config.json`, and safetensors in one file or several.
//!
//! Opening reads only the headers, and checks every name and shape. The weights are read tensor by
//! tensor from a memory map, so that there is never a second copy of the model.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::mem;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::tensor::{AllocationProperty, Bytes as TensorBytes};
use memmap2::Mmap;
use safetensors::tensor::{Dtype, SafeTensors};
use sha2::{Digest as _, Sha256};

use super::ModelConfig;
use super::config::Unembedding;
use super::finite::{NotFinite, is_finite};
use super::tensor_names::{EMBEDDING, HEADS, LM_HEAD, expected_tensors};
use crate::builtin;
use crate::hub;
use crate::task::{Cancelled, Progress, TaskCtx};

use file_bytes::{Bytes, SharedMap, decode, map_file};
use header::header_error;

mod file_bytes;
mod header;

/// A model folder whose headers have been read and checked.
#[derive(Debug)]
pub struct Checkpoint {
    pub dir: PathBuf,
    pub config: ModelConfig,

    files: Vec<WeightFile>,

    /// Where each tensor is, by its name without the `transformer.` prefix.
    tensors: BTreeMap<String, Location>,

    /// The names of tensors that are no part of a language model.
    left_out: Vec<String>,
}

#[derive(Debug)]
struct WeightFile {
    path: PathBuf,
    bytes: Bytes,

    /// The byte at which the header ends and the tensors begin.
    data_start: usize,
}

/// A tensor's numbers, row by row.
pub(crate) enum Numbers {
    Owned(Vec<f32>),

    /// Bytes of the mapped file, which stays mapped as long as they are held.
    Mapped(TensorBytes),
}

/// Where a tensor is.
#[derive(Clone, Debug)]
struct Location {
    /// The index of its file.
    file: usize,

    /// Its name in the file, prefix included, for messages.
    name: String,
    dtype: Dtype,
    shape: Vec<usize>,

    /// Its first byte, and the byte after its last, counted from the end of the header.
    bytes: (usize, usize),
}

/// Why a model folder cannot be used. Each message names the file, and the tensor if one is to
/// blame.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("there is no such folder, nor a model of that name in Hugging Face's cache: {0}")]
    NoSuchDir(PathBuf),

    #[error("there is no `config.json`, so this is not a Hugging Face model folder: {0}")]
    NoConfig(PathBuf),

    #[error("cannot use the model's configuration: {reason}: {path}")]
    Config { path: PathBuf, reason: String },

    #[error("{hint}: {dir}")]
    NoWeights { dir: PathBuf, hint: &'static str },

    #[error("cannot read the file: {source}: {path}")]
    Read { path: PathBuf, source: io::Error },

    #[error("the index of shards is not valid: {reason}: {path}")]
    Index { path: PathBuf, reason: String },

    #[error("the file is not valid safetensors: {reason}: {path}")]
    Header { path: PathBuf, reason: String },

    #[error(
        "the file is cut short: tensor `{tensor}` should end at byte {end}, but the file ends at \
         byte {len}; copy or download it again: {path}"
    )]
    Truncated { tensor: String, end: usize, len: usize, path: PathBuf },

    #[error("tensor `{tensor}` {fault}: {path}")]
    Tensor { tensor: String, fault: &'static str, path: PathBuf },

    #[error(
        "all tensors have `{prefix}` before their names, as a wrapped model leaves it; save the model \
         inside the wrapper, or take `{prefix}` away from the names: {path}"
    )]
    Prefix { prefix: String, path: PathBuf },

    #[error("this is {what}, not the weights; {remedy}: {path}")]
    NotWeights { what: &'static str, remedy: &'static str, path: PathBuf },

    #[error(
        "tensor `{tensor}` has shape {found:?}, but `config.json` requires {expected:?}: {path}"
    )]
    Shape { tensor: String, found: Vec<usize>, expected: Vec<usize>, path: PathBuf },

    #[error("tensor `{tensor}` is of type {found:?}; only F32, F16 and BF16 can be read: {path}")]
    Dtype { tensor: String, found: Dtype, path: PathBuf },

    #[error(transparent)]
    NotFinite(#[from] NotFinite),

    #[error(
        "`config.json` ties the unembedding to the token embedding, but tensor `{tensor}` differs \
         from it; set `tie_word_embeddings` to false if that is meant: {path}"
    )]
    NotTied { tensor: String, path: PathBuf },

    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

const INDEX_FILE: &str = "model.safetensors.index.json";
const SINGLE_FILE: &str = "model.safetensors";

impl Checkpoint {
    /// Reads and checks `config.json` and the headers of the weight files.
    ///
    /// `dir` may also be the name of a built-in model.
    pub fn open(dir: &Path) -> Result<Self, LoadError> {
        let builtin = builtin::find(dir);
        let path = dir.join("config.json");
        let text = match builtin {
            Some(builtin) => builtin.config.to_owned(),
            None if !dir.is_dir() => return Err(LoadError::NoSuchDir(dir.to_owned())),
            None if !path.is_file() => return Err(LoadError::NoConfig(dir.to_owned())),
            None => read_text(&path)?,
        };
        let config =
            ModelConfig::from_json(&text).map_err(|reason| LoadError::Config { path, reason })?;

        let mut checkpoint = Self {
            dir: dir.to_owned(),
            config,
            files: Vec::new(),
            tensors: BTreeMap::new(),
            left_out: Vec::new(),
        };
        if let Some(builtin) = builtin {
            checkpoint.add_file(dir.join(SINGLE_FILE), Bytes::Embedded((builtin.weights)()))?;
        } else {
            for path in weight_files(dir)? {
                match map_file(&path) {
                    Ok(map) => checkpoint.add_file(path, Bytes::Mapped(Arc::new(map)))?,
                    Err(source) => return Err(LoadError::Read { path, source }),
                }
            }
        }
        checkpoint.check()?;
        Ok(checkpoint)
    }

    /// The model's name on Hugging Face's hub if the folder is in its cache, else the folder's
    /// name.
    pub fn name(&self) -> String {
        if let Some(builtin) = builtin::find(&self.dir) {
            return builtin.name.to_owned();
        }
        let dir = self.dir.canonicalize().unwrap_or_else(|_| self.dir.clone());
        if let Some(name) = hub::name_of(&dir) {
            return name;
        }
        dir.file_name().unwrap_or(dir.as_os_str()).to_string_lossy().into_owned()
    }

    /// The size of the weights on disk.
    pub fn n_bytes(&self) -> u64 {
        self.tensors.values().map(|it| (it.bytes.1 - it.bytes.0) as u64).sum()
    }

    /// The number types of the weights, such as `F32`.
    pub fn dtypes(&self) -> Vec<String> {
        let mut dtypes: Vec<_> = self.tensors.values().map(|it| it.dtype).collect();
        dtypes.sort_unstable();
        dtypes.dedup();
        dtypes.into_iter().map(|dtype| format!("{dtype:?}")).collect()
    }

    /// The SHA-256 of each weight file, as Hugging Face shows it, by file name. Reads the files
    /// whole.
    pub fn sha256(&self, ctx: &TaskCtx<'_>) -> Result<BTreeMap<String, String>, Cancelled> {
        let total: usize = self.files.iter().map(|file| file.bytes.len()).sum();
        let mut done = 0;
        let mut hashes = BTreeMap::new();
        for file in &self.files {
            let mut hasher = Sha256::new();
            let mut start = 0;
            for chunk in file.bytes.chunks(32 << 20) {
                ctx.checkpoint(Progress { done: done as u64, total: total as u64 })?;
                hasher.update(chunk);
                file.bytes.forget(start, chunk.len());
                start += chunk.len();
                done += chunk.len();
            }
            let name = file.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let mut hash = String::new();
            for byte in hasher.finalize() {
                _ = write!(hash, "{byte:02x}");
            }
            hashes.insert(name, hash);
        }
        Ok(hashes)
    }

    /// A copy of one tensor as `f32`, checked to be finite.
    ///
    /// # Panics
    ///
    /// If the checkpoint has no tensor of that name.
    pub(crate) fn read(&self, name: &str) -> Result<Vec<f32>, LoadError> {
        let location = self.tensors.get(name).expect("checked when the folder was opened");
        let (file, range) = self.place(location);
        let (values, is_finite) = decode(&file.bytes[range.clone()], location.dtype);
        // The system may drop these pages from memory; they can be read again.
        file.bytes.forget(range.start, range.len());
        if is_finite {
            return Ok(values);
        }
        Err(NotFinite::find(&location.name, &values, &file.path).into())
    }

    /// One tensor, without a copy if the file has it as `f32` where a CPU can read it. Such numbers
    /// are not checked yet, see [`NumberCheck`](super::NumberCheck). Other tensors are copied, as
    /// by [`Self::read`].
    ///
    /// # Panics
    ///
    /// If the checkpoint has no tensor of that name.
    pub(crate) fn numbers(&self, name: &str) -> Result<Numbers, LoadError> {
        let location = self.tensors.get(name).expect("checked when the folder was opened");
        match self.mapped(location) {
            Some((map, range)) => {
                let part = bytes::Bytes::from_owner(SharedMap(Arc::clone(map))).slice(range);
                Ok(Numbers::Mapped(TensorBytes::from_shared(part, AllocationProperty::File)))
            }
            None => self.read(name).map(Numbers::Owned),
        }
    }

    /// Checks the numbers that [`Self::numbers`] gives without a copy, as long as `is_wanted` is
    /// true.
    pub(super) fn check_mapped(&self, is_wanted: &dyn Fn() -> bool) -> Result<(), NotFinite> {
        for location in self.tensors.values() {
            let Some((map, range)) = self.mapped(location) else { continue };
            if !is_wanted() {
                return Ok(());
            }
            if !is_finite(&map[range.clone()]) {
                let (values, _) = decode(&map[range], location.dtype);
                let path = &self.files[location.file].path;
                return Err(NotFinite::find(&location.name, &values, path));
            }
        }
        Ok(())
    }

    /// A tensor's bytes in its mapped file, if a CPU can compute on them there.
    fn mapped(&self, location: &Location) -> Option<(&Arc<Mmap>, Range<usize>)> {
        let (file, range) = self.place(location);
        let Bytes::Mapped(map) = &file.bytes else { return None };
        let is_readable = cfg!(target_endian = "little")
            && location.dtype == Dtype::F32
            && map[range.clone()].as_ptr().addr().is_multiple_of(align_of::<f32>());
        is_readable.then_some((map, range))
    }

    fn add_file(&mut self, path: PathBuf, bytes: Bytes) -> Result<(), LoadError> {
        let (header_len, metadata) = match SafeTensors::read_metadata(&bytes) {
            Ok(header) => header,
            Err(error) => return Err(header_error(&error, &bytes, path)),
        };
        for (name, info) in metadata.tensors().into_iter().collect::<BTreeMap<_, _>>() {
            let plain = plain_name(&name).to_owned();
            // Old checkpoints store buffers: the causal mask, and the value of masked scores.
            if plain.ends_with(".attn.bias") || plain.ends_with(".attn.masked_bias") {
                continue;
            }
            let location = Location {
                file: self.files.len(),
                name: name.clone(),
                dtype: info.dtype,
                shape: info.shape.clone(),
                bytes: info.data_offsets,
            };
            if self.tensors.insert(plain, location).is_some() {
                return Err(LoadError::Tensor { tensor: name, fault: "occurs twice", path });
            }
        }
        self.files.push(WeightFile { path, bytes, data_start: 8 + header_len });
        Ok(())
    }

    /// Checks that there is every tensor of the configuration, with its shape, and no other.
    ///
    /// Of a tied pair either name will do, and what other models have beside the language model is left
    /// out.
    fn check(&mut self) -> Result<(), LoadError> {
        self.leave_out_heads();
        if self.config.unembedding == Unembedding::Tied
            && !self.tensors.contains_key(EMBEDDING)
            && let Some(tied) = self.tensors.remove(LM_HEAD)
        {
            self.tensors.insert(EMBEDDING.to_owned(), tied);
        }
        let path_of = |it: &Location| self.files[it.file].path.clone();
        let mut expected = BTreeSet::new();
        // This stops at the first missing tensor, so a configuration that claims millions of layers
        // costs no time.
        for (name, shape) in expected_tensors(&self.config) {
            let Some(found) = self.tensors.get(&name) else {
                let path = match self.files.as_slice() {
                    [file] => file.path.clone(),
                    _ => self.dir.join(INDEX_FILE),
                };
                let others = self.tensors.values().map(|it| it.name.as_str());
                return Err(match prefix_before(&name, others) {
                    Some(prefix) => LoadError::Prefix { prefix, path },
                    None => LoadError::Tensor { tensor: name, fault: "is missing", path },
                });
            };
            if found.shape != shape {
                return Err(LoadError::Shape {
                    tensor: found.name.clone(),
                    found: found.shape.clone(),
                    expected: shape,
                    path: path_of(found),
                });
            }
            expected.insert(name);
        }
        // A tied model's file may hold the unembedding too, if it equals the token embedding.
        if let (Some(head), Some(wte)) = (self.tensors.get(LM_HEAD), self.tensors.get(EMBEDDING))
            && self.config.unembedding == Unembedding::Tied
        {
            if self.raw(head) != self.raw(wte) || head.dtype != wte.dtype {
                let (tensor, path) = (head.name.clone(), path_of(head));
                return Err(LoadError::NotTied { tensor, path });
            }
            expected.insert(LM_HEAD.to_owned());
        }
        for (name, found) in &self.tensors {
            let (tensor, path) = (found.name.clone(), path_of(found));
            if !expected.contains(name) {
                let fault = "is not part of a GPT-2 of this configuration";
                return Err(LoadError::Tensor { tensor, fault, path });
            }
            if !matches!(found.dtype, Dtype::F32 | Dtype::F16 | Dtype::BF16) {
                return Err(LoadError::Dtype { tensor, found: found.dtype, path });
            }
        }
        Ok(())
    }

    /// Takes out the heads of models that do more than go on with a text.
    fn leave_out_heads(&mut self) {
        let is_head = |name: &str| HEADS.iter().any(|head| name.starts_with(head));
        let (heads, rest) =
            mem::take(&mut self.tensors).into_iter().partition(|(name, _)| is_head(name));
        self.tensors = rest;
        let heads: BTreeMap<String, Location> = heads;
        self.left_out = heads.into_values().map(|it| it.name).collect();
    }

    /// The tensors of the files that are no part of a language model, by their names there.
    pub fn left_out(&self) -> &[String] {
        &self.left_out
    }

    /// A tensor's bytes.
    fn raw(&self, location: &Location) -> &[u8] {
        let (file, range) = self.place(location);
        &file.bytes[range]
    }

    /// A tensor's file, and its bytes there.
    fn place(&self, location: &Location) -> (&WeightFile, Range<usize>) {
        let file = &self.files[location.file];
        (file, file.data_start + location.bytes.0..file.data_start + location.bytes.1)
    }
}

/// A tensor's name as the parts of the model have it.
fn plain_name(name: &str) -> &str {
    name.strip_prefix("transformer.").unwrap_or(name)
}

/// What stands before each tensor's name, if the tensor that is looked for is there but for it.
fn prefix_before<'a>(missing: &str, names: impl Iterator<Item = &'a str>) -> Option<String> {
    let before = |name: &'a str| {
        let prefix = name.strip_suffix(missing)?;
        Some(prefix.strip_suffix("transformer.").unwrap_or(prefix))
    };
    names.filter_map(before).find(|it| it.ends_with('.')).map(str::to_owned)
}

/// The safetensors files of a folder, in the order of their names.
fn weight_files(dir: &Path) -> Result<Vec<PathBuf>, LoadError> {
    let single = dir.join(SINGLE_FILE);
    if single.is_file() {
        return Ok(vec![single]);
    }
    let index = dir.join(INDEX_FILE);
    if index.is_file() {
        let invalid = |reason: String| LoadError::Index { path: index.clone(), reason };
        let json: serde_json::Value = serde_json::from_str(&read_text(&index)?)
            .map_err(|error| invalid(error.to_string()))?;
        let map = json["weight_map"]
            .as_object()
            .ok_or_else(|| invalid("it has no `weight_map`".into()))?;
        let mut names: Vec<&str> = map.values().filter_map(|it| it.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        return names
            .into_iter()
            .map(|name| match dir.join(name) {
                path if path.is_file() => Ok(path),
                _ => Err(invalid(format!("it names the file `{name}`, which does not exist"))),
            })
            .collect();
    }
    let is_there = |name: &str| dir.join(name).is_file();
    let hint = if is_there("pytorch_model.bin") || is_there("pytorch_model.bin.index.json") {
        "the weights are `pytorch_model.bin` or its shards, which hold Python code; save them again with \
         `model.save_pretrained(folder, safe_serialization=True)`"
    } else {
        "there is neither `model.safetensors` nor `model.safetensors.index.json`"
    };
    Err(LoadError::NoWeights { dir: dir.to_owned(), hint })
}

fn read_text(path: &Path) -> Result<String, LoadError> {
    fs::read_to_string(path).map_err(|source| LoadError::Read { path: path.to_owned(), source })
}
