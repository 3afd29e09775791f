//! GGUF files: their models, their tokenizers, and those that cannot be opened. The files are made by
//! `tests/golden/make_gguf.py`, which also asks transformers, llama.cpp and SentencePiece.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use factscope::gguf::{Header, Value};
use factscope::intervention::SiteSet;
use factscope::model::Checkpoint;
use factscope::tokens::{Bos, Tokenizer};
use serde::Deserialize;
use tempfile::TempDir;

use super::check_refused;
use crate::support::{assert_close, fixture, load, logits};
use crate::trained::trained;

#[derive(Deserialize)]
struct Golden {
    ids: Vec<u32>,
    logits: Vec<f32>,
}

/// Texts, and the ids that others give them.
#[derive(Deserialize)]
struct Tokens<Ids> {
    texts: Vec<String>,
    ids: Ids,
}

fn file(name: &str) -> PathBuf {
    fixture("formats/gguf").join(name).with_extension("gguf")
}

/// A copy of a file that may be changed.
fn changed(name: &str, change: impl FnOnce(&mut Vec<u8>)) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let mut bytes = fs::read(file(name)).unwrap();
    change(&mut bytes);
    let path = dir.path().join("model.gguf");
    fs::write(&path, bytes).unwrap();
    (dir, path)
}

/// Where a text begins in a file's bytes.
fn find(bytes: &[u8], text: &str) -> usize {
    bytes.windows(text.len()).position(|it| it == text.as_bytes()).unwrap()
}

/// Gives a text of the metadata another value. The tensors move with what is before them.
fn set_text(bytes: &mut Vec<u8>, key: &str, value: &str) {
    let at = find(bytes, key) + key.len() + 4;
    let len = u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize;
    let new = [&(value.len() as u64).to_le_bytes()[..], value.as_bytes()].concat();
    bytes.splice(at..at + 8 + len, new);
}

/// Adds metadata to a file's bytes: the key, the number of its kind, and the value's bytes. The tensors stay
/// aligned.
fn add(bytes: &mut Vec<u8>, key: &str, kind: u32, value: &[u8]) {
    let entry = |key: &str, kind: u32, value: &[u8]| {
        let len = (key.len() as u64).to_le_bytes();
        [&len[..], key.as_bytes(), &kind.to_le_bytes(), value].concat()
    };
    let mut added = entry(key, kind, value);
    // As long as is needed: a text under another key, with its length.
    let fixed = entry("test.padding", 8, &0_u64.to_le_bytes()).len();
    let n_padding = (added.len() + fixed).next_multiple_of(64) - added.len() - fixed;
    let padding = [&(n_padding as u64).to_le_bytes()[..], &vec![b' '; n_padding]].concat();
    added.extend(entry("test.padding", 8, &padding));
    let n_entries = u64::from_le_bytes(bytes[16..24].try_into().unwrap()) + 2;
    bytes[16..24].copy_from_slice(&n_entries.to_le_bytes());
    bytes.splice(24..24, added);
}

