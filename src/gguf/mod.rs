//! Reads what a GGUF file says of itself, and where its tensors are.
//!
//! GGUF is the format of llama.cpp: one file with the model's sizes, its tokenizer and its tensors. Reference:
//! `docs/gguf.md` in the repository of ggml, versions 2 and 3.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

mod reader;
mod value;

pub use value::{Array, Value};

use reader::Reader;

/// What comes before the tensors of a GGUF file.
#[derive(Debug)]
pub struct Header<'a> {
    pub version: u32,

    /// What the file says, by the names of the things.
    pub metadata: BTreeMap<&'a str, Value<'a>>,

    /// In the file's order.
    pub tensors: Vec<Tensor<'a>>,

    /// The byte at which the tensors begin.
    pub data_start: usize,
}

/// Where a tensor of a GGUF file is.
#[derive(Clone, Copy, Debug)]
pub struct Tensor<'a> {
    pub name: &'a str,

    /// The length of each axis, the innermost first. Axes that the file does not name have length 1.
    pub axes: [usize; MAX_AXES],
    pub n_axes: usize,

    /// The number of its type of numbers, in ggml's list of types.
    pub kind: u32,

    /// Its first byte, counted from [`Header::data_start`].
    pub start: usize,
}

/// Why a GGUF file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum GgufError {
    #[error("the file is cut short: {what} should end at byte {end}; copy or download it again")]
    CutShort { what: String, end: usize },

    #[error("{0}")]
    Invalid(String),

    #[error("cannot read the file: {0}")]
    Read(#[from] io::Error),
}

/// The most axes that a tensor of ggml may have.
const MAX_AXES: usize = 4;

/// What tensors are aligned to if the file does not say.
const ALIGNMENT: usize = 32;

impl<'a> Header<'a> {
    /// Reads the header at the beginning of a file's bytes.
    pub fn read(bytes: &'a [u8]) -> Result<Self, GgufError> {
        let mut reader = Reader::new(bytes);
        let first = reader.take("the first bytes", MAGIC.len())?;
        if OLDER.contains(&first) {
            return Err(reader.invalid(
                "this is a format of llama.cpp before GGUF, of 2023; make the file anew with llama.cpp's \
                 `convert_hf_to_gguf.py`",
            ));
        }
        if first != MAGIC {
            return Err(reader.invalid("the file does not begin with `GGUF`"));
        }
        let version: u32 = reader.number("the version")?;
        match version {
            2 | 3 => {}
            1 => {
                return Err(reader.invalid(
                    "this is version 1 of GGUF, of 2023; make the file anew with llama.cpp's \
                     `convert_hf_to_gguf.py`",
                ));
            }
            other if other.swap_bytes() < 1 << 16 => {
                return Err(reader.invalid(
                    "its numbers are in the byte order of another machine (big-endian); make the file \
                     anew with llama.cpp's `gguf_convert_endian.py`",
                ));
            }
            other => {
                return Err(reader.invalid(&format!(
                    "this is version {other} of GGUF, but only versions 2 and 3 can be read"
                )));
            }
        }
        let n_tensors: u64 = reader.number("the number of tensors")?;
        let n_entries: u64 = reader.number("the number of metadata")?;
        let mut metadata = BTreeMap::new();
        for _ in 0..n_entries {
            let key = reader.text("the name of metadata")?;
            let kind: u32 = reader.number(key)?;
            let value = Value::read(&mut reader, key, kind)?;
            if metadata.insert(key, value).is_some() {
                return Err(reader.invalid(&format!("metadata `{key}` occurs twice")));
            }
        }
        let mut header = Self { version, metadata, tensors: Vec::new(), data_start: 0 };
        for _ in 0..n_tensors {
            header.tensors.push(Tensor::read(&mut reader)?);
        }
        let alignment = header.size("general.alignment")?.unwrap_or(ALIGNMENT);
        if !alignment.is_power_of_two() || alignment > 1 << 20 {
            return Err(reader.invalid(&format!("`general.alignment` is {alignment}")));
        }
        header.data_start = reader.at.next_multiple_of(alignment);
        Ok(header)
    }

