//! A model on disk: a folder in Hugging Face's layout, which has a `config.json` and weights in one file or
//! several, or a single file.
//!
//! Opening reads only the headers, and checks every name and shape. The weights are read tensor by
//! tensor from a memory map, so that there is never a second copy of the model.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::ModelConfig;
use super::finite::NotFinite;
use super::tensor_names::{BUFFERS, LM_HEAD, TensorNames};
use crate::builtin;
use crate::hub;
use crate::task::{Cancelled, Progress, TaskCtx};
use crate::text_file;

use file_bytes::{Bytes, SharedMap, decode};
use layout::Layout;
use mapped_file::MappedFile;
use stored::{Order, StoredTensor};

pub use error::LoadError;
pub use format::{Format, WEIGHT_ENDINGS, is_weight_file};
pub use memory::WeightMemory;
pub use stored::NumberType;
pub(crate) use stored_matrix::StoredMatrix;

mod check;
mod error;
mod file_bytes;
mod format;
mod gguf;
mod gguf_families;
mod gguf_keys;
mod gguf_said;
#[cfg(test)]
mod gguf_tests;
mod layout;
mod mapped_file;
mod memory;
mod other_folder;
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

    /// The file of each tensor by its whole name, as the index of shards says. `None` without an index.
    index: Option<BTreeMap<String, PathBuf>>,

    /// Where each tensor is, by its name without the family's prefix, such as `transformer.`.
    tensors: BTreeMap<String, Location>,

    /// The names of tensors that are no part of a language model.
    left_out: Vec<String>,

    /// The text of the `config.json`, or what the file says in its place.
    config_text: String,
}

#[derive(Debug)]
struct WeightFile {
    path: PathBuf,
    bytes: Bytes,
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
            (None, Some(path)) => match read_json(&path) {
                Ok(text) => (text, path),
                Err(reason) => return Err(LoadError::Config { path, reason }),
            },
            (None, None) => {
                let held = files.iter().find_map(|it| layout.format.config(&it.bytes, &it.path));
                (
                    held.unwrap_or_else(|| Err(LoadError::NoConfig(path.to_owned())))?,
                    path.to_owned(),
                )
            }
        };
        let config = ModelConfig::from_json(&text).map_err(|reason| {
            let bytes = files.first().map_or(&[][..], |it| &it.bytes[..]);
            LoadError::Config { path: path_of_config, reason: layout.format.in_file(bytes, reason) }
        })?;

        let mut checkpoint = Self {
            dir: path.to_owned(),
            config,
            format: layout.format,
            files: Vec::new(),
            list: layout.list,
            index: layout.index,
            tensors: BTreeMap::new(),
            left_out: Vec::new(),
            config_text: text,
        };
        for file in files {
            checkpoint.add_file(file)?;
        }
        let embedding = checkpoint.config.family.names().embedding;
        if !checkpoint.config_text.contains("\"model_type\"")
            && !checkpoint.tensors.contains_key(embedding)
        {
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

    /// A copy of one tensor as `f32`, checked to be finite. `name` has no prefix of the family.
    ///
    /// # Panics
    ///
    /// If the checkpoint has no tensor of that name.
    pub fn read(&self, name: &str) -> Result<Vec<f32>, NotFinite> {
        let location = self.tensors.get(name).expect("checked when the folder was opened");
        let file = &self.files[location.file];
        let StoredTensor { dtype, bytes, .. } = &location.tensor;
        let (values, is_finite) = decode(&file.bytes[bytes.clone()], *dtype);
        // The system may drop these pages from memory; they can be read again.
        file.bytes.forget(bytes.start, bytes.len());
        let values = location.tensor.put_right(values);
        if is_finite || values.iter().all(|it| it.is_finite()) {
            return Ok(values);
        }
        Err(NotFinite::find(location.tensor.in_file(), &values, &file.path))
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
            let is_copied = self.mapped(location).is_none() && self.matrix(location).is_none();
            if !is_copied && !self.is_finite(location) {
                // This finds the number, in the order of the model.
                self.read(name)?;
            }
        }
        Ok(())
    }

    /// Of each tensor that holds numbers that are not finite the first one. Reads the files whole.
    pub fn not_finite(&self, ctx: &TaskCtx<'_>) -> Result<Vec<NotFinite>, Cancelled> {
        let mut done = 0;
        let mut found = Vec::new();
        for (name, location) in &self.tensors {
            ctx.checkpoint(Progress { done, total: self.n_bytes() })?;
            if !self.is_finite(location) {
                found.extend(self.read(name).err());
            }
            let range = &location.tensor.bytes;
            self.files[location.file].bytes.forget(range.start, range.len());
            done += range.len() as u64;
        }
        Ok(found)
    }

    fn is_finite(&self, location: &Location) -> bool {
        file_bytes::is_finite(self.raw(location), location.tensor.dtype)
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
            let is_buffer = |name: &str| plain == name || plain.ends_with(&format!(".{name}"));
            if BUFFERS.into_iter().any(is_buffer) {
                continue;
            }
            let location = Location { file: self.files.len(), tensor };
            let tensor = location.tensor.in_file().to_owned();
            if let Some(first) = self.tensors.insert(plain, location) {
                let fault = match self.files.get(first.file) {
                    Some(other) => format!(
                        "occurs twice, also in {}; get all files again, or remove what is of another save",
                        other.path.display()
                    ),
                    None => format!("occurs twice, also as `{}`", first.tensor.in_file()),
                };
                return Err(LoadError::Tensor { tensor, fault, path: file.path });
            }
        }
        self.files.push(file);
        Ok(())
    }

    /// The tensors of the files that are no part of a language model, by their names there.
    pub fn left_out(&self) -> &[String] {
        &self.left_out
    }

    /// The file that a tensor is in.
    fn path_of(&self, location: &Location) -> &Path {
        &self.files[location.file].path
    }

    /// A tensor's bytes.
    fn raw(&self, location: &Location) -> &[u8] {
        &self.files[location.file].bytes[location.tensor.bytes.clone()]
    }
}

/// The text of a JSON file, with `null` for what only Python reads.
fn read_json(path: &Path) -> Result<String, String> {
    let text = text_file::read(path)?;
    Ok(text_file::json(&text)?.into_owned())
}
