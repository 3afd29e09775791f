//! Model folders as they are found: in every layout, and broken in every way.
//!
//! Broken folders are copies of fixtures. Each must give an error, never a panic, that says which
//! file, and which tensor if there is one.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use factscope::analysis::ablation::{self, Part, Replacement};
use factscope::analysis::{AnalysisCtx, AnalysisResult, AnalysisSpec, Positions, prediction};
use factscope::intervention::SiteSet;
use factscope::model::{
    Checkpoint, ComputeDevice, LoadError, ModelConfig, Transformer, Unembedding,
};
use factscope::task::{CancelToken, Progress, TaskCtx};
use factscope::worker::{DeviceChoice, Engine};
use half::{bf16, f16};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::support::{assert_close, fixture, load, logits, prompt};

const WEIGHTS: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// A tensor outside any file.
#[derive(Clone)]
struct Tensor {
    name: String,
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Tensor {
    fn f32(name: &str, shape: &[usize], values: &[f32]) -> Self {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self { name: name.to_owned(), dtype: Dtype::F32, shape: shape.to_vec(), bytes }
    }

    fn values(&self) -> Vec<f32> {
        assert_eq!(self.dtype, Dtype::F32);
        self.bytes.as_chunks::<4>().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()
    }

    fn set(&mut self, index: usize, value: f32) {
        self.bytes[4 * index..][..4].copy_from_slice(&value.to_le_bytes());
    }
}

/// A copy of a fixture that may be broken.
fn copy_of(name: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(fixture(name)).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, dir.path().join(path.file_name().unwrap())).unwrap();
    }
    dir
}

fn read_tensors(path: &Path) -> Vec<Tensor> {
    let bytes = fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let tensor = |(name, view): (String, TensorView<'_>)| Tensor {
        name,
        dtype: view.dtype(),
        shape: view.shape().to_vec(),
        bytes: view.data().to_vec(),
    };
    file.tensors().into_iter().map(tensor).collect()
}

fn write_tensors(path: &Path, tensors: &[Tensor]) {
    let views = tensors.iter().map(|it| {
        (it.name.as_str(), TensorView::new(it.dtype, it.shape.clone(), &it.bytes).unwrap())
    });
    safetensors::serialize_to_file(views, None, path).unwrap();
}

/// Changes the tensors of `tiny`.
fn with_tensors(change: impl FnOnce(&mut Vec<Tensor>)) -> TempDir {
    let dir = copy_of("tiny");
    let path = dir.path().join(WEIGHTS);
    let mut tensors = read_tensors(&path);
    change(&mut tensors);
    write_tensors(&path, &tensors);
    dir
}

fn find<'a>(tensors: &'a mut [Tensor], name: &str) -> &'a mut Tensor {
    tensors.iter_mut().find(|it| it.name == name).unwrap()
}

fn with_config(field: &str, value: &Value) -> TempDir {
    let dir = copy_of("tiny");
    let path = dir.path().join("config.json");
    let mut config: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    config[field] = value.clone();
    fs::write(&path, config.to_string()).unwrap();
    dir
}

fn with_file(name: &str, bytes: &[u8]) -> TempDir {
    let dir = copy_of("tiny");
    fs::write(dir.path().join(name), bytes).unwrap();
    dir
}

fn without_file(name: &str) -> TempDir {
    let dir = copy_of("tiny");
    fs::remove_file(dir.path().join(name)).unwrap();
    dir
}

/// That the folder is refused, in words that hold all of these.
#[track_caller]
fn check_refused(dir: &Path, says: &[&str]) {
    let result = Engine::load(dir, DeviceChoice::Cpu, &TaskCtx::unwatched(), &|_| ());
    check_says(dir, &result.expect_err("the folder must be refused").to_string(), says);
}

#[track_caller]
fn check_says(dir: &Path, message: &str, says: &[&str]) {
    for part in says {
        assert!(message.contains(part), "“{part}” is not in: {message}");
    }
    assert!(message.contains(&dir.display().to_string()), "no path in: {message}");
}

const IDS: [u32; 5] = [47, 283, 271, 318, 262];

fn logits_of(dir: &Path) -> Vec<f32> {
    logits(&load(dir).run_clean(&IDS, &SiteSet::new()))
}

