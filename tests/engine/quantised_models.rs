//! Whole models of every number type of GGUF: logits, gradients and traces are those of the same weights
//! widened to `f32` before, to the bit.
//!
//! What the numbers of each type are is compared with llama.cpp's in `loading/gguf.rs`.

use std::fs;
use std::path::Path;

use factscope::analysis::causal_trace::{Component, NoiseLevel};
use factscope::analysis::{AnalysisCtx, Method as _};
use factscope::intervention::Site;
use factscope::model::{BatchRow, Checkpoint, Objective};
use factscope::tokens::{Bos, TokenizedPrompt};
use half::{bf16, f16};
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use safetensors::tensor::{Dtype, TensorView};

use super::gradients::{gradients, whole_run};
use super::support::{answer_of, lab, load, logits, trace_spec};

/// A number type: its name, its number in ggml, how many numbers and bytes a block has, and where in a
/// block which half-precision numbers stand.
struct Type {
    name: &'static str,
    kind: u32,
    n_values: usize,
    n_bytes: usize,
    halves: &'static [(usize, f32)],
}

/// Scales and offsets are such that weights are of a size of 0.05.
const TYPES: [Type; 10] = [
    Type { name: "F16", kind: 1, n_values: 1, n_bytes: 2, halves: &[] },
    Type { name: "BF16", kind: 30, n_values: 1, n_bytes: 2, halves: &[] },
    Type { name: "Q8_0", kind: 8, n_values: 32, n_bytes: 34, halves: &[(0, 7e-4)] },
    Type { name: "Q4_0", kind: 2, n_values: 32, n_bytes: 18, halves: &[(0, 1e-2)] },
    Type { name: "Q4_1", kind: 3, n_values: 32, n_bytes: 20, halves: &[(0, 1e-2), (2, -0.075)] },
    Type { name: "Q5_0", kind: 6, n_values: 32, n_bytes: 22, halves: &[(0, 5e-3)] },
    Type { name: "Q5_1", kind: 7, n_values: 32, n_bytes: 24, halves: &[(0, 5e-3), (2, -0.075)] },
    Type { name: "Q4_K", kind: 12, n_values: 256, n_bytes: 144, halves: &[(0, 3e-4), (2, 2e-3)] },
    Type { name: "Q5_K", kind: 13, n_values: 256, n_bytes: 176, halves: &[(0, 1.5e-4), (2, 2e-3)] },
    Type { name: "Q6_K", kind: 14, n_values: 256, n_bytes: 210, halves: &[(208, 4e-5)] },
];

const F32: u32 = 0;
const D_MODEL: usize = 256;
const D_MLP: usize = 512;
const N_LAYERS: usize = 2;
const N_TOKENS: usize = 320;
const N_KV_HEADS: usize = 2;
const N_HEADS: usize = 4;

/// The bytes of a matrix of random blocks.
fn matrix(of: &Type, n_values: usize, rng: &mut ChaCha8Rng) -> Vec<u8> {
    let mut bytes = vec![0; n_values / of.n_values * of.n_bytes];
    rng.fill_bytes(&mut bytes);
    for block in bytes.chunks_mut(of.n_bytes) {
        let number = rng.random_range(-0.1..0.1_f32);
        match of.name {
            "F16" => block.copy_from_slice(&f16::from_f32(number).to_le_bytes()),
            "BF16" => block.copy_from_slice(&bf16::from_f32(number).to_le_bytes()),
            _ => {}
        }
        for (at, size) in of.halves {
            let half = f16::from_f32(size * rng.random_range(0.5..1.5));
            block[*at..][..2].copy_from_slice(&half.to_le_bytes());
        }
    }
    bytes
}

