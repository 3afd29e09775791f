//! What is wrong with a weight file whose header cannot be read.

use std::path::PathBuf;

use safetensors::tensor::{Metadata, SafeTensorError};

use super::LoadError;

/// The error for a file whose header could not be read. If the file is too short, the error names
/// the first tensor that is cut off.
pub(super) fn header_error(error: &SafeTensorError, map: &[u8], path: PathBuf) -> LoadError {
    let header = || -> Option<(usize, Metadata)> {
        let (size, rest) = map.split_first_chunk::<8>()?;
        let size = usize::try_from(u64::from_le_bytes(*size)).ok()?;
        Some((8 + size, serde_json::from_slice(rest.get(..size)?).ok()?))
    };
    if matches!(error, SafeTensorError::MetadataIncompleteBuffer)
        && let Some((data_start, metadata)) = header()
    {
        let mut tensors: Vec<_> = metadata.tensors().into_iter().collect();
        tensors.sort_by_key(|(_, info)| info.data_offsets);
        for (tensor, info) in tensors {
            let end = data_start + info.data_offsets.1;
            if end > map.len() {
                return LoadError::Truncated { tensor, end, len: map.len(), path };
            }
        }
    }
    match other_content(map) {
        Some((what, remedy)) => LoadError::NotWeights { what, remedy, path },
        None => LoadError::Header { path, reason: error.to_string() },
    }
}

/// What a file is whose name says that it holds weights, and what to do about it.
fn other_content(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    let text = bytes.trim_ascii_start();
    let starts = |what: &str| {
        text.get(..what.len()).is_some_and(|it| it.eq_ignore_ascii_case(what.as_bytes()))
    };
    Some(if bytes.is_empty() {
        ("an empty file", "download it again")
    } else if starts("version https://git-lfs") {
        ("a Git LFS pointer", "run `git lfs pull` in the folder, or download the file itself")
    } else if starts("<!doctype") || starts("<html") || starts("<?xml") || starts("<head") {
        ("a web page", "download the file itself, by its link “download” or with `huggingface-cli`")
    } else if starts("{") || starts("[") {
        ("a text in JSON, such as a server's answer", "download the file itself")
    } else if starts("GGUF") {
        ("a GGUF file", "choose the folder of the model's safetensors files")
    } else if starts("PK") || bytes.starts_with(b"\x80\x02") {
        (
            "a file of PyTorch",
            "save the model again with `model.save_pretrained(folder, safe_serialization=True)`",
        )
    } else {
        return None;
    })
}
