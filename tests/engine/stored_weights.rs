//! Weights that stay as their file stores them: they give the numbers of the same weights as `f32`.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use factscope::analysis::{AnalysisCtx, AnalysisResult, AnalysisSpec, Reuse};
use factscope::intervention::Site;
use factscope::model::{
    BatchRow, Checkpoint, ComputeDevice, DeviceChoice, FloatType, ModelConfig, Objective,
    Transformer, WeightMemory, write_random_checkpoint,
};
use factscope::task::TaskCtx;
use factscope::worker::Engine;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use tempfile::TempDir;

use crate::every_analysis::specs;
use crate::families::{check_alike, with_tokenizer};
use crate::gradients::{gradients, whole_run};
use crate::memory::peak_of;
use crate::support::{answer_of, fixture, load, logits, prompt};

const WEIGHTS: &str = "model.safetensors";

/// Writes a folder's weights again, each number as `write` gives it.
fn rewrite(dir: &Path, dtype: Dtype, write: impl Fn(f32) -> Vec<u8>) {
    let path = dir.join(WEIGHTS);
    let bytes = fs::read(&path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let written = file.tensors().into_iter().map(|(name, tensor)| {
        let numbers = numbers(&tensor);
        (name, tensor.shape().to_vec(), numbers.into_iter().flat_map(&write).collect::<Vec<u8>>())
    });
    let written: Vec<_> = written.collect();
    let views = written.iter().map(|(name, shape, bytes)| {
        (name.as_str(), TensorView::new(dtype, shape.clone(), bytes).unwrap())
    });
    safetensors::serialize_to_file(views, None, &path).unwrap();
}

fn numbers(tensor: &TensorView<'_>) -> Vec<f32> {
    let (fours, twos) = (tensor.data().as_chunks().0, tensor.data().as_chunks().0);
    match tensor.dtype() {
        Dtype::F32 => fours.iter().map(|it| f32::from_le_bytes(*it)).collect(),
        Dtype::F16 => twos.iter().map(|it| half::f16::from_le_bytes(*it).to_f32()).collect(),
        Dtype::BF16 => twos.iter().map(|it| half::bf16::from_le_bytes(*it).to_f32()).collect(),
        other => panic!("{other:?}"),
    }
}

fn widen(dir: &Path) {
    rewrite(dir, Dtype::F32, |it| it.to_le_bytes().to_vec());
}

/// A folder with bf16 weights and one with the same as f32.
fn pair_of(family: &str) -> [TempDir; 2] {
    let dirs = [0, 1].map(|_| with_tokenizer(&fixture("families").join(family)));
    for dir in &dirs {
        rewrite(dir.path(), Dtype::BF16, |it| half::bf16::from_f32(it).to_le_bytes().to_vec());
    }
    widen(dirs[1].path());
    dirs
}

/// The logits of all tokens, and the gradients where the embedding enters.
fn logits_and_gradients(dir: &Path) -> [Vec<f32>; 2] {
    let model = load(dir);
    let [one, other]: [&[u32]; 2] = [&[3, 70, 12, 9, 40], &[5, 11, 8, 8, 2]];
    let run = whole_run(&model, &[BatchRow::new(one, &[]), BatchRow::new(other, &[])]);
    let objective = Objective::LogProb { tokens: &[7] };
    [logits(&run), gradients(&model, &run, objective, 0, Site::Embed)]
}

/// Matrices of several tiles, whose columns lie side by side (GPT-2) or one after the other.
#[test]
fn tiles_give_the_numbers_of_the_whole_matrix_to_the_bit() {
    let gpt2 = r#"{"model_type": "gpt2", "n_layer": 1, "n_head": 4, "n_embd": 1024, "n_ctx": 16,
        "n_positions": 16, "vocab_size": 2300, "tie_word_embeddings": true}"#;
    let llama = r#"{"model_type": "llama", "num_hidden_layers": 1, "num_attention_heads": 4,
        "num_key_value_heads": 2, "hidden_size": 1024, "intermediate_size": 2100,
        "vocab_size": 2300, "max_position_embeddings": 16, "tie_word_embeddings": false}"#;
    for config in [gpt2, llama] {
        let config = ModelConfig::from_json(config).unwrap();
        for stored_as in [FloatType::Bf16, FloatType::F16] {
            let dir = tempfile::tempdir().unwrap();
            let unwatched = TaskCtx::unwatched();
            write_random_checkpoint(&config, 3, stored_as, dir.path(), &unwatched).unwrap();
            let stored = logits_and_gradients(dir.path());
            widen(dir.path());
            let widened = logits_and_gradients(dir.path());
            assert!(stored == widened, "{:?}, {stored_as:?}", config.family);
        }
    }
}

