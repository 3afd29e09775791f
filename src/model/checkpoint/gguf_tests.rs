//! That tensors of GGUF files are put right, for each way in which llama.cpp changes them, and that those of
//! trained models are as in llama.cpp's package for Python.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::file_bytes::decode;
use super::gguf::{config, tensors};
use super::mapped_file::MappedFile;
use super::stored::{NumberType, StoredTensor};
use super::stored_matrix::StoredMatrix;

/// A file with metadata and one tensor whose numbers count from 0.
fn file(architecture: &str, sizes: &[(&str, u32)], name: &str, shape: &[u64]) -> Vec<u8> {
    let mut bytes = b"GGUF\x03\0\0\0".to_vec();
    let text = |bytes: &mut Vec<u8>, it: &str| {
        bytes.extend((it.len() as u64).to_le_bytes());
        bytes.extend(it.as_bytes());
    };
    bytes.extend(1_u64.to_le_bytes());
    bytes.extend((1 + sizes.len() as u64).to_le_bytes());
    text(&mut bytes, "general.architecture");
    bytes.extend(8_u32.to_le_bytes());
    text(&mut bytes, architecture);
    for (key, size) in sizes {
        text(&mut bytes, &format!("{architecture}.{key}"));
        bytes.extend(4_u32.to_le_bytes());
        bytes.extend(size.to_le_bytes());
    }
    text(&mut bytes, name);
    bytes.extend((shape.len() as u32).to_le_bytes());
    for len in shape.iter().rev() {
        bytes.extend(len.to_le_bytes());
    }
    bytes.extend(0_u32.to_le_bytes());
    bytes.extend(0_u64.to_le_bytes());
    bytes.resize(bytes.len().next_multiple_of(32), 0);
    let n: u64 = shape.iter().product();
    bytes.extend((0..n).flat_map(|it| (it as f32).to_le_bytes()));
    bytes
}

/// The only tensor of a file, and its numbers.
fn only(bytes: &[u8]) -> (StoredTensor, Vec<f32>) {
    let tensor = tensors(bytes).unwrap().remove(0);
    let raw = bytes[tensor.bytes.clone()].as_chunks().0.iter().map(|it| f32::from_le_bytes(*it));
    let values = tensor.put_right(raw.collect());
    (tensor, values)
}

#[test]
fn maps_of_gpt2_are_transposed() {
    let (tensor, values) = only(&file("gpt2", &[], "blk.3.ffn_up.weight", &[5, 7]));
    assert_eq!((tensor.name.as_str(), &tensor.shape[..]), ("h.3.mlp.c_fc.weight", &[7, 5][..]));
    for (row, values) in values.chunks(5).enumerate() {
        for (column, value) in values.iter().enumerate() {
            assert_eq!(*value, (column * 7 + row) as f32);
        }
    }
}

/// A matrix that stays in the file has the numbers of its copy, to the bit, whole and in parts.
fn check_stored(bytes: &[u8], tensor: &StoredTensor) {
    let &[n_rows, n_columns] = tensor.shape.as_slice() else { return };
    let what = format!("{}, {}", tensor.name, tensor.dtype);
    let bytes = &bytes[tensor.bytes.clone()];
    let copy = tensor.put_right(decode(bytes, tensor.dtype).0);
    let stored = StoredMatrix::new(tensor, bytes::Bytes::copy_from_slice(bytes)).expect(&what);
    assert_eq!(stored.dims(), [n_rows, n_columns], "{what}");
    // Parts that begin and end within blocks of quantised numbers.
    for (rows, columns) in [(0..n_rows, 0..n_columns), (1..n_rows - 1, 3..n_columns - 2)] {
        let part = stored.clone().narrow(0, rows.clone()).narrow(1, columns.clone());
        for part in [part.clone().transpose().transpose(), part] {
            let [row_stride, column_stride] = part.strides().map(|it| it as usize);
            let widened = part.widened();
            for row in rows.clone() {
                for column in columns.clone() {
                    let at = (row - rows.start) * row_stride;
                    let found = widened[at + (column - columns.start) * column_stride];
                    let expected = copy[row * n_columns + column];
                    assert_eq!(found.to_bits(), expected.to_bits(), "{what}: {row}, {column}");
                }
            }
        }
    }
    if let Some(turned) = stored.select_rows([n_rows - 1, 0].into_iter()) {
        let widened = turned.widened();
        assert_eq!(widened[..n_columns], copy[(n_rows - 1) * n_columns..], "{what}");
        assert_eq!(widened[n_columns..], copy[..n_columns], "{what}");
    }
}

#[test]
fn matrices_that_stay_in_the_file_have_the_numbers_of_their_copies() {
    let heads = [("attention.head_count", 6), ("attention.head_count_kv", 3)];
    for bytes in [
        file("llama", &heads, "blk.0.attn_k.weight", &[12, 5]),
        file("llama", &heads, "blk.0.ffn_up.weight", &[12, 5]),
        file("gpt2", &[], "blk.3.ffn_up.weight", &[5, 7]),
        file("gptneox", &heads, "blk.1.attn_qkv.weight", &[36, 8]),
    ] {
        check_stored(&bytes, &tensors(&bytes).unwrap()[0]);
    }
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/formats/gguf");
    let bytes = fs::read(fixtures.join("quantised.gguf")).unwrap();
    let tensors = tensors(&bytes).unwrap();
    for tensor in &tensors {
        check_stored(&bytes, tensor);
    }
    let matrices = tensors.iter().filter(|it| it.shape.len() == 2);
    let mut types: Vec<NumberType> = matrices.map(|it| it.dtype).collect();
    types.sort_unstable();
    types.dedup();
    // F32 has no blocks, and is tested above.
    assert_eq!(types.len(), 10, "{types:?}");
}

