//! Weight files that are cut short anywhere, or have other bytes anywhere: they give an error or a model,
//! never a panic, and take no more memory than four times the file and 64 MiB.

use std::fs::{self, OpenOptions};
use std::path::Path;
use std::sync::Arc;

use factscope::model::{Checkpoint, ComputeDevice, LoadError, Transformer};
use factscope::task::TaskCtx;
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::copy_of;
use crate::memory::peak_of;

/// Opens a model and reads its weights.
fn open(path: &Path) -> Result<Transformer, LoadError> {
    Transformer::load(
        &Arc::new(Checkpoint::open(path)?),
        &ComputeDevice::cpu(),
        &TaskCtx::unwatched(),
    )
}

/// As [`open`], and holds that it takes little memory.
#[track_caller]
fn open_in_bounds(path: &Path, len: usize, what: &str) -> Result<Transformer, LoadError> {
    let (result, peak) = peak_of(|| open(path));
    let most = 4 * len + (64 << 20);
    assert!(peak <= most, "{peak} bytes of memory, more than {most}: {what}");
    result
}

/// Damages a weight file in a copy of a fixture in every way. `model`: what is opened, in that folder.
fn check_damaged(name: &str, file: &str, model: &str) {
    const N_FLIPPED: usize = 500;
    let dir = copy_of(name);
    let path = dir.path().join(file);
    let model = dir.path().join(model);
    let whole = fs::read(&path).unwrap();
    assert!(open(&model).is_ok());

    let mut rng = ChaCha8Rng::seed_from_u64(8);
    for nth in 0..N_FLIPPED {
        let mut bytes = whole.clone();
        for _ in 0..rng.random_range(1..4) {
            let at = rng.random_range(0..bytes.len());
            bytes[at] = rng.next_u32() as u8;
        }
        fs::write(&path, &bytes).unwrap();
        // What a flipped bit of a weight gives is a model as well.
        _ = open_in_bounds(&model, bytes.len(), &format!("{name}, damage {nth}"));
    }

    fs::write(&path, &whole).unwrap();
    let cut = OpenOptions::new().write(true).open(&path).unwrap();
    let (head, tail) = (0..3000, whole.len().saturating_sub(300)..whole.len());
    for len in (0..whole.len()).rev() {
        // Between what stands first and what stands last, numbers are cut.
        if !head.contains(&len) && !tail.contains(&len) && len % 16 != 0 {
            continue;
        }
        cut.set_len(len as u64).unwrap();
        let what = format!("{name}, its first {len} bytes");
        assert!(open_in_bounds(&model, len, &what).is_err(), "{what}");
    }
}

#[test]
fn a_damaged_safetensors_file_is_an_error() {
    check_damaged("formats/safetensors", "model.safetensors", "");
}

#[test]
fn a_damaged_archive_of_pytorch_is_an_error() {
    check_damaged("formats/pytorch", "pytorch_model.bin", "");
    check_damaged("formats/pytorch-wide", "pytorch_model.bin", "");
}

#[test]
fn a_damaged_file_of_old_pytorch_is_an_error() {
    check_damaged("formats/pytorch-old", "pytorch_model.bin", "");
}

#[test]
fn a_damaged_gguf_file_is_an_error() {
    check_damaged("formats/gguf", "small.gguf", "small.gguf");
    check_damaged("formats/gguf", "quantised.gguf", "quantised.gguf");
}
