//! Weight files that are cut short, missing, or something else.

use std::fs;

use factscope::model::Checkpoint;
use factscope::task::TaskCtx;
use factscope::tokens::Tokenizer;
use factscope::worker::{DeviceChoice, Engine};
use safetensors::tensor::{SafeTensors, TensorView};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    INDEX, Tensor, WEIGHTS, check_refused, check_says, copy_of, logits_of, read_tensors, with_file,
    with_tensors, without_file, write_tensors,
};
use crate::support::{assert_close, fixture};

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
        let refused = with_file(WEIGHTS, &bytes);
        let result =
            Engine::load(refused.path(), DeviceChoice::Cpu, &TaskCtx::unwatched(), &|_| ());
        let message = result.expect_err("the folder must be refused").to_string();
        check_says(refused.path(), &message, &[WEIGHTS]);
        let remedies = ["download", "git lfs pull", "get it again", "wrapper"];
        assert!(remedies.iter().any(|it| message.contains(it)), "no remedy: {message}");
    }
}

#[test]
fn weights_that_are_not_there_are_missed() {
    check_refused(without_file(WEIGHTS).path(), &[WEIGHTS]);
    check_refused(without_file(WEIGHTS).path(), &["pytorch_model.bin", "no weights"]);
}

#[test]
fn shards_are_found_through_their_index_or_missed() {
    let broken = |change: &dyn Fn(&mut Value)| {
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
    check_refused(dir.path(), &["twice", second, "model-00001-of-00002.safetensors"]);

    let dir = copy_of("tiny-sharded");
    let bytes = fs::read(dir.path().join(second)).unwrap();
    fs::write(dir.path().join(second), &bytes[..bytes.len() - 1]).unwrap();
    check_refused(dir.path(), &["cut short", second]);

    let dir = copy_of("tiny-sharded");
    fs::write(dir.path().join(INDEX), "{").unwrap();
    check_refused(dir.path(), &[INDEX]);
    check_refused(broken(&|index| *index = json!({})).path(), &[INDEX, "weight_map"]);
    check_refused(broken(&|index| index["weight_map"] = json!([1])).path(), &[INDEX, "weight_map"]);
    check_refused(broken(&|index| index["weight_map"] = json!({})).path(), &[INDEX, "no tensors"]);
    let no_name = broken(&|index| index["weight_map"]["h.0.ln_1.bias"] = json!(2));
    check_refused(no_name.path(), &[INDEX, "`h.0.ln_1.bias`", "no file"]);
    for elsewhere in ["/etc/passwd", "../model.safetensors", "a/model.safetensors", "..", ""] {
        let outside = broken(&|index| index["weight_map"]["h.0.ln_1.bias"] = json!(elsewhere));
        let named = format!("`{elsewhere}`");
        check_refused(outside.path(), &[INDEX, &named, "no file beside it"]);
    }
}

/// A download that makes room for the whole file first leaves one of the right size.
#[test]
fn a_file_that_was_filled_only_in_part_is_refused() {
    let dir = copy_of("tiny");
    let path = dir.path().join(WEIGHTS);
    let whole = fs::read(&path).unwrap();
    for filled in [whole.len() / 2, whole.len() * 3 / 4] {
        let mut bytes = whole.clone();
        bytes[filled..].fill(0);
        fs::write(&path, bytes).unwrap();
        check_refused(dir.path(), &["zeros only", "download it again", WEIGHTS]);
    }
    // The last rows of a vocabulary may be padding, and a bias may be zero.
    let padded = with_tensors(|tensors| {
        for tensor in tensors {
            if tensor.name.rsplit('.').next() == Some("bias") {
                tensor.bytes.fill(0);
            } else if tensor.name == "wte.weight" {
                let n = tensor.bytes.len();
                tensor.bytes[n / 2..].fill(0);
            }
        }
    });
    assert!(Checkpoint::open(padded.path()).is_ok());
}

#[test]
fn weights_that_another_program_quantised_are_named() {
    for ending in ["qweight", "weight_packed", "absmax"] {
        let dir = with_tensors(|tensors| {
            for tensor in tensors {
                if tensor.name == "h.0.mlp.c_fc.weight" {
                    tensor.name = format!("h.0.mlp.c_fc.{ending}");
                }
            }
        });
        check_refused(dir.path(), &[&format!("h.0.mlp.c_fc.{ending}"), "quantised", "before"]);
    }
}

/// Shards of one save under the index of another hold other tensors than it says.
#[test]
fn an_index_that_disagrees_with_its_shards_is_told_by_tensor_and_shard() {
    let [first, second] = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
    let index_of = |dir: &TempDir| -> Value {
        serde_json::from_slice(&fs::read(dir.path().join(INDEX)).unwrap()).unwrap()
    };
    let moved_to = |shard: Option<&str>| {
        let dir = copy_of("tiny-sharded");
        let path = dir.path().join(second);
        let mut tensors = read_tensors(&path);
        let moved = tensors.pop().unwrap();
        write_tensors(&path, &tensors);
        let name = format!("`{}`", moved.name);
        if let Some(shard) = shard {
            let path = dir.path().join(shard);
            let mut tensors = read_tensors(&path);
            tensors.push(moved);
            write_tensors(&path, &tensors);
        }
        (dir, name)
    };
    let again = "get all of them again";
    let (dir, name) = moved_to(None);
    check_refused(dir.path(), &[&name, second, "in no file", again, INDEX]);
    let (dir, name) = moved_to(Some(first));
    check_refused(dir.path(), &[&name, first, second, again, INDEX]);

    // A tensor that the index does not name.
    let dir = copy_of("tiny-sharded");
    let mut index = index_of(&dir);
    let map = index["weight_map"].as_object_mut().unwrap();
    let name = map.keys().find(|it| it.ends_with("ln_f.bias")).unwrap().clone();
    map.remove(&name);
    fs::write(dir.path().join(INDEX), index.to_string()).unwrap();
    check_refused(dir.path(), &[&format!("`{name}`"), "no file", again, INDEX]);

    // What no language model has may be named, and be nowhere, as after a conversion.
    let dir = copy_of("tiny-sharded");
    let mut index = index_of(&dir);
    index["weight_map"]["score.weight"] = json!(first);
    fs::write(dir.path().join(INDEX), index.to_string()).unwrap();
    assert_close(&logits_of(dir.path()), &logits_of(&fixture("tiny-sharded")), 0.0, "named");
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
        ("{\"error\":\"Repository not found\"}", "what a server answered"),
        ("[1, 2]", "JSON"),
        ("404: Not Found", "what a server answered"),
        ("Please log in first", "a text"),
        ("<!-- page --><!doctype html>", "a web page"),
        ("GGUF\u{3}\0\0\0", "a GGUF file"),
        ("PK\u{3}\u{4}archive/data.pkl", "a file of PyTorch"),
        ("PK\u{3}\u{4}arr_0.npy", "numpy's arrays"),
        ("PK\u{3}\u{4}", "a zip archive"),
    ] {
        let dir = copy_of("tiny");
        fs::write(dir.path().join(WEIGHTS), content).unwrap();
        check_refused(dir.path(), &[says, "not the weights", WEIGHTS]);
    }
}

