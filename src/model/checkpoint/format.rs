//! The formats of weight files.

use std::fmt;
use std::path::Path;

use super::other_folder::SAVE;
use super::stored::{Fault, StoredTensor};
use super::{LoadError, gguf, gguf_keys, pytorch, safetensors};
use crate::gguf::is_gguf;
use crate::text_file;

/// The format of a weight file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Safetensors,

    /// What `torch.save` writes.
    PyTorch,

    /// llama.cpp's, which holds the configuration and the tokenizer as well.
    Gguf,
}

/// How the names of weight files end, each with the format that this says.
const ENDINGS: [(&str, Format); 5] = [
    ("gguf", Format::Gguf),
    ("safetensors", Format::Safetensors),
    ("bin", Format::PyTorch),
    ("pt", Format::PyTorch),
    ("pth", Format::PyTorch),
];

/// How the names of weight files end.
pub static WEIGHT_ENDINGS: [&str; 5] =
    [ENDINGS[0].0, ENDINGS[1].0, ENDINGS[2].0, ENDINGS[3].0, ENDINGS[4].0];

/// Whether a path is a weight file, so that a model may be opened there.
pub fn is_weight_file(path: &Path) -> bool {
    Format::of(path).is_some() && path.is_file()
}

impl Format {
    /// The format that a file's name says, or its first bytes where the name says none.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let is_of = |known: &str| path.extension().is_some_and(|it| it.eq_ignore_ascii_case(known));
        let named = ENDINGS.iter().find(|(known, _)| is_of(known)).map(|(_, format)| *format);
        named.or_else(|| is_gguf(path).then_some(Self::Gguf))
    }

    /// Reads where each tensor of a file is.
    pub(super) fn tensors(self, bytes: &[u8], path: &Path) -> Result<Vec<StoredTensor>, LoadError> {
        let tensors = match self {
            Self::Safetensors => safetensors::tensors(bytes),
            Self::PyTorch => pytorch::tensors(bytes),
            Self::Gguf => gguf::tensors(bytes),
        };
        let tensors = tensors.and_then(|tensors| {
            // A tied pair may be counted twice. More would grow in memory without end.
            let n_bytes: usize = tensors.iter().map(|it| it.bytes.len()).sum();
            if n_bytes > bytes.len().saturating_mul(2) {
                return Err(Fault::invalid("its tensors have the same numbers again and again"));
            }
            Ok(tensors)
        });
        tensors.map_err(|fault| self.error(fault, bytes, path))
    }

    /// The text of the `config.json` that a file holds in another form. `None` if it holds none.
    pub(super) fn config(self, bytes: &[u8], path: &Path) -> Option<Result<String, LoadError>> {
        match self {
            Self::Safetensors | Self::PyTorch => None,
            Self::Gguf => Some(gguf::config(bytes).map_err(|fault| self.error(fault, bytes, path))),
        }
    }

    /// What a file calls a tensor that it does not have, from Hugging Face's name. `None` if it has its
    /// names from there.
    pub(super) fn name_in_file(self, bytes: &[u8], name: &str) -> Option<String> {
        match self {
            Self::Safetensors | Self::PyTorch => None,
            Self::Gguf => gguf::name_in_file(bytes, name),
        }
    }

    /// Whether a file of this format holds the configuration.
    pub(super) fn has_config(self) -> bool {
        self == Self::Gguf
    }

    /// What a file calls a field of a `config.json`. `None` if it has none of its own.
    pub(super) fn key_in_file(self, bytes: &[u8], field: &str) -> Option<String> {
        match self {
            Self::Safetensors | Self::PyTorch => None,
            Self::Gguf => gguf_keys::key(bytes, field),
        }
    }

    /// A text about a `config.json`, with the names that its fields have in a file that holds them
    /// itself.
    pub(super) fn in_file(self, bytes: &[u8], text: String) -> String {
        match self {
            Self::Safetensors | Self::PyTorch => text,
            Self::Gguf => gguf_keys::with_keys(bytes, &text),
        }
    }

    /// The shape of a tensor as programs for this format show it, from that of Hugging Face's.
    pub(super) fn shape_in_file(self, bytes: &[u8], tensor: &str, shape: &[usize]) -> Vec<usize> {
        match self {
            Self::Safetensors | Self::PyTorch => shape.to_vec(),
            Self::Gguf => gguf::shape_in_file(bytes, tensor, shape),
        }
    }

    fn error(self, fault: Fault, bytes: &[u8], path: &Path) -> LoadError {
        let path = path.to_owned();
        if let Some((what, remedy)) = self.other_content(bytes) {
            return LoadError::NotWeights { what, remedy, path };
        }
        match fault {
            Fault::CutShort { what, end } => {
                LoadError::CutShort { what, end, len: bytes.len(), path }
            }
            Fault::Invalid(reason) => LoadError::Format { format: self, reason, path },
        }
    }

    /// What a file is whose name says that it holds weights, and what to do about it.
    fn other_content(self, bytes: &[u8]) -> Option<(&'static str, &'static str)> {
        if let Some(other) = text_file::something_else(bytes) {
            return Some(other);
        }
        let text = bytes.trim_ascii_start();
        let starts = |what: &[u8]| text.starts_with(what);
        let holds = |what: &[u8]| bytes.windows(what.len()).take(1 << 16).any(|it| it == what);
        // A safetensors file begins with the size of its header, which has bytes of any kind.
        let is_sized = self == Self::Safetensors && bytes.get(4..8) == Some(&[0; 4]);
        if is_sized {
            return None;
        }
        Some(if starts(b"{") || starts(b"[") {
            ("a text in JSON, such as a server's answer", "download the file itself")
        } else if self != Self::Gguf && starts(b"GGUF") {
            ("a GGUF file", "let its name end in `.gguf` and open the file itself")
        } else if starts(b"PK") && (holds(b".npy") || holds(b"arr_0")) {
            ("an archive of numpy's arrays", SAVE)
        } else if self != Self::PyTorch && starts(b"PK") && holds(b"data.pkl") {
            ("a file of PyTorch", "call it `pytorch_model.bin`")
        } else if self != Self::PyTorch && starts(b"PK") {
            ("a zip archive", "unpack it; if PyTorch has written it, call it `pytorch_model.bin`")
        } else if self != Self::PyTorch && bytes.starts_with(b"\x80\x02") {
            ("a file of PyTorch", "call it `pytorch_model.bin`")
        } else if matches!(bytes, [0x80, 3..=5, ..]) {
            ("a Python pickle, which could run code", SAVE)
        } else if matches!(bytes, [0x80..=0x8f | 0xde | 0xdf, 0xa0..=0xbf | 0xd9, ..]) {
            ("a file in MessagePack, as Flax writes it", SAVE)
        } else if matches!(bytes, [8, 1..=12, 18 | 58, ..]) {
            ("a model for ONNX", SAVE)
        } else if bytes.iter().take(64).all(|it| it.is_ascii_graphic() || it.is_ascii_whitespace())
        {
            ("a text", "download the file itself")
        } else {
            return None;
        })
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Safetensors => "safetensors",
            Self::PyTorch => "PyTorch",
            Self::Gguf => "GGUF",
        })
    }
}