    /// A text of the metadata. `None` if there is none of that name.
    pub fn text(&self, key: &str) -> Result<Option<&'a str>, GgufError> {
        let Some(value) = self.metadata.get(key) else { return Ok(None) };
        match value {
            Value::Text(it) => Ok(Some(it)),
            other => Err(unlike(key, "text", other)),
        }
    }

    /// A whole number of the metadata. `None` if there is none of that name.
    pub fn size(&self, key: &str) -> Result<Option<usize>, GgufError> {
        let Some(value) = self.metadata.get(key) else { return Ok(None) };
        let size = match value {
            Value::Unsigned(it) => usize::try_from(*it).ok(),
            Value::Signed(it) => usize::try_from(*it).ok(),
            _ => None,
        };
        size.map(Some).ok_or_else(|| unlike(key, "size", value))
    }

    /// A number of the metadata. `None` if there is none of that name.
    pub fn number(&self, key: &str) -> Result<Option<f64>, GgufError> {
        let Some(value) = self.metadata.get(key) else { return Ok(None) };
        value.number().map(Some).ok_or_else(|| unlike(key, "number", value))
    }

    /// Whether something holds. `None` if the metadata do not say.
    pub fn flag(&self, key: &str) -> Result<Option<bool>, GgufError> {
        let Some(value) = self.metadata.get(key) else { return Ok(None) };
        match value {
            Value::Bool(it) => Ok(Some(*it)),
            other => Err(unlike(key, "truth value", other)),
        }
    }

    /// A list of the metadata. `None` if there is none of that name.
    pub fn list(&self, key: &str) -> Result<Option<Array<'a>>, GgufError> {
        let Some(value) = self.metadata.get(key) else { return Ok(None) };
        match value {
            Value::Array(it) => Ok(Some(*it)),
            other => Err(unlike(key, "list", other)),
        }
    }
}

impl<'a> Tensor<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, GgufError> {
        let name = reader.text("the name of a tensor")?;
        let n_axes = reader.number::<u32>(name)? as usize;
        if n_axes > MAX_AXES {
            return Err(reader.invalid(&format!("tensor `{name}` has {n_axes} axes")));
        }
        let mut axes = [1; MAX_AXES];
        for axis in &mut axes[..n_axes] {
            *axis = reader.size(name)?;
        }
        Ok(Self { name, axes, n_axes, kind: reader.number(name)?, start: reader.size(name)? })
    }
}

/// Whether a path is a GGUF file, by its name or by its first bytes: Ollama calls them by their hashes.
pub fn is_gguf(path: &Path) -> bool {
    let begins_so = || {
        let mut first = [0; MAGIC.len()];
        File::open(path).is_ok_and(|mut it| it.read_exact(&mut first).is_ok()) && first == *MAGIC
    };
    let is_named = path.extension().is_some_and(|it| it.eq_ignore_ascii_case("gguf"));
    path.is_file() && (is_named || begins_so())
}

/// The first bytes of a file.
const MAGIC: &[u8; 4] = b"GGUF";

/// The first bytes in the formats that llama.cpp had before.
const OLDER: [&[u8]; 4] = [b"lmgg", b"fmgg", b"tjgg", b"algg"];

/// Reads the beginning of a file, which holds the header and may go on behind it.
pub fn read_head(path: &Path) -> Result<Vec<u8>, GgufError> {
    const FIRST: u64 = 1 << 20;
    let mut file = File::open(path)?;
    let mut bytes = Vec::new();
    let mut wanted = FIRST;
    loop {
        let n_read = (&mut file).take(wanted).read_to_end(&mut bytes)?;
        match Header::read(&bytes) {
            Err(GgufError::CutShort { .. }) if n_read > 0 => wanted = bytes.len() as u64,
            Err(error) => return Err(error),
            Ok(_) => return Ok(bytes),
        }
    }
}

fn unlike(key: &str, wanted: &str, found: &Value<'_>) -> GgufError {
    GgufError::Invalid(format!("metadata `{key}` is no {wanted} but {found}"))
}