/// Metadata that change what a model computes are read, or refused by their names.
#[test]
fn metadata_that_change_numbers_are_not_passed_over() {
    let float = |it: f32| it.to_le_bytes().to_vec();
    let int = |it: u32| it.to_le_bytes().to_vec();
    let family = |name: &str| fixture("formats/gguf-families").join(format!("{name}.gguf"));
    let of = |name: &str, added: &[(&str, u32, Vec<u8>)]| {
        let dir = tempfile::tempdir().unwrap();
        let mut bytes = fs::read(family(name)).unwrap();
        let [first, second] = [added.first(), added.get(1)];
        for (key, kind, value) in first.into_iter().chain(second) {
            add(&mut bytes, key, *kind, value);
            // Padding comes once in a file.
            let at = find(&bytes, "test.padding");
            bytes[at..at + 12].copy_from_slice(format!("test.{:07}", key.len()).as_bytes());
        }
        let path = dir.path().join("model.gguf");
        fs::write(&path, bytes).unwrap();
        (dir, path)
    };
    for (name, key, kind, value) in [
        ("llama", "llama.rope.scaling.attn_factor", 6, float(2.0)),
        ("llama", "llama.rope.scaling.yarn_beta_fast", 6, float(16.0)),
        ("llama", "llama.attention.causal", 7, vec![0]),
        ("llama", "llama.expert_count", 4, int(4)),
        ("llama", "llama.logit_scale", 6, float(0.5)),
        ("llama", "llama.attention.value_length", 4, int(8)),
        ("gemma3", "gemma3.attention.sliding_window_pattern", 4, int(2)),
        ("gemma2", "gemma2.attention.sliding_window_pattern", 4, int(6)),
    ] {
        let (_dir, path) = of(name, &[(key, kind, value)]);
        check_refused(&path, &["model.gguf", key]);
    }
    let ids = [656, 7, 53, 133, 247, 395, 577, 2];
    let logits_of = |path: &Path| logits(&load(path).run_clean(&ids, &SiteSet::new()));
    for (name, key, kind, value) in [
        ("llama", "llama.rope.scaling.attn_factor", 6, float(1.0)),
        ("llama", "llama.attention.causal", 7, vec![1]),
        ("llama", "llama.expert_count", 4, int(0)),
        ("gemma3", "gemma3.attention.sliding_window_pattern", 4, int(6)),
        ("gemma3", "gemma3.rope.freq_base_swa", 6, float(10_000.0)),
    ] {
        let (_dir, path) = of(name, &[(key, kind, value)]);
        assert_eq!(logits_of(&path), logits_of(&family(name)), "{key} changes nothing");
    }
    // A factor without a type is linear, under its old name too.
    let typed = b"\x06\0\0\0\0\0\0\0linear".to_vec();
    let factor = "llama.rope.scaling.factor";
    let (_dir, linear) =
        of("llama", &[(factor, 6, float(4.0)), ("llama.rope.scaling.type", 8, typed)]);
    let expected = logits_of(&linear);
    assert_ne!(expected, logits_of(&family("llama")));
    for key in [factor, "llama.rope.scale_linear"] {
        let (_dir, path) = of("llama", &[(key, 6, float(4.0))]);
        assert_eq!(logits_of(&path), expected, "{key}");
    }
    let (_dir, path) = of("gemma3", &[("gemma3.rope.freq_base_swa", 6, float(500.0))]);
    assert_ne!(logits_of(&path), logits_of(&family("gemma3")));
}

#[test]
fn a_gguf_file_holds_its_model() {
    let text = fs::read_to_string(fixture("formats/gguf/golden.json")).unwrap();
    let golden: BTreeMap<String, Golden> = serde_json::from_str(&text).unwrap();
    let of = |path: &Path, ids: &[u32]| logits(&load(path).run_clean(ids, &SiteSet::new()));
    for (name, golden) in &golden {
        // Sums in another order, as everywhere.
        assert_close(&of(&file(name), &golden.ids), &golden.logits, 1e-4, name);
    }
    let ids = &golden["small"].ids;
    let plain = of(&fixture("formats/safetensors"), ids);
    // GGUF has GPT-2's matrices transposed, so products take their sums in another order.
    assert_close(&of(&file("small"), ids), &plain, 2e-6, "the same weights as safetensors");
    let (_dir, older) = changed("small", |bytes| bytes[4] = 2);
    assert_close(&of(&older, ids), &of(&file("small"), ids), 0.0, "version 2");

    let open = |name| Checkpoint::open(&file(name)).unwrap();
    assert_eq!(open("small").name(), "small");
    let every =
        ["F32", "F16", "BF16", "Q8_0", "Q6_K", "Q5_K", "Q5_1", "Q5_0", "Q4_K", "Q4_1", "Q4_0"];
    assert_eq!(open("quantised").dtypes(), every);
}

