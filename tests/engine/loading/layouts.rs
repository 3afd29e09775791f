//! The layouts of whole folders, which all open to the same model.

use std::fs;
use std::sync::Arc;

use factscope::model::{Checkpoint, ComputeDevice, LoadError, Transformer};
use factscope::task::{CancelToken, Progress, TaskCtx};
use half::{bf16, f16};
use safetensors::tensor::Dtype;

use super::{
    INDEX, Tensor, WEIGHTS, copy_of, logits_of, read_tensors, with_tensors, write_tensors,
};
use crate::support::{assert_close, fixture};

#[test]
fn names_may_have_a_prefix() {
    let dir = with_tensors(|tensors| {
        for tensor in tensors {
            tensor.name = format!("transformer.{}", tensor.name);
        }
    });
    assert_close(&logits_of(dir.path()), &logits_of(&fixture("tiny")), 0.0, "with a prefix");
}

#[test]
fn weights_may_be_in_one_file_or_several() {
    let dir = copy_of("tiny-sharded");
    let shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
        .map(|name| dir.path().join(name));
    let tensors = [read_tensors(&shards[0]), read_tensors(&shards[1])].concat();
    for path in shards {
        fs::remove_file(path).unwrap();
    }
    fs::remove_file(dir.path().join(INDEX)).unwrap();
    write_tensors(&dir.path().join(WEIGHTS), &tensors);
    assert_close(&logits_of(dir.path()), &logits_of(&fixture("tiny-sharded")), 0.0, "in one file");

    let [one, many] =
        [dir.path().to_owned(), fixture("tiny-sharded")].map(|dir| Checkpoint::open(&dir).unwrap());
    assert_eq!(one.n_bytes(), many.n_bytes());
    assert_eq!((one.dtypes(), many.dtypes()), (vec!["F16".to_owned()], vec!["F16".to_owned()]));
}

/// Each half-precision number is an f32 as well, so widening changes nothing.
#[test]
fn half_precision_is_the_f32_of_the_same_numbers() {
    for name in ["tiny-bf16", "tiny-sharded"] {
        let dir = copy_of(name);
        for entry in fs::read_dir(dir.path()).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|it| it != "safetensors") {
                continue;
            }
            let mut tensors = read_tensors(&path);
            for tensor in &mut tensors {
                let halves = tensor.bytes.as_chunks::<2>().0.iter();
                let values: Vec<f32> = match tensor.dtype {
                    Dtype::F16 => halves.map(|&it| f16::from_le_bytes(it).to_f32()).collect(),
                    Dtype::BF16 => halves.map(|&it| bf16::from_le_bytes(it).to_f32()).collect(),
                    other => panic!("{other:?}"),
                };
                *tensor = Tensor::f32(&tensor.name, &tensor.shape, &values);
            }
            write_tensors(&path, &tensors);
        }
        assert_close(&logits_of(dir.path()), &logits_of(&fixture(name)), 0.0, name);
        assert_eq!(Checkpoint::open(dir.path()).unwrap().dtypes(), ["F32"]);
    }
}

#[test]
fn opening_can_be_cancelled_and_reports_its_progress() {
    let checkpoint = Arc::new(Checkpoint::open(&fixture("tiny")).unwrap());
    let seen = std::cell::RefCell::new(Vec::new());
    let report = |progress: Progress| seen.borrow_mut().push(progress);
    let ctx = TaskCtx { cancel: CancelToken::default(), report: &report };
    let device = ComputeDevice::cpu();
    Transformer::load(&checkpoint, &device, &ctx).unwrap();
    let seen = seen.take();
    assert!(seen.iter().all(|it| it.total == checkpoint.config.n_params() && it.done < it.total));
    assert!(seen.is_sorted_by_key(|it| it.done) && seen.len() > 40);

    ctx.cancel.cancel();
    let result = Transformer::load(&checkpoint, &device, &ctx);
    assert!(matches!(result, Err(LoadError::Cancelled(_))));
    assert!(checkpoint.sha256(&ctx).is_err());
}

/// As `sha256sum` prints it.
#[test]
fn weights_are_known_by_their_hash() {
    let hashes = Checkpoint::open(&fixture("tiny")).unwrap().sha256(&TaskCtx::unwatched()).unwrap();
    let hashes: Vec<_> = hashes.iter().map(|(name, hash)| (name.as_str(), hash.as_str())).collect();
    assert_eq!(
        hashes,
        [(WEIGHTS, "fd76e961ee833391defecca4e9a3cddff9e204f909a48b4e344de8e5571628f0")]
    );
}