/// llama.cpp stores `weights.reshape(heads, 2, half, …).swapaxes(1, 2)`.
#[test]
fn halves_of_llamas_heads_come_apart() {
    let (n_heads, half, columns) = (3, 2, 5);
    let sizes = [("attention.head_count", 6), ("attention.head_count_kv", n_heads as u32)];
    let shape = [(n_heads * 2 * half) as u64, columns as u64];
    let (tensor, values) = only(&file("llama", &sizes, "blk.0.attn_k.weight", &shape));
    assert_eq!(tensor.name, "model.layers.0.self_attn.k_proj.weight");
    for head in 0..n_heads {
        for which in 0..2 {
            for place in 0..half {
                let row = (head * 2 + which) * half + place;
                let stored = (head * half + place) * 2 + which;
                assert_eq!(values[row * columns], (stored * columns) as f32);
                assert_eq!(values[row * columns + 4], (stored * columns + 4) as f32);
            }
        }
    }
    let odd = file("llama", &sizes, "blk.0.attn_k.weight", &[7, 5]);
    assert!(format!("{:?}", tensors(&odd).unwrap_err()).contains("equal parts of heads"));
}

/// llama.cpp stores all queries, then all keys, then all values.
#[test]
fn heads_of_gpt_neox_come_together() {
    let (n_heads, d_head) = (2, 3);
    let sizes = [("attention.head_count", n_heads as u32)];
    let (_, values) = only(&file("gptneox", &sizes, "blk.1.attn_qkv.bias", &[18]));
    for head in 0..n_heads {
        for part in 0..3 {
            for place in 0..d_head {
                let stored = (part * n_heads + head) * d_head + place;
                assert_eq!(values[(head * 3 + part) * d_head + place], stored as f32);
            }
        }
    }
}

#[test]
fn the_1_that_is_added_to_gains_of_gemma_is_taken_away() {
    let (tensor, values) = only(&file("gemma3", &[], "blk.0.post_ffw_norm.weight", &[4]));
    assert_eq!(tensor.name, "model.layers.0.post_feedforward_layernorm.weight");
    assert_eq!(values, [-1.0, 0.0, 1.0, 2.0]);
    assert!(tensors(&file("gemma3", &[], "blk.0.ffn_norm.weight", &[4])).unwrap()[0].added == 1.0);
}

/// As Llama 3.1's factors, and as none of Llama 3's.
#[test]
fn llama_3s_scaling_is_known_by_its_factors() {
    let sizes = [
        ("block_count", 1),
        ("embedding_length", 128),
        ("feed_forward_length", 8),
        ("context_length", 8),
        ("attention.head_count", 1),
    ];
    let mut bytes = file("llama", &sizes, "rope_freqs.weight", &[64]);
    let start = bytes.len() - 64 * 4;
    let refused = format!("{:?}", config(&bytes).unwrap_err());
    assert!(refused.contains("another way than Llama 3"), "{refused}");
    for nth in 0..64 {
        let length = std::f64::consts::TAU * 10_000_f64.powf(nth as f64 / 64.0);
        let factor = if length < 2048.0 {
            1.0
        } else if length > 8192.0 {
            8.0
        } else {
            let smooth = (8192.0 / length - 1.0) / 3.0;
            1.0 / ((1.0 - smooth) / 8.0 + smooth)
        };
        bytes[start + 4 * nth..][..4].copy_from_slice(&(factor as f32).to_le_bytes());
    }
    let refused = format!("{:?}", config(&bytes).unwrap_err());
    // The factors are right, and the embedding is missing.
    assert!(refused.contains("token_embd"), "{refused}");
    assert!(tensors(&bytes).unwrap().is_empty());
}

/// What is known of a file.
#[derive(Deserialize)]
struct Trained {
    /// Of all numbers of a type, as `f32`.
    sha256: BTreeMap<String, String>,
}

/// Runs where the files are: in the folder `FACTSCOPE_TEST_MODELS`, else in
/// `~/.cache/factscope-test-models`. `tests/golden/README.md` says where they come from.
#[test]
fn quantised_numbers_of_trained_models_are_those_of_others() {
    let usual = || dirs::cache_dir().map(|it| it.join("factscope-test-models"));
    let dir = std::env::var_os("FACTSCOPE_TEST_MODELS").map(PathBuf::from).or_else(usual);
    let known =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/formats/gguf/trained.json");
    let known: BTreeMap<String, Trained> =
        serde_json::from_str(&fs::read_to_string(known).unwrap()).unwrap();
    for (name, known) in known {
        let path = dir.clone().unwrap_or_default().join(&name);
        let Ok(bytes) = MappedFile::open(&path) else { continue };
        let mut hashers: BTreeMap<String, Sha256> = BTreeMap::new();
        for tensor in tensors(&bytes).unwrap() {
            let (values, _) = decode(&bytes[tensor.bytes], tensor.dtype);
            let hasher = hashers.entry(tensor.dtype.to_string()).or_default();
            hasher.update(values.iter().flat_map(|it| it.to_le_bytes()).collect::<Vec<u8>>());
        }
        let hashes: BTreeMap<String, String> = hashers
            .into_iter()
            .map(|(dtype, hasher)| {
                let mut hash = String::new();
                for byte in hasher.finalize() {
                    _ = write!(hash, "{byte:02x}");
                }
                (dtype, hash)
            })
            .collect();
        assert_eq!(hashes, known.sha256, "{name}");
    }
}
