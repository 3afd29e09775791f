//! Weights that PyTorch wrote, and what such a file may not hold. The files are made by
//! `tests/golden/make_formats.py`.

use std::fs;

use factscope::intervention::SiteSet;
use factscope::model::Checkpoint;
use serde::Deserialize;

use super::{check_refused, copy_of};
use crate::support::{assert_close, fixture, load, logits};

const WEIGHTS: &str = "pytorch_model.bin";

#[derive(Deserialize)]
struct Golden {
    ids: Vec<u32>,
    logits: Vec<f32>,
}

/// What Hugging Face computes from a folder's weights.
fn golden(name: &str) -> Golden {
    serde_json::from_slice(&fs::read(fixture(name).join("golden.json")).unwrap()).unwrap()
}

/// The logits of a folder's model after the ids of its reference.
fn logits_of(name: &str, golden: &Golden) -> Vec<f32> {
    logits(&load(&fixture(name)).run_clean(&golden.ids, &SiteSet::new()))
}

/// As zip archives with narrow and with wide directories, and in the older format; with tensors that are
/// parts of one storage, transposed, spread out, shared and parameters, and with the masks of old
/// checkpoints.
#[test]
fn files_of_pytorch_hold_the_same_model_as_safetensors() {
    let golden = golden("formats/safetensors");
    let plain = logits_of("formats/safetensors", &golden);
    // Sums in another order, as everywhere.
    assert_close(&plain, &golden.logits, 1e-4, "Hugging Face");
    for name in ["pytorch", "pytorch-old", "pytorch-wide"] {
        let name = format!("formats/{name}");
        // Some matrices of these files lie transposed, so products take their sums in another order.
        assert_close(&logits_of(&name, &golden), &plain, 2e-6, &name);
        assert_eq!(Checkpoint::open(&fixture(&name)).unwrap().dtypes(), ["F32"]);
    }
}

#[test]
fn shards_may_be_of_mixed_types() {
    let golden = golden("formats/sharded-safetensors");
    for name in ["sharded-safetensors", "sharded-pytorch"] {
        let name = format!("formats/{name}");
        assert_close(&logits_of(&name, &golden), &golden.logits, 1e-4, &name);
        assert_eq!(Checkpoint::open(&fixture(&name)).unwrap().dtypes(), ["F32", "F16", "BF16"]);
    }
}

#[test]
fn what_is_no_tensor_is_refused_by_its_name() {
    for (file, says) in [
        ("runs-a-command", &["`posix.system`", "never run", "save_pretrained"][..]),
        ("evaluates", &["`__builtin__.eval`", "never run"]),
        ("whole-module", &["`torch.nn.modules.linear.Linear`", "never run"]),
        ("program", &["TorchScript", "state_dict"]),
        ("no-dictionary", &["no dictionary", "state_dict"]),
        ("wrapped", &["`state_dict.`", "before their names"]),
        ("repeats", &["`wte.weight`", ".contiguous()"]),
        ("compressed", &["compressed", "zip -0"]),
        ("big-endian", &["byte order"]),
        ("no-pickle", &["no `data.pkl`"]),
        ("no-storage", &["storage `0`", "`wte.weight`", "missing"]),
        ("short-storage", &["`wte.weight`", "does not lie in its storage `0`"]),
    ] {
        let dir = copy_of("formats/pytorch");
        let broken = fixture("formats/refused").join(file).with_extension("bin");
        fs::copy(broken, dir.path().join(WEIGHTS)).unwrap();
        check_refused(dir.path(), &[says, &[WEIGHTS]].concat());
    }
}

#[test]
fn what_was_downloaded_in_place_of_a_file_of_pytorch_is_named() {
    for (content, says) in [
        ("version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer, not the weights"),
        ("", "an empty file"),
        ("<html>503</html>", "a web page"),
        ("GGUF\u{3}\0\0\0", "a GGUF file"),
        ("not a model at all", "a text, not the weights"),
        ("\u{1}\u{2}\u{3}\u{4}\u{5}", "neither a zip archive"),
        ("PK\u{3}\u{4}", "cut short"),
    ] {
        let dir = copy_of("formats/pytorch");
        fs::write(dir.path().join(WEIGHTS), content).unwrap();
        check_refused(dir.path(), &[says, WEIGHTS]);
    }
}

#[test]
fn safetensors_under_the_name_of_pytorchs_file_are_told() {
    let dir = copy_of("formats/pytorch");
    fs::copy(fixture("formats/safetensors/model.safetensors"), dir.path().join(WEIGHTS)).unwrap();
    check_refused(dir.path(), &["a safetensors file", "name it `model.safetensors`", WEIGHTS]);
}
