//! A model on disk: a folder in Hugging Face's layout, which has a `config.json` and weights in one file or
//! several, or a single file.
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

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::ModelConfig;
use super::config::Unembedding;
use super::finite::{self, NotFinite};
use super::number_check::UnfitWeights;
use super::tensor_names::{BUFFERS, HEADS, LM_HEAD, TensorNames, expected_tensors};
use crate::builtin;
use crate::hub;
use crate::task::{Cancelled, Progress, TaskCtx};

use file_bytes::{Bytes, SharedMap, decode};
use layout::Layout;
use mapped_file::MappedFile;
use stored::{Order, StoredTensor};

pub use format::{Format, WEIGHT_ENDINGS, is_weight_file};
pub use stored::NumberType;
pub(crate) use stored_matrix::StoredMatrix;

mod file_bytes;
mod format;
mod gguf;
mod gguf_families;
#[cfg(test)]
mod gguf_tests;
mod layout;
mod mapped_file;
mod pickle;
mod pytorch;
mod pytorch_types;
mod quantised;
mod safetensors;
mod stored;
mod stored_matrix;
mod zip;

/// A model folder whose headers have been read and checked.
#[derive(Debug)]
pub struct Checkpoint {
    pub dir: PathBuf,
    pub config: ModelConfig,

    /// The format of the weight files.
    pub format: Format,
    files: Vec<WeightFile>,

    /// The file to name where a tensor is missing.
    list: PathBuf,

    /// Where each tensor is, by its name without the family's prefix, such as `transformer.`.
    tensors: BTreeMap<String, Location>,

    /// The names of tensors that are no part of a language model.
    left_out: Vec<String>,
}

#[derive(Debug)]
struct WeightFile {
    path: PathBuf,
    bytes: Bytes,
}

/// What the weights of a model take in memory, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct WeightMemory {
    /// Weights that the CPU reads in the file, which the system keeps in memory as far as there is room.
    pub in_file: u64,

    /// Weights that are copied as `f32` for the CPU.
    pub copied: u64,

    /// All weights in the memory of a graphics adapter, as `f32`.
    pub on_adapter: u64,
}

/// A tensor's numbers, row by row.
pub(crate) enum Numbers {
    Owned(Vec<f32>),

    /// `f32` numbers in the mapped file, which stays mapped as long as they are held.
    Mapped(bytes::Bytes),

    /// A matrix of another type, which is widened where it is computed with.
    Stored(StoredMatrix),
}

/// Where a tensor is.
#[derive(Clone, Debug)]
struct Location {
    /// The index of its file.
    file: usize,
    tensor: StoredTensor,
}