/// The numbers are those of `transformers` for the same weights, as `make_gguf_families.py` kept them; the
/// tolerance is that of all families.
#[test]
fn gguf_files_of_other_families_hold_their_models() {
    let text = fs::read_to_string(fixture("formats/gguf-families").join("golden.json")).unwrap();
    let golden: BTreeMap<String, Vec<f32>> = serde_json::from_str(&text).unwrap();
    assert_eq!(golden.len(), 7);
    for (name, expected) in &golden {
        let model = load(&fixture("formats/gguf-families").join(format!("{name}.gguf")));
        let run = model.run_clean(&[656, 7, 53, 133, 247, 395, 577, 2], &SiteSet::new());
        let found: Vec<f32> = logits(&run).into_iter().step_by(10).collect();
        assert_close(&found, expected, 1e-4, name);
    }
}

#[test]
fn all_kinds_of_metadata_are_read() {
    let bytes = fs::read(file("quantised")).unwrap();
    let header = Header::read(&bytes).unwrap();
    let number = |key: &str| header.number(key).unwrap().unwrap();
    assert_eq!(number("test.u8"), 200.0);
    assert_eq!(number("test.i8"), -100.0);
    assert_eq!(number("test.u16"), 60_000.0);
    assert_eq!(number("test.i16"), -30_000.0);
    assert_eq!(number("test.i32"), -2_000_000_000.0);
    assert_eq!(number("test.f64"), 0.1);
    assert_eq!(header.size("test.u64").unwrap(), Some(1 << 60));
    assert!(matches!(header.metadata["test.i64"], Value::Signed(it) if it == -(1 << 60)));
    assert_eq!(header.flag("test.bool").unwrap(), Some(true));
    let list = header.list("test.floats").unwrap().unwrap();
    assert_eq!(
        list.values().map(|it| it.unwrap().number().unwrap()).collect::<Vec<_>>(),
        [0.5, 1.5]
    );
    assert_eq!(header.size("general.alignment").unwrap(), Some(64));
    assert_eq!(header.text("general.architecture").unwrap(), Some("gpt2"));
    assert!(header.size("test.i8").unwrap_err().to_string().contains("`test.i8` is no size"));

    // Lists in lists, which no writer writes today.
    let mut lists = b"GGUF".to_vec();
    for number in [3_u32, 0, 0, 1, 0, 1, 0] {
        lists.extend(number.to_le_bytes());
    }
    lists.extend(b"k");
    for number in [9_u32, 9, 2, 0, 4, 1, 0, 7, 4, 0, 0] {
        lists.extend(number.to_le_bytes());
    }
    let header = Header::read(&lists).unwrap();
    assert_eq!(header.list("k").unwrap().unwrap().len(), 2);
}

/// The words of a `config.json` say nothing to who has a GGUF file.
#[test]
fn a_size_that_does_not_fit_is_told_by_the_metadata_of_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.gguf");
    let refused = |name: &str, key: &str| {
        let mut bytes = fs::read(fixture("formats/gguf-families").join(name)).unwrap();
        let entry = [&(key.len() as u64).to_le_bytes()[..], key.as_bytes()].concat();
        let at = bytes.windows(entry.len()).position(|it| it == entry)?;
        let value = at + entry.len() + 4..at + entry.len() + 8;
        let size = u32::from_le_bytes(bytes[value.clone()].try_into().unwrap());
        bytes[value].copy_from_slice(&(2 * size).to_le_bytes());
        fs::write(&path, bytes).unwrap();
        Some(Checkpoint::open(&path).unwrap_err().to_string())
    };
    let mut n_refused = 0;
    for (name, architecture) in [
        ("gemma2", "gemma2"),
        ("gemma3", "gemma3"),
        ("llama", "llama"),
        ("olmo2", "olmo2"),
        ("pythia", "gptneox"),
        ("qwen2", "qwen2"),
        ("qwen3", "qwen3"),
    ] {
        for size in [
            "embedding_length",
            "feed_forward_length",
            "attention.head_count_kv",
            "attention.key_length",
            "block_count",
        ] {
            let key = format!("{architecture}.{size}");
            let Some(error) = refused(&format!("{name}.gguf"), &key) else { continue };
            n_refused += 1;
            let words = ["config.json", "hidden_size", "num_", "intermediate_size", "head_dim"];
            assert!(!words.into_iter().any(|it| error.contains(it)), "{key}: {error}");
            assert!(error.contains("model.gguf"), "{key}: {error}");
            let is_named = error.contains(&format!("{architecture}."));
            assert!(is_named || size == "block_count", "{key}: {error}");
        }
    }
    assert!(n_refused > 20, "{n_refused}");
    let error = refused("llama.gguf", "llama.feed_forward_length").unwrap();
    let says = "tensor `blk.0.ffn_gate.weight` has shape [16, 24], but must have [16, 48] by metadata \
                `llama.feed_forward_length` (48)";
    assert!(error.contains(says), "{error}");
}

