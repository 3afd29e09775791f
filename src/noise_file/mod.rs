//! Noise that somebody else has drawn, as a file of numpy's: `.npy`, or `.npz` with one array.
//!
//! A specification names such a file by its path and its SHA-256, so that a run that is
//! repeated gives the same numbers, or says that the file has changed.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::analysis::corruption::{GivenNoise, NoiseFile};
use crate::whole_file;

mod npy;
mod npz;

/// The file extensions that numpy gives to one array, and to several.
pub const EXTENSIONS: &[&str] = &["npy", "npz"];

/// The largest file that is read, in bytes: far above what the noise of any prompt takes.
const MAX_BYTES: u64 = 1 << 30;

/// The array that is taken where an `.npz` has several.
const NAME: &str = "noise";

/// Why a noise file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NoiseFileError {
    #[error("cannot read the noise file: {source}: {path}")]
    Read { path: PathBuf, source: std::io::Error },

    #[error("{reason}: {path}")]
    Wrong { path: PathBuf, reason: String },

    #[error(
        "the noise file is not what it was when this was asked: its SHA-256 was {was}, and is {is}; \
         put the file back, or ask anew with this one: {path}"
    )]
    Changed { path: PathBuf, was: String, is: String },
}

/// The noise of a file, and what a spec names the file by.
pub fn read(path: &Path) -> Result<(NoiseFile, GivenNoise), NoiseFileError> {
    let wrong = |reason| NoiseFileError::Wrong { path: path.to_owned(), reason };
    let failed = |source| NoiseFileError::Read { path: path.to_owned(), source };
    if path.to_str().is_none() {
        return Err(wrong(
            "the name of the file, or of a folder that it lies in, is no UTF-8 text, so that no spec could name \
             it; rename it"
                .into(),
        ));
    }
    if fs::metadata(path).map_err(failed)?.len() > MAX_BYTES {
        return Err(wrong("this has more than a gigabyte, so it is no noise of one prompt".into()));
    }
    let bytes = whole_file::read(path).map_err(failed)?;
    let noise = parse(&bytes).map_err(wrong)?;
    Ok((NoiseFile { path: path.to_owned(), sha256: sha256(&bytes) }, noise))
}

/// The noise of a file, which must not have changed since it was named.
pub fn read_again(file: &NoiseFile) -> Result<GivenNoise, NoiseFileError> {
    let path = file.path.clone();
    // A file that has changed may be malformed as well, but the change says more.
    let bytes = whole_file::read(&path);
    let bytes = bytes.map_err(|source| NoiseFileError::Read { path: path.clone(), source })?;
    let is = sha256(&bytes);
    if is != file.sha256 {
        return Err(NoiseFileError::Changed { path, was: file.sha256.clone(), is });
    }
    parse(&bytes).map_err(|reason| NoiseFileError::Wrong { path, reason })
}

fn sha256(bytes: &[u8]) -> String {
    let mut hash = String::new();
    for byte in Sha256::digest(bytes) {
        _ = write!(hash, "{byte:02x}");
    }
    hash
}

/// The noise in a file's bytes. The error says what is wrong, and how to set it right.
fn parse(bytes: &[u8]) -> Result<GivenNoise, String> {
    let array = if npz::is_archive(bytes) {
        npy::parse(&npz::array(bytes, NAME, MAX_BYTES)?)?
    } else {
        npy::parse(bytes)?
    };
    let &[n_samples, n_tokens, d_model] = array.shape.as_slice() else {
        let shape = npy::shape_text(&array.shape);
        return Err(format!(
            "the noise has the shape {shape}; it must be (samples, subject tokens, d_model), so \
             that one sample is `noise[None]`"
        ));
    };
    if let Some(nth) = array.values.iter().position(|value| !value.is_finite()) {
        let (sample, rest) = (nth / (n_tokens * d_model), nth % (n_tokens * d_model));
        return Err(format!(
            "the noise is {} at [{sample}, {}, {}]; every number must be finite",
            array.values[nth],
            rest / d_model,
            rest % d_model
        ));
    }
    Ok(GivenNoise { shape: [n_samples, n_tokens, d_model], values: array.values })
}