// Folders and configurations

#[test]
fn a_folder_must_exist_and_have_a_configuration() {
    let dir = tempfile::tempdir().unwrap();
    check_refused(&dir.path().join("nothing"), &["no such folder", "nothing"]);
    check_refused(dir.path(), &["config.json"]);
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    check_refused(&file, &["no such folder"]);
    check_refused(without_file("config.json").path(), &["config.json"]);
}

#[test]
fn configurations_that_are_none_are_refused() {
    for text in ["", "{", "[]", "null", "{}", "{\"n_layer\": 4}", "\u{feff}{}"] {
        check_refused(with_file("config.json", text.as_bytes()).path(), &["config.json"]);
    }
    check_refused(with_file("config.json", b"\xff\xfe\0").path(), &["config.json"]);
}

#[test]
fn configurations_of_other_models_are_refused() {
    let cases = [
        ("model_type", json!("llama"), "llama"),
        ("activation_function", json!("relu"), "relu"),
        ("scale_attn_by_inverse_layer_idx", json!(true), "scale_attn_by_inverse_layer_idx"),
        ("scale_attn_weights", json!(false), "scale_attn_weights"),
        ("add_cross_attention", json!(true), "add_cross_attention"),
        ("n_layer", json!(0), "n_layer"),
        ("n_layer", json!(-1), "-1"),
        ("n_layer", json!(1.5), "1.5"),
        ("n_layer", json!("four"), "four"),
        ("n_head", json!(5), "not a multiple of `n_head`"),
        ("n_head", json!(0), "n_head"),
        ("n_embd", json!(0), "n_embd"),
        ("n_positions", json!(0), "n_positions"),
        ("vocab_size", json!(0), "vocab_size"),
    ];
    for (field, value, says) in cases {
        check_refused(with_config(field, &value).path(), &["config.json", says]);
    }
}

#[test]
fn the_released_sizes_have_the_published_parameter_counts() {
    assert_eq!(ModelConfig::SMALL.n_params(), 124_439_808);
    assert_eq!(ModelConfig::LARGE.n_params(), 774_030_080);
    assert_eq!(ModelConfig::XL.n_params(), 1_557_611_200);
}

#[test]
fn a_config_survives_its_own_json() {
    let config = ModelConfig { unembedding: Unembedding::Separate, ..ModelConfig::MEDIUM };
    assert_eq!(ModelConfig::from_json(&config.to_json()), Ok(config));
}

#[test]
fn devices_are_written_as_they_are_read() {
    for text in ["auto", "cpu", "wgpu", "wgpu:3"] {
        assert_eq!(text.parse::<DeviceChoice>().unwrap().to_string(), text);
    }
    for text in ["gpu", "wgpu:", "wgpu:x", "cuda", ""] {
        assert!(text.parse::<DeviceChoice>().is_err(), "{text}");
    }
}

/// Wrong in a way that only the weights can tell; also sizes that no memory could hold.
#[test]
fn sizes_that_are_not_those_of_the_weights_are_refused() {
    let cases = [
        ("n_layer", json!(5), "h.4."),
        ("n_layer", json!(3), "h.3."),
        ("n_embd", json!(64), "wte.weight"),
        ("n_inner", json!(100), "mlp.c_fc"),
        ("n_positions", json!(65), "wpe.weight"),
        ("vocab_size", json!(658), "wte.weight"),
        ("n_layer", json!(1_u64 << 40), "n_layer"),
        ("n_layer", json!(1_u64 << 24), "h.4."),
        ("n_embd", json!(1_u64 << 62), "n_embd"),
        ("n_inner", json!(1_u64 << 62), "n_inner"),
        ("n_positions", json!(u64::MAX), "n_positions"),
    ];
    for (field, value, says) in cases {
        check_refused(with_config(field, &value).path(), &[says]);
    }
}

// Tensors

#[test]
fn a_missing_tensor_is_named() {
    for name in ["wte.weight", "h.2.attn.c_proj.bias", "ln_f.bias", "h.0.ln_1.weight"] {
        let dir = with_tensors(|tensors| tensors.retain(|it| it.name != name));
        check_refused(dir.path(), &["missing", &format!("`{name}`"), WEIGHTS]);
    }
    let dir = with_tensors(Vec::clear);
    check_refused(dir.path(), &["missing", WEIGHTS]);
}