#[test]
fn weights_in_another_form_are_named_with_what_to_do() {
    for (name, says) in [
        ("tf_model.h5", "TensorFlow's weights"),
        ("flax_model.msgpack", "Flax' weights"),
        ("model.onnx", "ONNX"),
        ("gpt2.bin", "open that file itself"),
        ("model.fp16.safetensors", "open that file itself"),
        ("model-00001-of-00002.safetensors", "download the index"),
        ("pytorch_model-00001-of-00002.bin", "download the index"),
        ("model.safetensors.incomplete", "did not end"),
        ("adapter_model.safetensors", "an adapter"),
        ("consolidated.00.pth", "those who trained it"),
        ("model.safetensors.txt", "call it `model.safetensors`"),
        ("pytorch_model.bin.1", "call it `pytorch_model.bin`"),
        ("zero_to_fp32.py", "DeepSpeed"),
    ] {
        let dir = without_file(WEIGHTS);
        fs::write(dir.path().join(name), "x").unwrap();
        let name = if says == "DeepSpeed" { "`python zero_to_fp32.py . FOLDER`" } else { name };
        check_refused(dir.path(), &["no weights", name, says]);
    }
    // What a trainer leaves beside weights is none.
    let dir = without_file(WEIGHTS);
    fs::write(dir.path().join("optimizer.pt"), "x").unwrap();
    let error = Checkpoint::open(dir.path()).unwrap_err().to_string();
    assert!(!error.contains("optimizer"), "{error}");
}

