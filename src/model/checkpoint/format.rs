//! The formats of weight files.

use std::fmt;
use std::path::Path;

use super::stored::{Fault, StoredTensor};
use super::{LoadError, gguf, pytorch, safetensors};

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

/// Whether a path is a weight file by its name, so that a model may be opened there.
pub fn is_weight_file(path: &Path) -> bool {
    Format::of(path).is_some() && path.is_file()
}

impl Format {
    /// The format that a file's name says.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let ending = path.extension()?;
        ENDINGS.iter().find(|(known, _)| ending == *known).map(|(_, format)| *format)
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
        let text = bytes.trim_ascii_start();
        let starts = |what: &str| {
            text.get(..what.len()).is_some_and(|it| it.eq_ignore_ascii_case(what.as_bytes()))
        };
        Some(if bytes.is_empty() {
            ("an empty file", "download it again")
        } else if starts("version https://git-lfs") {
            ("a Git LFS pointer", "run `git lfs pull` in the folder, or download the file itself")
        } else if starts("<!doctype") || starts("<html") || starts("<?xml") || starts("<head") {
            (
                "a web page",
                "download the file itself, by its link “download” or with `huggingface-cli`",
            )
        } else if starts("{") || starts("[") {
            ("a text in JSON, such as a server's answer", "download the file itself")
        } else if self != Self::Gguf && starts("GGUF") {
            ("a GGUF file", "let its name end in `.gguf` and open the file itself")
        } else if self != Self::PyTorch && (starts("PK") || bytes.starts_with(b"\x80\x02")) {
            ("a file of PyTorch", "call it `pytorch_model.bin`")
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