#[test]
fn an_extra_tensor_is_named() {
    for name in ["h.4.ln_1.weight", "h.0.attn.c_attn.extra", "adapter.weight"] {
        let dir = with_tensors(|tensors| tensors.push(Tensor::f32(name, &[1], &[1.0])));
        check_refused(dir.path(), &["not part of", &format!("`{name}`"), WEIGHTS]);
    }
}

#[test]
fn a_tensor_that_occurs_twice_is_named() {
    let dir = with_tensors(|tensors| {
        let mut twice = find(tensors, "ln_f.bias").clone();
        twice.name = "transformer.ln_f.bias".to_owned();
        tensors.push(twice);
    });
    check_refused(dir.path(), &["twice", "ln_f.bias", WEIGHTS]);
}

#[test]
fn a_misshapen_tensor_is_named_with_both_shapes() {
    let check = |name: &str, shape: &[usize], says: &[&str]| {
        let dir = with_tensors(|tensors| {
            let n = shape.iter().product();
            *find(tensors, name) = Tensor::f32(name, shape, &vec![0.5; n]);
        });
        check_refused(dir.path(), &[&[&format!("`{name}`"), WEIGHTS][..], says].concat());
    };
    // Transposed, as a `Linear` would have it.
    check("h.1.mlp.c_fc.weight", &[128, 32], &["[128, 32]", "[32, 128]"]);
    check("wpe.weight", &[63, 32], &["[63, 32]", "[64, 32]"]);
    check("ln_f.weight", &[1, 32], &["[1, 32]", "[32]"]);
    check("ln_f.weight", &[0], &["[0]", "[32]"]);
    check("ln_f.weight", &[], &["[]", "[32]"]);
}

#[test]
fn numbers_that_are_none_are_named_by_tensor_and_place() {
    let check = |value: f32, name: &str, index: usize| {
        let dir = with_tensors(|tensors| find(tensors, name).set(index, value));
        let place = format!("element {index}");
        let says = [&value.to_string(), &format!("`{name}`"), &place, WEIGHTS];
        let checkpoint = Arc::new(Checkpoint::open(dir.path()).unwrap());
        let cpu = ComputeDevice::cpu();
        let refused = Transformer::load(&checkpoint, &cpu, &TaskCtx::unwatched()).unwrap_err();
        check_says(dir.path(), &refused.to_string(), &says);

        // A mapped file is open before its numbers were looked at; no result is told before.
        let partial = |_: AnalysisResult| panic!("{value} in `{name}` was told as a result");
        let ctx = AnalysisCtx { partial: &partial, ..AnalysisCtx::unwatched() };
        let engine =
            Engine::load(dir.path(), DeviceChoice::Cpu, &TaskCtx::unwatched(), &|_| ()).unwrap();
        let ablation = ablation::Spec {
            part: Part::Heads,
            positions: Positions::All,
            replacement: Replacement::Zero,
        };
        for spec in [
            AnalysisSpec::Prediction(prediction::Spec { n_top: 1 }),
            AnalysisSpec::Ablation(ablation),
        ] {
            let prompt = prompt("Paris is the capital of", "Paris", Some("the"));
            let refused = engine.run(&prompt, &spec, &ctx).unwrap_err();
            check_says(dir.path(), &refused.to_string(), &says);
        }
    };
    check(f32::NAN, "h.3.mlp.c_proj.weight", 1234);
    check(f32::INFINITY, "wte.weight", 0);
    check(f32::NEG_INFINITY, "h.0.attn.c_attn.bias", 95);
    check(f32::NAN, "ln_f.bias", 31);

    // The masks of old checkpoints are not read, so they may hold what they like.
    let dir = with_tensors(|tensors| find(tensors, "h.0.attn.bias").set(1, f32::NAN));
    assert!(Engine::load(dir.path(), DeviceChoice::Cpu, &TaskCtx::unwatched(), &|_| ()).is_ok());
}