#[test]
fn a_gguf_file_that_cannot_be_opened_says_why() {
    let refused = |change: &dyn Fn(&mut Vec<u8>), says: &[&str]| {
        let (dir, path) = changed("small", change);
        check_refused(&path, &[says, &["model.gguf"]].concat());
        drop(dir);
    };
    refused(&|it| set_text(it, "general.architecture", "mamba"), &["`mamba`", "gpt2", "llama"]);
    refused(&|it| it[4] = 1, &["version 1", "convert_hf_to_gguf.py"]);
    refused(&|it| it[4] = 4, &["version 4"]);
    refused(&|it| it[4..8].reverse(), &["big-endian"]);
    refused(&|it| it[..4].copy_from_slice(b"GGML"), &["does not begin with `GGUF`"]);
    refused(&|it| it.clear(), &["an empty file"]);
    let kind_of = |bytes: &[u8]| find(bytes, "output_norm.bias") + 16 + 4 + 8;
    refused(
        &|it| {
            let at = kind_of(it);
            it[at] = 20;
        },
        &["`output_norm.bias`", "IQ4_NL", "Q4_K"],
    );
    refused(
        &|it| {
            let at = kind_of(it);
            it[at] = 200;
        },
        &["`output_norm.bias`", "type 200"],
    );
    refused(
        &|it| {
            let at = kind_of(it);
            it[at] = 2;
        },
        &["`output_norm.bias`", "blocks of 32"],
    );
    refused(
        &|it| {
            let at = find(it, "gpt2.block_count");
            it[at + 5] = b'x';
        },
        &["`gpt2.block_count` is missing"],
    );
    refused(
        &|it| {
            let at = find(it, "blk.1.attn_qkv.weight");
            it[at + 4] = b'0';
        },
        &["`blk.0.attn_qkv.weight`", "occurs twice"],
    );
    refused(
        &|it| {
            let at = find(it, "blk.1.ffn_up.bias");
            it[at + 4] = b'9';
        },
        &["`blk.1.ffn_up.bias`", "missing"],
    );
    refused(&|it| it.truncate(it.len() - 40), &["cut short", "tensor `"]);
    refused(&|it| set_text(it, "tokenizer.ggml.model", "bert"), &["`bert`", "`gpt2`", "`llama`"]);
    refused(&|it| set_text(it, "tokenizer.ggml.pre", "zzzzz"), &["`zzzzz`", "llama-bpe"]);
}