/// Why a model folder cannot be used. Each message names the file, and the tensor if one is to
/// blame.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error(
        "there is no such folder or file, nor a model of that name in Hugging Face's cache: {0}"
    )]
    NoSuchDir(PathBuf),

    #[error("there is no `config.json`, so this is not a Hugging Face model folder: {0}")]
    NoConfig(PathBuf),

    #[error("there is no `config.json`; open the GGUF file itself, such as {file}: {dir}")]
    OpenTheFile { dir: PathBuf, file: PathBuf },

    #[error(
        "this is no weight file by its name, which may end in `.gguf`, `.safetensors`, `.bin`, `.pt` or \
         `.pth`: {0}"
    )]
    NoWeightFile(PathBuf),

    #[error("cannot use the model's configuration: {reason}: {path}")]
    Config { path: PathBuf, reason: String },

    #[error("there are no weights, none of {names}: {dir}")]
    NoWeights { dir: PathBuf, names: String },

    #[error("cannot read the file: {source}: {path}")]
    Read { path: PathBuf, source: io::Error },

    #[error("the index of shards is not valid: {reason}: {path}")]
    Index { path: PathBuf, reason: String },

    #[error("cannot read the {format} file: {reason}: {path}")]
    Format { format: Format, path: PathBuf, reason: String },

    #[error(
        "the file is cut short: {what} should end at byte {end}, but the file ends at byte {len}; copy \
         or download it again: {path}"
    )]
    CutShort { what: String, end: usize, len: usize, path: PathBuf },

    #[error(
        "`model_type` is missing in the configuration, and tensor `{tensor}`, which every GPT-2 has, is \
         missing too; write down the `model_type`, such as `llama`: {path}"
    )]
    NoType { tensor: &'static str, path: PathBuf },

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

    #[error(
        "tensor `{tensor}` is of type {found}; only F32, F16, BF16 and ggml's Q8_0, Q6_K, Q5_K, Q5_1, Q5_0, \
         Q4_K, Q4_1 and Q4_0 can be read: {path}"
    )]
    Dtype { tensor: String, found: NumberType, path: PathBuf },

    #[error(transparent)]
    NotFinite(#[from] NotFinite),

    #[error(transparent)]
    Unfit(#[from] UnfitWeights),

    #[error(
        "`config.json` ties the unembedding to the token embedding, but tensor `{tensor}` differs \
         from it; set `tie_word_embeddings` to false if that is meant: {path}"
    )]
    NotTied { tensor: String, path: PathBuf },

    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl Checkpoint {
    /// Reads and checks the configuration and the headers of the weight files.
    ///
    /// `path` is a folder, a GGUF file, a weight file in a folder, or the name of a built-in model.
    pub fn open(path: &Path) -> Result<Self, LoadError> {
        let builtin = builtin::find(path);
        let layout = Layout::of(path)?;
        let mut files = Vec::new();
        for path in layout.files {
            let bytes = match builtin {
                Some(it) => Bytes::Embedded((it.weights)()),
                None => match MappedFile::open(&path) {
                    Ok(map) => Bytes::Mapped(Arc::new(map)),
                    Err(source) => return Err(LoadError::Read { path, source }),
                },
            };
            files.push(WeightFile { path, bytes });
        }
        let (text, path_of_config) = match (builtin, layout.config) {
            (Some(it), _) => (it.config.to_owned(), path.to_owned()),
            (None, Some(path)) => (read_text(&path)?, path),
            (None, None) => {
                let held = files.iter().find_map(|it| layout.format.config(&it.bytes, &it.path));
                (
                    held.unwrap_or_else(|| Err(LoadError::NoConfig(path.to_owned())))?,
                    path.to_owned(),
                )
            }
        };
        let config = ModelConfig::from_json(&text)
            .map_err(|reason| LoadError::Config { path: path_of_config, reason })?;

        let mut checkpoint = Self {
            dir: path.to_owned(),
            config,
            format: layout.format,
            files: Vec::new(),
            list: layout.list,
            tensors: BTreeMap::new(),
            left_out: Vec::new(),
        };
        for file in files {
            checkpoint.add_file(file)?;
        }
        let embedding = checkpoint.config.family.names().embedding;
        if !text.contains("\"model_type\"") && !checkpoint.tensors.contains_key(embedding) {
            return Err(LoadError::NoType { tensor: embedding, path: checkpoint.list });
        }
        checkpoint.check()?;
        Ok(checkpoint)
    }

    /// The model's name on Hugging Face's hub if the folder is in its cache, else the folder's or the
    /// GGUF file's name.
    pub fn name(&self) -> String {
        if let Some(builtin) = builtin::find(&self.dir) {
            return builtin.name.to_owned();
        }
        if self.format == Format::Gguf {
            let name = self.dir.file_stem().unwrap_or(self.dir.as_os_str());
            return name.to_string_lossy().into_owned();
        }
        let dir = match self.dir.parent().filter(|_| self.dir.is_file()) {
            Some(dir) if !dir.as_os_str().is_empty() => dir,
            Some(_) => Path::new("."),
            None => &self.dir,
        };
        let dir = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
        if let Some(name) = hub::name_of(&dir) {
            return name;
        }
        dir.file_name().unwrap_or(dir.as_os_str()).to_string_lossy().into_owned()
    }

    /// The size of the weights on disk.
    pub fn n_bytes(&self) -> u64 {
        self.tensors.values().map(|it| it.tensor.bytes.len() as u64).sum()
    }

    /// What the weights take in memory.
    pub fn memory(&self) -> WeightMemory {
        let mut memory = WeightMemory::default();
        for location in self.tensors.values() {
            let n_values: usize = location.tensor.shape.iter().product();
            let as_f32 = (n_values * size_of::<f32>()) as u64;
            if self.mapped(location).is_some() || self.matrix(location).is_some() {
                memory.in_file += location.tensor.bytes.len() as u64;
            } else {
                memory.copied += as_f32;
            }
            memory.on_adapter += as_f32;
        }
        memory
    }

    /// Each tensor's name, its number type and its shape, in the order of the names.
    pub fn tensors(&self) -> impl Iterator<Item = (&str, NumberType, &[usize])> {
        let tensors = self.tensors.values().map(|it| &it.tensor);
        tensors.map(|it| (it.name.as_str(), it.dtype, it.shape.as_slice()))
    }

    /// The number types of the weights, such as `F32`.
    pub fn dtypes(&self) -> Vec<String> {
        let mut dtypes: Vec<_> = self.tensors.values().map(|it| it.tensor.dtype).collect();
        dtypes.sort_unstable();
        dtypes.dedup();
        dtypes.into_iter().map(|dtype| dtype.to_string()).collect()
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
    pub(crate) fn read(&self, name: &str) -> Result<Vec<f32>, NotFinite> {
        let location = self.tensors.get(name).expect("checked when the folder was opened");
        let file = &self.files[location.file];
        let StoredTensor { name, dtype, bytes, .. } = &location.tensor;
        let (values, is_finite) = decode(&file.bytes[bytes.clone()], *dtype);
        // The system may drop these pages from memory; they can be read again.
        file.bytes.forget(bytes.start, bytes.len());
        let values = location.tensor.put_right(values);
        if is_finite || values.iter().all(|it| it.is_finite()) {
            return Ok(values);
        }
        Err(NotFinite::find(name, &values, &file.path))
    }

    /// One tensor, without a copy if it is a matrix or the file has it as `f32` where a CPU can read it.
    /// Such numbers are not checked yet, see [`NumberCheck`](super::NumberCheck). Other tensors are
    /// copied, as by [`Self::read`].
    ///
    /// # Panics
    ///
    /// If the checkpoint has no tensor of that name.
    pub(crate) fn numbers(&self, name: &str) -> Result<Numbers, LoadError> {
        let location = self.tensors.get(name).expect("checked when the folder was opened");
        if let Some((map, range)) = self.mapped(location) {
            let map = bytes::Bytes::from_owner(SharedMap(Arc::clone(map)));
            return Ok(Numbers::Mapped(map.slice(range)));
        }
        match self.matrix(location) {
            Some(matrix) => Ok(Numbers::Stored(matrix)),
            None => Ok(Numbers::Owned(self.read(name)?)),
        }
    }

    /// The first weight file that another program has written to since the checkpoint was opened.
    pub(super) fn changed_file(&self) -> Option<&Path> {
        let changed =
            |it: &&WeightFile| matches!(&it.bytes, Bytes::Mapped(map) if !map.is_as_opened());
        self.files.iter().find(changed).map(|it| it.path.as_path())
    }

    /// Checks the numbers that [`Self::numbers`] gives without a copy, as long as `is_wanted` is
    /// true.
    pub(super) fn check_mapped(&self, is_wanted: &dyn Fn() -> bool) -> Result<(), NotFinite> {
        for (name, location) in &self.tensors {
            if !is_wanted() {
                return Ok(());
            }
            let bytes = self.raw(location);
            let is_finite = if self.mapped(location).is_some() {
                finite::is_finite(bytes)
            } else if self.matrix(location).is_some() {
                file_bytes::is_finite(bytes, location.tensor.dtype)
            } else {
                continue;
            };
            if !is_finite {
                // This finds the number, in the order of the model.
                self.read(name)?;
            }
        }
        Ok(())
    }

    /// A matrix that stays as the file has it.
    fn matrix(&self, location: &Location) -> Option<StoredMatrix> {
        let range = location.tensor.bytes.clone();
        let bytes = match &self.files[location.file].bytes {
            Bytes::Mapped(map) => bytes::Bytes::from_owner(SharedMap(Arc::clone(map))).slice(range),
            Bytes::Embedded(bytes) => bytes::Bytes::from_static(&bytes[range]),
        };
        StoredMatrix::new(&location.tensor, bytes)
    }

    /// A tensor's bytes in its mapped file, if a CPU can compute on them there.
    fn mapped(&self, location: &Location) -> Option<(&Arc<MappedFile>, Range<usize>)> {
        let Bytes::Mapped(map) = &self.files[location.file].bytes else { return None };
        let StoredTensor { dtype, bytes: range, order, added, .. } = &location.tensor;
        let range = range.clone();
        let is_readable = cfg!(target_endian = "little")
            && *dtype == NumberType::F32
            && *order == Order::Rows
            && *added == 0.0
            && map[range.clone()].as_ptr().addr().is_multiple_of(align_of::<f32>());
        is_readable.then_some((map, range))
    }

    fn add_file(&mut self, file: WeightFile) -> Result<(), LoadError> {
        let TensorNames { prefixes, unembedding, .. } = *self.config.family.names();
        for tensor in self.format.tensors(&file.bytes, &file.path)? {
            let plain = prefixes.iter().find_map(|it| tensor.name.strip_prefix(it));
            let plain = plain.unwrap_or(&tensor.name);
            let plain = if plain == LM_HEAD { unembedding } else { plain }.to_owned();
            if BUFFERS.iter().any(|buffer| plain.ends_with(buffer)) {
                continue;
            }
            let location = Location { file: self.files.len(), tensor };
            if let Some(Location { tensor, .. }) = self.tensors.insert(plain, location) {
                let (tensor, path) = (tensor.name, file.path);
                return Err(LoadError::Tensor { tensor, fault: "occurs twice", path });
            }
        }
        self.files.push(file);
        Ok(())
    }

    /// Checks that there is every tensor of the configuration, with its shape, and no other.
    ///
    /// Of a tied pair either name will do, and what other models have beside the language model is left
    /// out.
    fn check(&mut self) -> Result<(), LoadError> {
        self.leave_out_heads();
        let names = self.config.family.names();
        if self.config.unembedding == Unembedding::Tied
            && !self.tensors.contains_key(names.embedding)
            && let Some(tied) = self.tensors.remove(names.unembedding)
        {
            self.tensors.insert(names.embedding.to_owned(), tied);
        }
        let path_of = |it: &Location| self.files[it.file].path.clone();
        let mut expected = BTreeSet::new();
        // This stops at the first missing tensor, so a configuration that claims millions of layers
        // costs no time.
        for (name, shape) in expected_tensors(&self.config) {
            let Some(found) = self.tensors.get(&name) else {
                let path = self.list.clone();
                let others = self.tensors.values().map(|it| it.tensor.name.as_str());
                return Err(match prefix_before(&name, names.prefixes, others) {
                    Some(prefix) => LoadError::Prefix { prefix, path },
                    None => LoadError::Tensor { tensor: name, fault: "is missing", path },
                });
            };
            if found.tensor.shape != shape {
                return Err(LoadError::Shape {
                    tensor: found.tensor.name.clone(),
                    found: found.tensor.shape.clone(),
                    expected: shape,
                    path: path_of(found),
                });
            }
            expected.insert(name);
        }
        // A tied model's file may hold the unembedding too, if it equals the token embedding.
        let vocabularies = [names.unembedding, names.embedding].map(|it| self.tensors.get(it));
        if let [Some(head), Some(wte)] = vocabularies
            && self.config.unembedding == Unembedding::Tied
        {
            let is_same = head.tensor.dtype == wte.tensor.dtype
                && head.tensor.order == wte.tensor.order
                && self.raw(head) == self.raw(wte);
            if !is_same {
                let (tensor, path) = (head.tensor.name.clone(), path_of(head));
                return Err(LoadError::NotTied { tensor, path });
            }
            expected.insert(names.unembedding.to_owned());
        }
        for (name, found) in &self.tensors {
            let (tensor, path) = (found.tensor.name.clone(), path_of(found));
            if !expected.contains(name) {
                let fault = "is not part of a model of this configuration";
                return Err(LoadError::Tensor { tensor, fault, path });
            }
            if let other @ NumberType::Other(_) = found.tensor.dtype {
                return Err(LoadError::Dtype { tensor, found: other, path });
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
        self.left_out = heads.into_values().map(|it| it.tensor.name).collect();
    }

    /// The tensors of the files that are no part of a language model, by their names there.
    pub fn left_out(&self) -> &[String] {
        &self.left_out
    }

    /// A tensor's bytes.
    fn raw(&self, location: &Location) -> &[u8] {
        &self.files[location.file].bytes[location.tensor.bytes.clone()]
    }
}

/// What stands before each tensor's name, if the tensor that is looked for is there but for it.
fn prefix_before<'a>(
    missing: &str,
    usual: &[&str],
    names: impl Iterator<Item = &'a str>,
) -> Option<String> {
    let before = |name: &'a str| {
        let prefix = name.strip_suffix(missing)?;
        Some(usual.iter().find_map(|it| prefix.strip_suffix(it)).unwrap_or(prefix))
    };
    names.filter_map(before).find(|it| it.ends_with('.')).map(str::to_owned)
}

fn read_text(path: &Path) -> Result<String, LoadError> {
    fs::read_to_string(path).map_err(|source| LoadError::Read { path: path.to_owned(), source })
}
