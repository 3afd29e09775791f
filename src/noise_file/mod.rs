//! Noise that somebody else has drawn, as a file of numpy's: `.npy`, or `.npz` with one array.
//!
//! A specification names such a file by its path and its SHA-256, so that a run that is done again
//! is the same run, or says that it is not.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::analysis::corruption::{GivenNoise, NoiseFile};

mod npy;
mod npz;

/// As numpy saves one array, and several.
pub const EXTENSIONS: &[&str] = &["npy", "npz"];

/// In bytes. Far above what the noise of any prompt takes.
const MAX_BYTES: u64 = 1 << 30;

/// The array that is taken where an `.npz` has several.
const NAME: &str = "noise";

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

/// A file's noise, and its name for a specification.
pub fn read(path: &Path) -> Result<(NoiseFile, GivenNoise), NoiseFileError> {
    let wrong = |reason| NoiseFileError::Wrong { path: path.to_owned(), reason };
    let failed = |source| NoiseFileError::Read { path: path.to_owned(), source };
    if fs::metadata(path).map_err(failed)?.len() > MAX_BYTES {
        return Err(wrong("this has more than a gigabyte, so it is no noise of one prompt".into()));
    }
    let bytes = fs::read(path).map_err(failed)?;
    let noise = parse(&bytes).map_err(wrong)?;
    Ok((NoiseFile { path: path.to_owned(), sha256: sha256(&bytes) }, noise))
}

/// The noise of a file that must be what it was.
pub fn read_again(file: &NoiseFile) -> Result<GivenNoise, NoiseFileError> {
    let path = file.path.clone();
    // A file that has changed may be wrong as well; that it has changed says more.
    let bytes = fs::read(&path);
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

/// The error says what is wrong, and how to set it right.
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

#[cfg(test)]
mod tests {
    use super::*;

    /// As `numpy.save` writes an array of one, two, three, ….
    fn npy_file(descr: &str, order: &str, shape: &str, data: &[u8]) -> Vec<u8> {
        let mut head =
            format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}");
        while !(10 + head.len() + 1).is_multiple_of(64) {
            head.push(' ');
        }
        head.push('\n');
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((head.len() as u16).to_le_bytes());
        bytes.extend(head.bytes());
        bytes.extend(data);
        bytes
    }

    fn f32s(values: &[f32]) -> Vec<u8> {
        values.iter().flat_map(|it| it.to_le_bytes()).collect()
    }

    #[test]
    fn both_widths_are_read_in_order() {
        let shape = "(2, 1, 3)";
        let singles = npy_file("<f4", "False", shape, &f32s(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.5]));
        let doubles: Vec<u8> =
            [1.0_f64, 2.0, 3.0, 4.0, 5.0, 6.5].iter().flat_map(|it| it.to_le_bytes()).collect();
        let doubles = npy_file("<f8", "False", shape, &doubles);
        for bytes in [singles, doubles] {
            let noise = parse(&bytes).unwrap();
            assert_eq!(noise.shape, [2, 1, 3]);
            assert_eq!(noise.values, [1.0, 2.0, 3.0, 4.0, 5.0, 6.5]);
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_remedy() {
        let four = f32s(&[1.0; 4]);
        for (bytes, says) in [
            (npy_file("<f2", "False", "(2, 1, 2)", &[0; 8]), "noise.astype('float32')"),
            (npy_file("<i8", "False", "(2, 1, 2)", &[0; 32]), "noise.astype('float32')"),
            (npy_file(">f4", "False", "(2, 1, 2)", &four), "noise.astype('<f4')"),
            (npy_file("<f4", "True", "(2, 1, 2)", &four), "numpy.ascontiguousarray(noise)"),
            (npy_file("<f4", "False", "(2, 2)", &four), "(samples, subject tokens, d_model)"),
            (npy_file("<f4", "False", "(4,)", &four), "the shape (4,)"),
            (npy_file("<f4", "False", "(2, 1, 3)", &four), "24 bytes of numbers, and has 16"),
            (npy_file("<f4", "False", "(2, 0, 3)", &[]), "has no numbers"),
            (
                npy_file("<f4", "False", "(18446744073709551615, 2, 3)", &four),
                "more numbers than a file can have",
            ),
            (
                npy_file("<f4", "False", "(1, 2, 2)", &f32s(&[0.0, 0.0, f32::NAN, 0.0])),
                "NaN at [0, 1, 0]",
            ),
            (b"PK\x03\x04".to_vec(), "not whole"),
            (b"hello".to_vec(), "numpy.save"),
            (Vec::new(), "numpy.save"),
        ] {
            let error = parse(&bytes).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn a_file_that_has_changed_is_told_from_the_one_that_was_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("noise.npy");
        fs::write(&path, npy_file("<f4", "False", "(1, 1, 2)", &f32s(&[1.0, 2.0]))).unwrap();
        let (file, noise) = read(&path).unwrap();
        assert_eq!(read_again(&file).unwrap(), noise);
        fs::write(&path, npy_file("<f4", "False", "(1, 1, 2)", &f32s(&[1.0, 3.0]))).unwrap();
        let error = read_again(&file).unwrap_err().to_string();
        assert!(error.contains("is not what it was"), "{error}");
        fs::remove_file(&path).unwrap();
        assert!(matches!(read_again(&file), Err(NoiseFileError::Read { .. })));
    }
}