/// Writes a Llama whose matrices are of one type. Queries and keys lie in another order than in the
/// model.
fn write_gguf(path: &Path, of: &Type, seed: u64) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let text = |text: &str| [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat();
    let mut infos = Vec::new();
    let mut data: Vec<u8> = Vec::new();
    let mut n_tensors = 0_u64;
    let mut add = |name: &str, axes: &[usize]| {
        infos.extend(text(name));
        infos.extend((axes.len() as u32).to_le_bytes());
        infos.extend(axes.iter().flat_map(|len| (*len as u64).to_le_bytes()));
        let is_matrix = axes.len() == 2;
        infos.extend(if is_matrix { of.kind } else { F32 }.to_le_bytes());
        infos.extend((data.len() as u64).to_le_bytes());
        if is_matrix {
            data.extend(matrix(of, axes.iter().product(), &mut rng));
        } else {
            let gains = (0..axes[0]).map(|_| rng.random_range(0.8..1.2_f32));
            data.extend(gains.flat_map(f32::to_le_bytes));
        }
        data.resize(data.len().next_multiple_of(32), 0);
        n_tensors += 1;
    };
    let kv_width = D_MODEL / N_HEADS * N_KV_HEADS;
    add("token_embd.weight", &[D_MODEL, N_TOKENS]);
    add("output.weight", &[D_MODEL, N_TOKENS]);
    add("output_norm.weight", &[D_MODEL]);
    for layer in 0..N_LAYERS {
        for (name, axes) in [
            ("attn_norm", &[D_MODEL][..]),
            ("ffn_norm", &[D_MODEL]),
            ("attn_q", &[D_MODEL, D_MODEL]),
            ("attn_k", &[D_MODEL, kv_width]),
            ("attn_v", &[D_MODEL, kv_width]),
            ("attn_output", &[D_MODEL, D_MODEL]),
            ("ffn_gate", &[D_MODEL, D_MLP]),
            ("ffn_up", &[D_MODEL, D_MLP]),
            ("ffn_down", &[D_MLP, D_MODEL]),
        ] {
            add(&format!("blk.{layer}.{name}.weight"), axes);
        }
    }

    let mut metadata = text("general.architecture");
    metadata.extend(8_u32.to_le_bytes());
    metadata.extend(text("llama"));
    let sizes = [
        ("block_count", N_LAYERS),
        ("embedding_length", D_MODEL),
        ("feed_forward_length", D_MLP),
        ("context_length", 64),
        ("attention.head_count", N_HEADS),
        ("attention.head_count_kv", N_KV_HEADS),
    ];
    for (name, size) in sizes {
        metadata.extend(text(&format!("llama.{name}")));
        metadata.extend([4, size as u32].map(u32::to_le_bytes).concat());
    }
    metadata.extend(text("llama.attention.layer_norm_rms_epsilon"));
    metadata.extend(6_u32.to_le_bytes());
    metadata.extend(1e-5_f32.to_le_bytes());

    let mut bytes = b"GGUF".to_vec();
    bytes.extend(3_u32.to_le_bytes());
    bytes.extend([n_tensors, 2 + sizes.len() as u64].map(u64::to_le_bytes).concat());
    bytes.extend(metadata);
    bytes.extend(infos);
    bytes.resize(bytes.len().next_multiple_of(32), 0);
    bytes.extend(data);
    fs::write(path, bytes).unwrap();
}

/// Writes the same model as a folder with every number as `f32`.
fn write_widened(checkpoint: &Checkpoint, dir: &Path) {
    let tensors = checkpoint.tensors().map(|(name, _, shape)| {
        let values = checkpoint.read(name.trim_start_matches("model.")).unwrap();
        let bytes: Vec<u8> = values.into_iter().flat_map(f32::to_le_bytes).collect();
        (name.to_owned(), shape.to_vec(), bytes)
    });
    let tensors: Vec<_> = tensors.collect();
    let views = tensors.iter().map(|(name, shape, bytes)| {
        (name.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap())
    });
    safetensors::serialize_to_file(views, None, &dir.join("model.safetensors")).unwrap();
    fs::write(dir.join("config.json"), checkpoint.config.to_json()).unwrap();
}

/// The logits of a batch, gradients at the embeddings, and traces of all kinds.
fn numbers(path: &Path) -> Vec<Vec<f32>> {
    let model = load(path);
    let ids: [&[u32]; 2] = [&[3, 70, 12, 9, 40, 300], &[5, 11, 8, 8, 2]];
    let run = whole_run(&model, &ids.map(|ids| BatchRow::new(ids, &[])));
    let objective = Objective::LogProb { tokens: &[7] };
    let mut numbers = vec![logits(&run), gradients(&model, &run, objective, 0, Site::Embed)];
    let prompt = TokenizedPrompt {
        text: "…".to_owned(),
        bos: Bos::Off,
        ids: ids[0].to_vec(),
        pieces: vec!["…".to_owned(); ids[0].len()],
        subject: Some(1..3),
        answer: Some(answer_of(&[7])),
        foil: None,
    };
    for component in [Component::Hidden, Component::Mlp, Component::Attn] {
        let spec = trace_spec(component, 1, 2);
        let spec = factscope::analysis::causal_trace::Spec { noise: NoiseLevel::Std(0.1), ..spec };
        let trace = spec.run(&lab(&model, &prompt, &AnalysisCtx::unwatched())).unwrap();
        let cells = trace.restored.values().iter().chain([&trace.corrupted]);
        numbers.push(cells.flatten().flat_map(|it| [it.prob, it.logit]).collect());
    }
    numbers
}

#[test]
fn a_model_of_any_type_gives_the_numbers_of_its_weights_widened() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("model.gguf");
    for (nth, of) in TYPES.iter().enumerate() {
        write_gguf(&file, of, nth as u64);
        let checkpoint = Checkpoint::open(&file).unwrap();
        assert_eq!(checkpoint.dtypes(), ["F32", of.name]);
        // The widened numbers are others than one another: no matrix is empty or all alike.
        let values = checkpoint.read("layers.1.mlp.down_proj.weight").unwrap();
        let size = values.iter().map(|it| it.abs()).sum::<f32>() / values.len() as f32;
        assert!((0.01..0.2).contains(&size), "{}: {size}", of.name);

        write_widened(&checkpoint, dir.path());
        let widened = Checkpoint::open(dir.path()).unwrap();
        assert_eq!((widened.config, widened.dtypes()), (checkpoint.config, vec!["F32".to_owned()]));
        let (stored, widened) = (numbers(&file), numbers(dir.path()));
        assert!(stored[0].iter().all(|it| it.is_finite()), "{}", of.name);
        assert!(stored == widened, "{}", of.name);
    }
}
