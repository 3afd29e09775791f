//! Weight files that are cut short anywhere, or have other bytes anywhere: they give an error or a model,
//! never a panic, and take no more memory than four times the file and 64 MiB.

use std::fs::{self, OpenOptions};
use std::path::Path;
use std::sync::Arc;

use factscope::model::{Checkpoint, ComputeDevice, LoadError, Transformer};
use factscope::task::TaskCtx;
use factscope::tokens::Tokenizer;
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

/// Pickles that PyTorch never writes: they nest, repeat and claim without end.
#[test]
fn a_pickle_that_grows_without_end_is_stopped() {
    const MAGIC: &[u8] = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.";
    let n = 1 << 21;
    let nested = [vec![b']'; 400_000], vec![b'a'; 399_999]].concat();
    let repeated = [&b"]q\0"[..], &b"h\0a".repeat(n / 4)].concat();
    let itself = b"}q\0X\x01\0\0\0ah\0s".to_vec();
    // Lists of twice the list before.
    let doubled = [&b"]"[..], &b"q\0](h\0h\0e".repeat(64)].concat();
    for (what, pickle) in [
        ("nothing, again and again", vec![b'N'; n]),
        ("lists", vec![b']'; n]),
        ("marks", vec![b'('; n]),
        ("the top, again and again", [vec![b'N'], vec![b'2'; n]].concat()),
        ("what was kept, again and again", [vec![b'N'], b"q\0h\0".repeat(n / 4)].concat()),
        ("a long text", b"X\xff\xff\xff\xffab".to_vec()),
        ("a longer text", b"\x8d\xff\xff\xff\xff\xff\xff\xff\xffab".to_vec()),
        ("a long number", b"\x8b\xff\xff\xff\x7f12".to_vec()),
        ("no line's end", [b"c".to_vec(), vec![b'x'; n]].concat()),
        ("lists in lists", nested),
        ("a list with itself", repeated),
        ("a dictionary with itself", itself),
        ("doubled lists", doubled),
    ] {
        let dir = copy_of("formats/pytorch-old");
        let bytes =
            [MAGIC, b"\x80\x02M\xe9\x03.", b"\x80\x02}.", b"\x80\x02", &pickle, b".]."].concat();
        fs::write(dir.path().join("pytorch_model.bin"), &bytes).unwrap();
        assert!(open_in_bounds(dir.path(), bytes.len(), what).is_err(), "{what}");
    }
}

#[test]
fn a_damaged_tokenizer_of_a_gguf_file_is_an_error() {
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    for name in ["byte-level.gguf", "sentencepiece.gguf"] {
        let dir = copy_of("formats/gguf");
        let path = dir.path().join(name);
        let whole = fs::read(&path).unwrap();
        for nth in 0..400 {
            let mut bytes = whole.clone();
            if nth % 4 == 0 {
                bytes.truncate(rng.random_range(0..whole.len()));
            }
            for _ in 0..rng.random_range(1..4) {
                let at = rng.random_range(0..bytes.len().max(1));
                let Some(byte) = bytes.get_mut(at) else { continue };
                *byte = rng.next_u32() as u8;
            }
            fs::write(&path, &bytes).unwrap();
            // What a flipped bit gives may be a tokenizer, too, which then knows its tokens.
            let (read, peak) = peak_of(|| Tokenizer::from_dir(&path));
            let most = 4 * bytes.len() + (64 << 20);
            assert!(peak <= most, "{peak} bytes of memory, more than {most}: {name}, damage {nth}");
            if let Ok(tokenizer) = read {
                let tokens = tokenizer.encode("Paris is  the\n\n café 東").unwrap_or_default();
                assert!(
                    tokens.iter().all(|it| !tokenizer.shown(it.id).is_empty()),
                    "{name}, {nth}"
                );
            }
        }
    }
}
