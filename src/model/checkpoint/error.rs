//! Why a model on disk cannot be used.

use std::io;
use std::path::PathBuf;

use super::super::finite::NotFinite;
use super::super::number_check::UnfitWeights;
use super::{Format, NumberType};
use crate::task::Cancelled;

/// Why a model folder cannot be used. Each message names the file, and the tensor if one is to
/// blame.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error(
        "there is no such folder or file, nor a model of that name in Hugging Face's cache: {0}"
    )]
    NoSuchDir(PathBuf),

    #[error(
        "the name of the model, or of a folder that it lies in, is no UTF-8 text, so that no spec, picture or \
         session could say which model it is of; rename it: {0}"
    )]
    Name(PathBuf),

    #[error("there is no `config.json`, so this is not a Hugging Face model folder: {0}")]
    NoConfig(PathBuf),

    #[error(
        "this is {what}, and not a file; put the file itself there, or download the model again: {path}"
    )]
    NoFile { what: &'static str, path: PathBuf },

    #[error("there is no `config.json`, and this is {what}; {remedy}: {dir}")]
    OtherFolder { what: String, remedy: String, dir: PathBuf },

    #[error("there is no `config.json`; open the GGUF file itself, such as {file}: {dir}")]
    OpenTheFile { dir: PathBuf, file: PathBuf },

    #[error(
        "this is no weight file by its name, which may end in `.gguf`, `.safetensors`, `.bin`, `.pt` or \
         `.pth`: {0}"
    )]
    NoWeightFile(PathBuf),

    #[error("cannot use the model's configuration: {reason}: {path}")]
    Config { path: PathBuf, reason: String },

    #[error("there are no weights, none of {names}{hint}: {dir}")]
    NoWeights { dir: PathBuf, names: String, hint: String },

    #[error("cannot read the file: {source}: {path}")]
    Read { path: PathBuf, source: io::Error },

    #[error("cannot use the index of shards: {reason}: {path}")]
    Index { path: PathBuf, reason: String },

    #[error("cannot read the {format} file: {reason}: {path}")]
    Format { format: Format, path: PathBuf, reason: String },

    #[error(
        "the file is cut short: {what} should end at byte {end}, but the file ends at byte {len}; copy \
         or download it again: {path}"
    )]
    CutShort { what: String, end: usize, len: usize, path: PathBuf },

    #[error(
        "from byte {from} to its end the file holds zeros only, tensor `{tensor}` among them, as a download \
         leaves it that was broken off; download it again: {path}"
    )]
    Unfilled { tensor: String, from: usize, path: PathBuf },

    #[error(
        "`model_type` is missing in the configuration, and tensor `{tensor}`, which every GPT-2 has, is \
         missing too; write down the `model_type`, such as `llama`: {path}"
    )]
    NoType { tensor: &'static str, path: PathBuf },

    #[error(
        "tensor `{tensor}` is missing, which a model of this configuration has; the file is a part of the \
         model or of another one, so get it again{together}: {path}"
    )]
    Missing { tensor: String, together: &'static str, path: PathBuf },

    #[error("tensor `{tensor}` {fault}: {path}")]
    Tensor { tensor: String, fault: String, path: PathBuf },

    #[error(
        "tensors have `{prefix}` before their names, as a wrapped model leaves it; save the model \
         inside the wrapper, or take `{prefix}` away from the names: {path}"
    )]
    Prefix { prefix: String, path: PathBuf },

    #[error("this is {what}, not the weights; {remedy}: {path}")]
    NotWeights { what: &'static str, remedy: &'static str, path: PathBuf },

    #[error(
        "tensor `{tensor}` has shape {found:?}, but must have {expected:?} by {said}; \
         they are of two models, or what is said is wrong: get both again: {path}"
    )]
    Shape {
        tensor: String,
        found: Vec<usize>,
        expected: Vec<usize>,

        /// The sizes that are to blame, and where they stand.
        said: String,
        path: PathBuf,
    },

    #[error(
        "tensor `{tensor}` is of type {found}; only F32, F16, BF16 and ggml's Q8_0, Q6_K, Q5_K, Q5_1, Q5_0, \
         Q4_K, Q4_1 and Q4_0 can be read; save it in one of these, in Python with `model.float()` before \
         `save_pretrained(folder)`: {path}"
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