#[test]
fn half_precision_numbers_that_are_none_are_found_as_well() {
    let nan = f16::NAN.to_le_bytes();
    let inf = bf16::INFINITY.to_le_bytes();
    for (dtype, bytes, says) in [(Dtype::F16, nan, "NaN"), (Dtype::BF16, inf, "inf")] {
        let dir = with_tensors(|tensors| {
            let tensor = find(tensors, "h.1.ln_2.bias");
            tensor.dtype = dtype;
            tensor.bytes = [0; 64].into();
            tensor.bytes[2 * 17..][..2].copy_from_slice(&bytes);
        });
        check_refused(dir.path(), &[says, "`h.1.ln_2.bias`", "element 17", WEIGHTS]);
    }
}

#[test]
fn numbers_of_other_types_are_refused() {
    for (dtype, size, says) in [
        (Dtype::F64, 8, "F64"),
        (Dtype::I64, 8, "I64"),
        (Dtype::U8, 1, "U8"),
        (Dtype::I32, 4, "I32"),
        (Dtype::F8_E4M3, 1, "F8_E4M3"),
    ] {
        let dir = with_tensors(|tensors| {
            let tensor = find(tensors, "h.1.ln_2.bias");
            tensor.dtype = dtype;
            tensor.bytes = vec![0; 32 * size];
        });
        check_refused(dir.path(), &["`h.1.ln_2.bias`", says, WEIGHTS]);
    }
}

#[test]
fn a_tied_model_may_carry_its_unembedding_only_if_it_is_the_same() {
    let with_head = |change: fn(&mut Tensor)| {
        with_tensors(|tensors| {
            let mut head = find(tensors, "wte.weight").clone();
            head.name = "lm_head.weight".to_owned();
            change(&mut head);
            tensors.push(head);
        })
    };
    let same = with_head(|_| ());
    assert_close(&logits_of(same.path()), &logits_of(&fixture("tiny")), 0.0, "carried along");
    let other = with_head(|head| head.set(77, 3.0));
    check_refused(other.path(), &["tie", "`lm_head.weight`", WEIGHTS]);
    let misshapen = with_head(|head| *head = Tensor::f32("lm_head.weight", &[2], &[1.0, 2.0]));
    check_refused(misshapen.path(), &["`lm_head.weight`", WEIGHTS]);

    // Untied, it must be there.
    let untied = with_config("tie_word_embeddings", &json!(false));
    check_refused(untied.path(), &["missing", "`lm_head.weight`", WEIGHTS]);
}

// Files

#[test]
fn a_file_cut_short_names_the_tensor_it_breaks_off_in() {
    let whole = fs::read(fixture("tiny").join(WEIGHTS)).unwrap();
    let file = SafeTensors::deserialize(&whole).unwrap();
    let base = whole.as_ptr() as usize;
    let end_of = |view: &TensorView<'_>| view.data().as_ptr() as usize - base + view.data().len();
    let mut ends: Vec<_> = file.iter().map(|(name, view)| (end_of(&view), name)).collect();
    ends.sort_unstable();
    for (end, name) in [ends[0], ends[20], ends[ends.len() - 1]] {
        let dir = with_file(WEIGHTS, &whole[..end - 1]);
        check_refused(dir.path(), &["cut short", &format!("`{name}`"), WEIGHTS]);
    }
}