/// Each method, with and without exact reuse. Queries, keys and values of Pythia lie another way once
/// they are copied, and are summed in another order.
#[test]
fn every_method_says_the_same_of_weights_that_stay_in_their_file() {
    let mut prompt = prompt("In Paris it is", "Paris", Some("it"));
    prompt.foil = Some(answer_of(&[67]));
    for family in ["gpt2-gelu", "pythia", "qwen3"] {
        let dirs = pair_of(family);
        let engines = dirs.each_ref().map(|dir| {
            let unwatched = TaskCtx::unwatched();
            Engine::load(dir.path(), DeviceChoice::Cpu, &unwatched, &|_| ()).unwrap()
        });
        for mut spec in specs(&prompt) {
            if let AnalysisSpec::RankOneEdit(edit) = &mut spec {
                edit.layer = 0;
            }
            let what = format!("{family}, {spec:?}");
            let result = |engine: &Engine, reuse| {
                let ctx = AnalysisCtx { reuse, ..AnalysisCtx::unwatched() };
                let result: AnalysisResult = engine.run(&prompt, &spec, &ctx).unwrap();
                serde_json::to_value(result).unwrap()
            };
            let stored = result(&engines[0], Reuse::Exact);
            check_alike(&stored, &result(&engines[1], Reuse::Exact), &what);
            check_alike(&stored, &result(&engines[0], Reuse::Off), &what);
        }
    }
}

/// Vectors are copied, and what else is not in the file.
#[test]
fn the_memory_of_weights_is_what_the_file_says() {
    for (family, kept) in [("gpt2-gelu", 4), ("pythia", 4), ("qwen3", 4), ("qwen3", 2)] {
        let dir = with_tokenizer(&fixture("families").join(family));
        if kept == 2 {
            rewrite(dir.path(), Dtype::F16, |it| half::f16::from_f32(it).to_le_bytes().to_vec());
        } else {
            widen(dir.path());
        }
        let checkpoint = Checkpoint::open(dir.path()).unwrap();
        let (mut in_file, mut copied, mut all) = (0, 0, 0);
        for (_, _, shape) in checkpoint.tensors() {
            let n = shape.iter().product::<usize>() as u64;
            all += 4 * n;
            // A vector of f32 is read in the file too.
            let stays = shape.len() == 2 || kept == 4;
            *(if stays { &mut in_file } else { &mut copied }) +=
                if stays { kept * n } else { 4 * n };
        }
        let expected = WeightMemory { in_file, copied, on_adapter: all };
        assert_eq!(checkpoint.memory(), expected, "{family} of {kept} bytes");

        // What opening asks the allocator for is what is copied, and little beside.
        let open = || {
            Transformer::load(&Arc::new(checkpoint), &ComputeDevice::cpu(), &TaskCtx::unwatched())
        };
        let (model, peak) = peak_of(open);
        model.unwrap();
        assert!(peak as u64 <= copied + (64 << 10), "{family}: {peak} bytes, copied {copied}");
    }
}

/// A model whose matrices are far larger than what is needed beside them is opened and computed with in a
/// part of the memory that its weights would take as f32.
#[test]
fn a_pass_does_not_widen_the_model() {
    let config = r#"{"model_type": "llama", "num_hidden_layers": 6, "num_attention_heads": 4,
        "num_key_value_heads": 2, "hidden_size": 512, "intermediate_size": 2048,
        "vocab_size": 8000, "max_position_embeddings": 16, "tie_word_embeddings": false}"#;
    let config = ModelConfig::from_json(config).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let unwatched = TaskCtx::unwatched();
    write_random_checkpoint(&config, 3, FloatType::Bf16, dir.path(), &unwatched).unwrap();
    let (found, peak) = peak_of(|| logits_and_gradients(dir.path()));
    assert!(found.concat().iter().all(|it| it.is_finite()));
    let widened = config.n_params() as usize * 4;
    assert!(peak < widened / 4, "{peak} bytes, of {widened} if all were widened");
}
