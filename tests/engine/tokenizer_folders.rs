//! Tokenizers whose folders say more than one thing of a token, or ask for what not all readers do: the ids are those
//! of `transformers` 4.57, given as numbers, or the folder is refused.

use std::fs;

use factscope::tokens::{Bos, Tokenizer};
use serde_json::{Value, json};

use super::support::fixture;

/// A copy of a folder with other text in some files.
fn with_files(name: &str, files: &[(&str, &Value)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(fixture("tokenizers").join(name)).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, dir.path().join(path.file_name().unwrap())).unwrap();
    }
    for (name, json) in files {
        fs::write(dir.path().join(name), json.to_string()).unwrap();
    }
    dir
}

/// What a file of a folder holds.
fn file_of(name: &str, file: &str) -> Value {
    let text = fs::read_to_string(fixture("tokenizers").join(name).join(file)).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The ids of a text, with BOS where the tokenizer itself puts it.
fn ids(name: &str, files: &[(&str, &Value)], text: &str) -> Vec<u32> {
    let tokenizer = Tokenizer::from_dir(with_files(name, files).path()).unwrap();
    let bos = tokenizer.bos().filter(|_| tokenizer.default_bos() == Bos::On);
    bos.into_iter().chain(tokenizer.encode(text).unwrap().iter().map(|it| it.id)).collect()
}

#[track_caller]
fn refusal(name: &str, files: &[(&str, &Value)]) -> String {
    Tokenizer::from_dir(with_files(name, files).path()).unwrap_err().to_string()
}

#[test]
fn how_an_added_token_is_found_stands_where_its_role_is_given() {
    const TEXT: &str = "Hi <|user|> to <|bot|> x";
    const KEPT: [u32; 10] = [39, 72, 220, 421, 268, 78, 220, 422, 220, 87];
    const TAKEN: [u32; 9] = [39, 72, 421, 83, 78, 220, 422, 220, 87];
    let found = json!({ "content": "<|user|>", "lstrip": true, "rstrip": true,
        "normalized": false, "single_word": false });
    let mut typed = found.clone();
    typed["__type"] = json!("AddedToken");
    let config = |role: &str, token: &Value| {
        let mut config = json!({ "tokenizer_class": "GPT2Tokenizer" });
        config[role] = token.clone();
        config
    };
    let (plain, none) = (config("pad_token", &Value::Null), json!({}));
    for (config, map, expected) in [
        (&plain, &json!({ "additional_special_tokens": ["<|user|>"] }), &KEPT[..]),
        (&plain, &json!({ "pad_token": found }), &TAKEN),
        (&plain, &json!({ "additional_special_tokens": [found] }), &TAKEN),
        (&config("pad_token", &typed), &none, &TAKEN),
        (&config("additional_special_tokens", &json!([typed])), &none, &TAKEN),
        // The first role tells.
        (&plain, &json!({ "eos_token": "<|user|>", "pad_token": found }), &KEPT),
    ] {
        let files = [("tokenizer_config.json", config), ("special_tokens_map.json", map)];
        assert_eq!(ids("gpt2-added", &files, TEXT), expected, "{config} {map}");
    }
}

#[test]
fn a_list_of_tokens_goes_before_how_the_vocabulary_finds_them() {
    const BOT: [u32; 10] = [220, 27, 91, 65, 78, 83, 91, 29, 220, 87];
    let text = "Hi <|user|> to <|bot|> x";
    let found = json!({ "content": "<|user|>", "lstrip": true, "rstrip": true,
        "normalized": false, "single_word": false });
    let mut known = file_of("gpt2-start", "tokenizer.json");
    known["added_tokens"].as_array_mut().unwrap().push(json!({ "id": 421, "content": "<|user|>",
        "lstrip": false, "rstrip": true, "normalized": false, "single_word": false, "special": true }));
    let plain = file_of("gpt2-start", "tokenizer.json");
    let (kept, taken) = (vec![39, 72, 220, 421, 83, 78], vec![39, 72, 421, 83, 78]);
    let config = json!({ "tokenizer_class": "PreTrainedTokenizerFast" });
    let (role, list) =
        (json!({ "pad_token": found }), json!({ "additional_special_tokens": [found] }));
    let (none, added) = (json!({}), json!({ "<|user|>": 421 }));
    for (json, map, added, before) in [
        (&known, &none, &none, &kept),
        (&known, &none, &added, &kept),
        (&known, &role, &none, &kept),
        (&known, &role, &added, &kept),
        (&known, &list, &none, &taken),
        (&known, &list, &added, &taken),
        (&plain, &role, &added, &taken),
    ] {
        let files = [
            ("tokenizer.json", json),
            ("special_tokens_map.json", map),
            ("added_tokens.json", added),
            ("tokenizer_config.json", &config),
        ];
        let expected = [&before[..], &BOT].concat();
        assert_eq!(ids("gpt2-start", &files, text), expected, "{map} {added}");
    }
}

#[test]
fn classes_that_put_bos_before_a_text_do_so_without_a_template() {
    let class = |class: &str| json!({ "tokenizer_class": class });
    let mut bare = class("CodeLlamaTokenizerFast");
    bare["add_bos_token"] = json!(false);
    bare["prefix_token"] = Value::Null;
    let mut spaced = class("CohereTokenizerFast");
    spaced["add_prefix_space"] = json!(true);
    spaced["bos_token"] = json!("<|endoftext|>");
    let mut qwen2 = file_of("qwen2", "tokenizer_config.json");
    qwen2["add_bos_token"] = json!(true);
    qwen2["bos_token"] = json!("<|endoftext|>");
    for (name, config, text, expected) in [
        ("llama", class("CodeLlamaTokenizer"), "The ▁<PRE> x", &[1, 344, 650, 618, 319][..]),
        ("llama", bare, "The ▁<PRE> x", &[344, 338, 63, 287, 288, 276, 65, 338, 319]),
        ("gpt2-start", class("CohereTokenizer"), "The capital <UNK>", &[421, 260, 278, 220, 423]),
        ("gpt2-start", spaced, "The capital", &[420, 220, 260, 278]),
        // Qwen 2's class has no such flag.
        ("qwen2", qwen2, "The capital", &[260, 278]),
    ] {
        assert_eq!(ids(name, &[("tokenizer_config.json", &config)], text), expected, "{config}");
    }
}

#[test]
fn what_a_configuration_asks_for_is_done_or_refused() {
    let file = "tokenizer_config.json";
    for flag in ["add_prefix_space", "add_bos_token", "add_eos_token", "legacy"] {
        for value in [json!("true"), json!(1)] {
            let mut config = json!({ "tokenizer_class": "GPT2Tokenizer" });
            config[flag] = value;
            let error = refusal("gpt2-bare", &[(file, &config)]);
            assert!(error.contains(&format!("`{flag}` is ")) && error.contains(file), "{error}");
        }
    }
    for (named, is_read) in [
        ("tokenizer.json", true),
        ("tokenizer.4.0.json", false),
        ("tokenizer.4.57.6.json", false),
        ("tokenizer.4.58.json", true),
        ("tokenizer.9.0.0.json", true),
    ] {
        let config = json!({ "tokenizer_class": "GPT2Tokenizer",
            "fast_tokenizer_files": ["tokenizer.json", named] });
        if is_read {
            let bare = json!({ "tokenizer_class": "GPT2Tokenizer" });
            let [with, without] = [&config, &bare].map(|it| ids("gpt2-start", &[(file, it)], "a"));
            assert_eq!(with, without, "{named}");
        } else {
            let error = refusal("gpt2-start", &[(file, &config)]);
            assert!(error.contains(&format!("names `{named}`")), "{error}");
        }
    }
}

/// Python makes a tokenizer of Llama's anew where `add_prefix_space` is given.
#[test]
fn llamas_tokenizer_puts_a_space_before_a_text_as_its_folder_says() {
    for (name, legacy) in [("llama", true), ("llama-first", false)] {
        for (has_space, legacy, is_read) in [
            (true, json!(legacy), true),
            (false, json!(legacy), false),
            (true, json!(!legacy), false),
            (true, Value::Null, legacy),
        ] {
            let mut config = file_of(name, "tokenizer_config.json");
            config["tokenizer_class"] = json!("LlamaTokenizer");
            config["add_prefix_space"] = json!(has_space);
            config["legacy"] = legacy;
            let files = [("tokenizer_config.json", &config)];
            let read = Tokenizer::from_dir(with_files(name, &files).path());
            assert_eq!(read.is_ok(), is_read, "{name} {config}");
            if !is_read {
                let error = refusal(name, &files);
                assert!(error.contains("take `add_prefix_space` out"), "{error}");
            }
        }
    }
}

#[test]
fn a_written_id_without_a_token_is_told_in_a_text() {
    let dir = with_files("gpt2-bare", &[]);
    let tokenizer = Tokenizer::from_dir(dir.path()).unwrap();
    let word: Vec<u32> = tokenizer.encode("The 龍").unwrap().iter().map(|it| it.id).collect();
    let text = tokenizer.readable_text(&[&word[..], &[9000, 9001], &word].concat());
    assert_eq!(text, "The 龍 id 9000 (no token) id 9001 (no token)The 龍");
}