#[test]
fn folders_of_other_kinds_are_told_for_what_they_are() {
    let adapter = r#"{"peft_type": "LORA", "base_model_name_or_path": "org/base"}"#;
    let pipeline = r#"{"_class_name": "StableDiffusionPipeline"}"#;
    for (files, says) in [
        (
            &[("adapter_config.json", adapter), ("adapter_model.safetensors", "x")][..],
            &["an adapter (LoRA) of `org/base`", "`merge_and_unload()`"][..],
        ),
        (&[("adapter_model.bin", "x")], &["an adapter (LoRA)", "`merge_and_unload()`"]),
        (
            &[("model_index.json", pipeline)],
            &["diffusers, `StableDiffusionPipeline`", "language model"],
        ),
        (
            &[("params.json", "{}"), ("consolidated.00.pth", "x")],
            &["`consolidated.00.pth`", "Hugging Face's layout"],
        ),
        (
            &[("hparams.json", "{}"), ("model.ckpt.index", "x")],
            &["OpenAI's own layout", "`--model gpt2`"],
        ),
        (&[("model.onnx", "x")], &["`model.onnx`", "ONNX", "`model.save_pretrained(folder)`"]),
        (&[("checkpoint-7/config.json", "{}")], &["open `checkpoint-7`"]),
        (
            &[("config.json.txt", "{}"), (WEIGHTS, "x")],
            &["`config.json.txt`", "call it `config.json`"],
        ),
        (
            &[("epoch=3.ckpt", "x")],
            &["`epoch=3.ckpt`", "Lightning", "`model.save_pretrained(folder)`"],
        ),
        (
            &[("global_step9/mp_rank_00_model_states.pt", "x"), ("latest", "global_step9")],
            &["DeepSpeed", "`python zero_to_fp32.py . FOLDER`"],
        ),
        (&[("mp_rank_00_model_states.pt", "x")], &["DeepSpeed", "tokenizer into that folder"]),
        (&[("refs/main", "abc"), ("snapshots/abc/x", "")], &["hub's cache", "`snapshots/abc`"]),
    ] {
        let dir = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        check_refused(dir.path(), &[&["no `config.json`"], says].concat());
    }
    // The weights of an adapter beside the configuration of its model.
    let name = "base_model.model.transformer.h.0.attn.c_attn.lora_A.weight";
    let dir = copy_of("tiny");
    write_tensors(&dir.path().join(WEIGHTS), &[Tensor::f32(name, &[2], &[0.0; 2])]);
    check_refused(dir.path(), &[name, "an adapter (LoRA)", "`merge_and_unload()`"]);

    for (config, says) in [
        (json!({ "model_type": "bert", "hidden_size": 8 }), "it is an encoder"),
        (json!({ "model_type": "xlm-roberta" }), "it is an encoder"),
        (json!({ "model_type": "t5", "is_encoder_decoder": true }), "an encoder with a decoder"),
        (
            json!({ "_diffusers_version": "0.30", "_class_name": "UNet2DConditionModel" }),
            "diffusers",
        ),
    ] {
        check_refused(with_file("config.json", config.to_string().as_bytes()).path(), &[says]);
    }
}