/// With the rules of llama.cpp by their names, and with SentencePiece's.
#[test]
fn tokens_of_a_gguf_file_are_those_of_others() {
    let text = fs::read_to_string(fixture("formats/gguf/tokens.json")).unwrap();
    // For each rule or file, the ids of each text.
    let Tokens::<BTreeMap<String, Vec<Vec<u32>>>> { texts, ids } =
        serde_json::from_str(&text).unwrap();
    assert!(ids.len() > 10);
    for (name, right) in &ids {
        let (_dir, path) = match name.strip_prefix("sentencepiece") {
            Some(_) => changed(name, |_| ()),
            None => changed("byte-level", |it| set_text(it, "tokenizer.ggml.pre", name)),
        };
        let tokenizer = Tokenizer::from_dir(&path).unwrap();
        // A session keeps the tokenizer as well.
        let again = Tokenizer::from_json(&tokenizer.to_json()).unwrap();
        for (text, right) in texts.iter().zip(right) {
            for tokenizer in [&tokenizer, &again] {
                let tokens = tokenizer.encode(text).unwrap();
                let found: Vec<u32> = tokens.iter().map(|it| it.id).collect();
                assert_eq!(found, *right, "{name}: {text:?}");
                // Where accents are composed, tokens spell another text.
                if name != "qwen2" {
                    assert_eq!(tokens.last().unwrap().bytes.end, text.len(), "{name}: {text:?}");
                }
            }
        }
    }
}

#[test]
fn bos_of_a_gguf_file_is_its_own() {
    let open = |path: &Path| Tokenizer::from_dir(path).unwrap();
    let marked = open(&file("sentencepiece"));
    assert_eq!((marked.bos(), marked.eos(), marked.default_bos()), (Some(1), Some(2), Bos::On));
    assert_eq!(marked.readable(1), "<s>");
    for (rule, bos) in [("gpt-2", Bos::Off), ("llama-bpe", Bos::On)] {
        let (_dir, path) = changed("byte-level", |it| set_text(it, "tokenizer.ggml.pre", rule));
        let tokenizer = open(&path);
        assert_eq!(tokenizer.default_bos(), bos, "{rule}");
        assert_eq!(tokenizer.readable(tokenizer.bos().unwrap()), "<|endoftext|>");
    }
}

/// SmolLM2 and Gemma 3, where their files are.
#[test]
fn tokens_of_trained_models_are_those_of_others() {
    let text = fs::read_to_string(fixture("formats/gguf/trained.json")).unwrap();
    let known: BTreeMap<String, Tokens<Vec<Vec<u32>>>> = serde_json::from_str(&text).unwrap();
    for (name, Tokens { texts, ids }) in known {
        let Some(path) = trained(&name) else { continue };
        let tokenizer = Tokenizer::from_dir(&path).unwrap();
        for (text, right) in texts.iter().zip(ids) {
            let tokens = tokenizer.encode(text).unwrap();
            assert_eq!(
                tokens.iter().map(|it| it.id).collect::<Vec<_>>(),
                right,
                "{name}: {text:?}"
            );
        }
    }
}

#[test]
fn a_file_is_opened_by_its_first_bytes_where_its_name_tells_nothing() {
    let whole = fs::read(file("quantised")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let asked = |path: &Path| logits(&load(path).run_clean(&[0, 1, 2], &SiteSet::new()));
    let expected = asked(&file("quantised"));
    // As Ollama calls them, and Windows.
    for name in ["sha256-2af3b81862c6", "model.GGUF", "model.gguf.v2"] {
        let path = dir.path().join(name);
        fs::write(&path, &whole).unwrap();
        assert_close(&asked(&path), &expected, 0.0, name);
        assert!(Tokenizer::from_dir(&path).is_ok(), "{name}");
    }
    fs::write(dir.path().join("model.txt"), "GGU").unwrap();
    check_refused(&dir.path().join("model.txt"), &["no weight file by its name"]);
}

#[test]
fn a_vocabulary_alone_and_the_formats_before_gguf_are_told() {
    check_refused(
        &file("byte-level"),
        &["it holds no tensors", "get the file with the model's weights"],
    );
    for first in [b"lmgg", b"fmgg", b"tjgg", b"algg"] {
        let (_dir, path) = changed("quantised", |it| it[..4].copy_from_slice(first));
        check_refused(&path, &["before GGUF", "convert_hf_to_gguf.py"]);
    }
}