#[test]
fn files_that_are_no_safetensors_are_refused() {
    let whole = fs::read(fixture("tiny").join(WEIGHTS)).unwrap();
    let longer_header = [&(whole.len() as u64).to_le_bytes()[..], &whole[8..]].concat();
    let endless_header = [&u64::MAX.to_le_bytes()[..], &whole[8..]].concat();
    let short_header = [&7_u64.to_le_bytes()[..], &whole[8..]].concat();
    let more = [&whole[..], b"and more"].concat();
    let lfs = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 548105171\n";
    let header = |json: &str| [&(json.len() as u64).to_le_bytes()[..], json.as_bytes()].concat();
    let overlapping = header(
        r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#,
    );
    let backwards = header(r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#);
    let endless = header(
        r#"{"a":{"dtype":"F32","shape":[4611686018427387904,2],"data_offsets":[0,18446744073709551615]}}"#,
    );
    for bytes in [
        b"".to_vec(),
        b"\0".to_vec(),
        b"not a model at all".to_vec(),
        vec![0; 4096],
        vec![0xff; 4096],
        whole[..7].to_vec(),
        whole[..200].to_vec(),
        longer_header,
        endless_header,
        short_header,
        more,
        lfs.to_vec(),
        header("{}"),
        header("[]"),
        header("\u{1F642}"),
        overlapping,
        backwards,
        endless,
    ] {
        check_refused(with_file(WEIGHTS, &bytes).path(), &[WEIGHTS]);
    }
}

#[test]
fn weights_that_are_not_there_are_missed() {
    check_refused(without_file(WEIGHTS).path(), &[WEIGHTS]);
    let dir = without_file(WEIGHTS);
    fs::write(dir.path().join("pytorch_model.bin"), b"PK\x03\x04").unwrap();
    check_refused(dir.path(), &["pytorch_model.bin", "safe_serialization"]);
    fs::rename(
        dir.path().join("pytorch_model.bin"),
        dir.path().join("pytorch_model.bin.index.json"),
    )
    .unwrap();
    check_refused(dir.path(), &["pytorch_model.bin", "safe_serialization"]);
}

#[test]
fn shards_are_found_through_their_index_or_missed() {
    let broken = |change: fn(&mut Value)| {
        let dir = copy_of("tiny-sharded");
        let path = dir.path().join(INDEX);
        let mut index: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        change(&mut index);
        fs::write(&path, index.to_string()).unwrap();
        dir
    };
    let second = "model-00002-of-00002.safetensors";
    let dir = copy_of("tiny-sharded");
    fs::remove_file(dir.path().join(second)).unwrap();
    check_refused(dir.path(), &[INDEX, second]);

    let dir = copy_of("tiny-sharded");
    fs::copy(dir.path().join("model-00001-of-00002.safetensors"), dir.path().join(second)).unwrap();
    check_refused(dir.path(), &["twice", second]);

    let dir = copy_of("tiny-sharded");
    let bytes = fs::read(dir.path().join(second)).unwrap();
    fs::write(dir.path().join(second), &bytes[..bytes.len() - 1]).unwrap();
    check_refused(dir.path(), &["cut short", second]);

    let dir = copy_of("tiny-sharded");
    fs::write(dir.path().join(INDEX), "{").unwrap();
    check_refused(dir.path(), &[INDEX]);
    check_refused(broken(|index| *index = json!({})).path(), &[INDEX, "weight_map"]);
    check_refused(broken(|index| index["weight_map"] = json!([1])).path(), &[INDEX, "weight_map"]);
    check_refused(broken(|index| index["weight_map"] = json!({})).path(), &[INDEX, "missing"]);

    // A tensor in neither file.
    let dir = copy_of("tiny-sharded");
    let path = dir.path().join(second);
    let mut tensors = read_tensors(&path);
    let gone = tensors.pop().unwrap().name;
    write_tensors(&path, &tensors);
    let gone = gone.strip_prefix("transformer.").unwrap_or(&gone).to_owned();
    check_refused(dir.path(), &["missing", &gone, INDEX]);
}

// Tokenizers

#[test]
fn broken_tokenizers_are_refused() {
    check_refused(without_file("tokenizer.json").path(), &["tokenizer.json", "vocab.json"]);
    for text in ["", "{", "[]", "{}", "{\"model\": {\"type\": \"BPE\"}}"] {
        let dir = with_file("tokenizer.json", text.as_bytes());
        check_refused(dir.path(), &["tokenizer.json"]);
    }
    for (name, text) in [
        ("vocab.json", "{"),
        ("vocab.json", "[]"),
        ("merges.txt", "one\n"),
        ("merges.txt", "q q\n"),
    ] {
        let dir = copy_of("tiny-sharded");
        fs::write(dir.path().join(name), text).unwrap();
        check_refused(dir.path(), &[name]);
    }
    let dir = copy_of("tiny-sharded");
    fs::remove_file(dir.path().join("merges.txt")).unwrap();
    check_refused(dir.path(), &["merges.txt"]);
}

#[test]
fn of_a_tied_pair_either_name_will_do() {
    let dir =
        with_tensors(|tensors| find(tensors, "wte.weight").name = "lm_head.weight".to_owned());
    assert_close(
        &logits_of(dir.path()),
        &logits_of(&fixture("tiny")),
        0.0,
        "only `lm_head.weight`",
    );
}

#[test]
fn heads_beside_the_language_model_are_left_out_and_named() {
    let heads = ["score.weight", "v_head.summary.weight", "v_head.summary.bias"];
    let dir = with_tensors(|tensors| {
        tensors.extend(heads.map(|name| Tensor::f32(name, &[2, 32], &[0.5; 64])));
    });
    let engine = Engine::load(dir.path(), DeviceChoice::Cpu, &TaskCtx::unwatched(), &|_| ());
    let mut named = heads.map(str::to_owned);
    named.sort_unstable();
    assert_eq!(engine.unwrap().info.left_out, named);
    assert_close(&logits_of(dir.path()), &logits_of(&fixture("tiny")), 0.0, "with heads");
}

#[test]
fn a_prefix_that_a_wrapper_leaves_is_named() {
    for prefix in ["_orig_mod.transformer.", "module.", "model."] {
        let dir = with_tensors(|tensors| {
            for it in tensors {
                let plain = it.name.strip_prefix("transformer.").unwrap_or(&it.name);
                it.name = format!("{prefix}{plain}");
            }
        });
        let named = prefix.strip_suffix("transformer.").unwrap_or(prefix);
        check_refused(dir.path(), &[&format!("`{named}`"), "wrapper", WEIGHTS]);
    }
}

#[test]
fn what_was_downloaded_in_place_of_weights_is_named() {
    for (content, says) in [
        (
            "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 7\n",
            "a Git LFS pointer",
        ),
        ("", "an empty file"),
        ("\n<!DOCTYPE html><html><head><title>Not found</title>", "a web page"),
        ("<html>503</html>", "a web page"),
        ("{\"error\":\"Repository not found\"}", "JSON"),
        ("GGUF\u{3}\0\0\0", "a GGUF file"),
        ("PK\u{3}\u{4}", "a file of PyTorch"),
    ] {
        let dir = copy_of("tiny");
        fs::write(dir.path().join(WEIGHTS), content).unwrap();
        check_refused(dir.path(), &[says, "not the weights", WEIGHTS]);
    }
}

/// As where a padding token was added, and the model's embeddings were not resized.
#[test]
fn a_tokenizer_with_more_tokens_than_the_model_opens_and_refuses_those_without_a_row() {
    let dir = copy_of("tiny");
    let path = dir.path().join("tokenizer.json");
    let mut json: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let added = json!({
        "id": 657, "content": "zzz", "single_word": false, "lstrip": false, "rstrip": false,
        "normalized": false, "special": false,
    });
    json["added_tokens"].as_array_mut().unwrap().push(added);
    fs::write(&path, json.to_string()).unwrap();
    let engine = Engine::load(dir.path(), DeviceChoice::Cpu, &TaskCtx::unwatched(), &|_| ());
    let tokenizer = engine.unwrap().info.tokenizer.clone();
    assert!(tokenizer.encode("The capital is").is_ok());
    let refused = tokenizer.encode("The zzz is").unwrap_err().to_string();
    assert!(refused.contains("“zzz” has the id 657"), "{refused}");
}

/// Some checkpoints pad their vocabulary.
#[test]
fn a_vocabulary_larger_than_the_tokenizers_is_accepted() {
    let dir = with_tensors(|tensors| {
        let wte = find(tensors, "wte.weight");
        *wte = Tensor::f32("wte.weight", &[672, 32], &[wte.values(), vec![0.0; 15 * 32]].concat());
    });
    let path = dir.path().join("config.json");
    let text = fs::read_to_string(&path).unwrap().replace("657", "672");
    fs::write(&path, text).unwrap();
    let found = logits_of(dir.path());
    assert_close(&found[..657], &logits_of(&fixture("tiny")), 1e-4, "padded");
    assert_close(&found[657..], &[0.0; 15], 0.0, "padding");
    assert!(Engine::load(dir.path(), DeviceChoice::Cpu, &TaskCtx::unwatched(), &|_| ()).is_ok());
}

// Layouts

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