#[test]
fn files_of_text_beside_the_weights_are_told_for_what_they_are() {
    for (content, says) in [
        (
            &b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 7\n"[..],
            "Git LFS pointer",
        ),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"Entry not found", "a server answered"),
        (b" \n", "an empty file"),
        (b"\xff\xfe{\0}\0", "UTF-16"),
        (b"{\"a\": \"\xe9\"}", "not UTF-8 text from byte 7"),
        (b"{\"n_layer\": 2,\n n_head: 3}", "line 2, character 2"),
    ] {
        for name in ["config.json", "tokenizer.json", "tokenizer_config.json"] {
            let dir = with_file(name, content);
            let error = match name {
                "config.json" => Checkpoint::open(dir.path()).unwrap_err().to_string(),
                _ => Tokenizer::from_dir(dir.path()).unwrap_err().to_string(),
            };
            check_says(dir.path(), &error, &[says, name]);
        }
    }
    // Windows puts a mark before text, and Python writes `NaN`.
    for name in ["config.json", "tokenizer.json"] {
        let text = fs::read_to_string(fixture("tiny").join(name)).unwrap();
        let text = text.replacen('{', "{\"unused\": [NaN, -Infinity],", 1);
        let dir = with_file(name, format!("\u{feff}{text}").as_bytes());
        match name {
            "config.json" => drop(Checkpoint::open(dir.path()).unwrap()),
            // The crate allows no other fields here, and says so itself.
            _ => {
                assert!(!Tokenizer::from_dir(dir.path()).unwrap_err().to_string().contains("JSON"));
            }
        }
    }
}

#[test]
fn parts_that_are_no_part_of_the_model_are_left_out_and_adapters_named() {
    for name in ["reward_head.weight", "mc_head.weight", "critic_head.0.bias", "cls.weight"] {
        let dir = with_tensors(|tensors| tensors.push(Tensor::f32(name, &[2], &[0.0; 2])));
        assert_eq!(Checkpoint::open(dir.path()).unwrap().left_out(), [name]);
    }
    for name in ["rotary_emb.inv_freq", "position_ids", "h.0.attn.rotary_emb.inv_freq"] {
        let dir = with_tensors(|tensors| tensors.push(Tensor::f32(name, &[2], &[0.0; 2])));
        assert!(Checkpoint::open(dir.path()).unwrap().left_out().is_empty(), "{name}");
    }
    for (name, says) in [
        ("h.0.attn.c_attn.lora_A.weight", "adapter (LoRA)"),
        ("h.0.attn.c_attn.ia3_l", "adapter (IA³)"),
        ("lm_head.bias", "not part of a model"),
        ("head.weight", "not part of a model"),
    ] {
        let dir = with_tensors(|tensors| tensors.push(Tensor::f32(name, &[2], &[0.0; 2])));
        check_refused(dir.path(), &[name, says]);
    }
}

/// A pipe would be waited for without end.
#[cfg(unix)]
#[test]
fn what_lies_in_the_place_of_a_file_and_is_none_is_told() {
    use std::os::unix::fs::symlink;
    use std::process::Command;
    for name in ["config.json", WEIGHTS] {
        for what in ["a folder", "a pipe or a device", "a link to what is not there"] {
            let dir = copy_of("tiny");
            let path = dir.path().join(name);
            fs::remove_file(&path).unwrap();
            match what {
                "a folder" => fs::create_dir(&path).unwrap(),
                "a pipe or a device" => {
                    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
                }
                _ => symlink("gone", &path).unwrap(),
            }
            check_refused(dir.path(), &[what, "and not a file", name]);
        }
    }
}

/// A spec, a picture and a session name the model in JSON, which has no other than UTF-8 text.
#[cfg(target_os = "linux")]
#[test]
fn a_model_whose_name_is_no_text_is_refused_before_it_is_asked() {
    use std::os::unix::ffi::OsStrExt as _;
    let dir = tempfile::tempdir().unwrap();
    let named = dir.path().join(std::ffi::OsStr::from_bytes(b"m\xff"));
    std::os::unix::fs::symlink(fixture("tiny"), &named).unwrap();
    check_refused(&named, &["no UTF-8 text", "rename it"]);
    check_refused(&named.join("model.safetensors"), &["no UTF-8 text", "rename it"]);
}
