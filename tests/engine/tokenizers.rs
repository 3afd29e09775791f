//! Tokenizers as their folders describe them: the same ids as `transformers` gives
//! (`tests/golden/make_tokenizers.py`), and tokens shown as text in every script.

use std::fs;
use std::path::PathBuf;

use factscope::facts::Fact;
use factscope::tokens::{Bos, TokenizedPrompt, Tokenizer, substitutes};
use serde::Deserialize;
use serde_json::{Value, json};

use super::support::fixture;

#[derive(Deserialize)]
struct Cases {
    bos: Option<u32>,
    eos: Option<u32>,
    n_tokens: usize,
    texts: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    text: String,

    /// With what the tokenizer puts before the text.
    ids: Vec<u32>,

    /// Of the text alone.
    bare: Vec<u32>,
}

const FOLDERS: [&str; 14] = [
    "gemma",
    "gpt2-added",
    "gpt2-bare",
    "gpt2-bos",
    "gpt2-flags",
    "gpt2-space",
    "gpt2-space-unsaid",
    "gpt2-start",
    "llama",
    "llama-first",
    "llama3",
    "neox",
    "neox-bos",
    "qwen2",
];

fn folder(name: &str) -> PathBuf {
    fixture("tokenizers").join(name)
}

fn open(name: &str) -> Tokenizer {
    Tokenizer::from_dir(&folder(name)).unwrap()
}

fn cases(name: &str) -> Cases {
    serde_json::from_str(&fs::read_to_string(folder(name).join("cases.json")).unwrap()).unwrap()
}

fn ids(tokenizer: &Tokenizer, text: &str) -> Vec<u32> {
    tokenizer.encode(text).unwrap().iter().map(|token| token.id).collect()
}

#[track_caller]
fn check_cases(tokenizer: &Tokenizer, name: &str) {
    let cases = cases(name);
    assert_eq!(tokenizer.eos(), cases.eos, "{name}");
    for case in &cases.texts {
        let bare = ids(tokenizer, &case.text);
        assert_eq!(bare, case.bare, "{name}: {:?}", case.text);
        let before: Vec<u32> = match tokenizer.default_bos() {
            Bos::On => tokenizer.bos().into_iter().collect(),
            Bos::Off => Vec::new(),
        };
        assert_eq!([before, bare].concat(), case.ids, "{name}: {:?}", case.text);
    }
    assert_eq!(tokenizer.bos(), cases.bos, "{name}");
}

#[test]
fn ids_are_those_of_transformers() {
    let mut found: Vec<String> = fs::read_dir(fixture("tokenizers"))
        .unwrap()
        .map(|it| it.unwrap().file_name().into_string().unwrap())
        .collect();
    found.sort_unstable();
    assert_eq!(found, FOLDERS);
    for name in FOLDERS {
        let tokenizer = open(name);
        assert_eq!(tokenizer.n_vocab(), cases(name).n_tokens, "{name}");
        check_cases(&tokenizer, name);
    }
}

#[test]
fn a_tokenizer_comes_back_from_a_session_as_it_was() {
    for name in FOLDERS {
        let again = Tokenizer::from_json(&open(name).to_json()).unwrap();
        check_cases(&again, name);
    }
}

#[test]
fn bos_is_put_first_where_the_tokenizer_does_it() {
    for (name, bos) in [
        ("gpt2-bare", Bos::Off),
        ("gpt2-bos", Bos::On),
        ("neox", Bos::Off),
        ("llama", Bos::On),
        ("llama-first", Bos::Off),
        ("llama3", Bos::On),
        ("gemma", Bos::On),
        ("qwen2", Bos::Off),
    ] {
        assert_eq!(open(name).default_bos(), bos, "{name}");
    }
    let fact = Fact::from_text("Paris is in", Some("Paris")).unwrap();
    let prompt = TokenizedPrompt::new(&open("llama"), &fact, Bos::On).unwrap();
    assert_eq!(prompt.pieces[0], "<s>");
    // The space before the text is a token of its own in so small a vocabulary.
    assert_eq!(prompt.pieces[1], " ");
    assert_eq!(prompt.subject.unwrap().start, 2);
    let refused = TokenizedPrompt::new(&open("qwen2"), &fact, Bos::On).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "this tokenizer has no BOS token, so none can be put before the prompt"
    );
}

/// The tokens that cover a subject spell it, with the space before it and no word beside it.
#[test]
fn a_subject_is_found_in_every_kind_of_text() {
    for name in FOLDERS {
        let tokenizer = open(name);
        for (text, subject) in [
            ("Paris is the capital of France", "Paris"),
            ("The capital of France is", "France"),
            ("In 東京 one says", "東京"),
            ("Is Málaga in Spain?", "Málaga"),
            ("It is <|bot|> दिल्ली now", "दिल्ली"),
        ] {
            let fact = Fact::from_text(text, Some(subject)).unwrap();
            let prompt = TokenizedPrompt::new(&tokenizer, &fact, Bos::Off).unwrap();
            let tokens = prompt.subject.clone().unwrap();
            let bytes = prompt.ids[tokens].iter().flat_map(|&id| tokenizer.bytes(id)).collect();
            assert_eq!(String::from_utf8(bytes).unwrap().trim(), subject, "{name}: {text}");
        }
    }
}

#[test]
fn an_answer_goes_on_from_its_prompt() {
    for name in FOLDERS {
        let tokenizer = open(name);
        let answer = TokenizedPrompt::answer(&tokenizer, "Paris").unwrap();
        assert_eq!(answer.pieces.concat(), " Paris", "{name}");
        // The merges of these small vocabularies go across words, as those of trained ones do not.
        if ["gemma", "llama", "llama-first"].contains(&name) {
            continue;
        }
        let whole = ids(&tokenizer, "It is Paris");
        assert!(whole.ends_with(&answer.ids), "{name}: {whole:?} {:?}", answer.ids);
    }
}

/// A prompt goes on, so nothing comes after it.
#[test]
fn tokens_after_a_text_are_left_off_and_named() {
    let json = fs::read_to_string(folder("llama3").join("tokenizer.json")).unwrap();
    let mut json: Value = serde_json::from_str(&json).unwrap();
    let special = |token: &str| json!({ "SpecialToken": { "id": token, "type_id": 0 } });
    let text = json!({ "Sequence": { "id": "A", "type_id": 0 } });
    let template = &mut json["post_processor"]["processors"][1];
    let mut end = template["special_tokens"]["<|begin_of_text|>"].clone();
    end["id"] = json!("<|end_of_text|>");
    end["tokens"] = json!(["<|end_of_text|>"]);
    end["ids"] = json!([open("llama3").eos().unwrap()]);
    template["special_tokens"]["<|end_of_text|>"] = end;
    template["single"] = json!([special("<|begin_of_text|>"), text, special("<|end_of_text|>")]);
    let template = json.to_string();
    let plain = fs::read_to_string(folder("llama").join("tokenizer.json")).unwrap();
    for (tokenizer, config, left_off) in [
        (&template, json!({ "tokenizer_class": "PreTrainedTokenizerFast" }), "<|end_of_text|>"),
        (&plain, json!({ "tokenizer_class": "LlamaTokenizer", "add_eos_token": true }), "</s>"),
        (&plain, json!({ "tokenizer_class": "LlamaTokenizer", "add_eos_token": false }), ""),
    ] {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("tokenizer.json"), tokenizer).unwrap();
        fs::write(dir.path().join("tokenizer_config.json"), config.to_string()).unwrap();
        let tokenizer = Tokenizer::from_dir(dir.path()).unwrap();
        let named: Vec<String> =
            tokenizer.left_off().iter().map(|&id| tokenizer.readable(id)).collect();
        assert_eq!(named.concat(), left_off, "{config}");
        assert_eq!(tokenizer.default_bos(), Bos::On, "{config}");
        let ids = ids(&tokenizer, "The capital");
        assert!(!ids.ends_with(tokenizer.left_off()) || left_off.is_empty(), "{config}");
    }
    for name in FOLDERS {
        assert!(open(name).left_off().is_empty(), "{name}");
    }
}

#[test]
fn a_piece_that_is_no_whole_character_shows_its_bytes() {
    let gpt2 = open("gpt2-bare");
    let pieces = |tokenizer: &Tokenizer, text: &str| -> Vec<String> {
        ids(tokenizer, text).into_iter().map(|id| tokenizer.shown(id)).collect()
    };
    assert_eq!(pieces(&gpt2, "龍"), ["<E9>", "<BE>", "<8D>"]);
    // A byte that ends one character, and the next whole one.
    let llama = open("llama");
    assert_eq!(pieces(&llama, "龍"), ["·", "<E9>", "<BE>", "<8D>"]);
    assert_eq!(llama.readable(ids(&llama, "龍")[1]), "<E9>");
    let whole: Vec<u8> = ids(&llama, "दिल्ली").into_iter().flat_map(|id| llama.bytes(id)).collect();
    assert_eq!(String::from_utf8(whole).unwrap(), " दिल्ली");
    assert_eq!(gpt2.shown(100_000), "id 100000 (no token)");
    // A prompt's tokens are read so, too, and its subject as a whole.
    let fact = Fact::from_text("a 龍 is", Some("龍")).unwrap();
    let prompt = TokenizedPrompt::new(&llama, &fact, Bos::Off).unwrap();
    assert!(prompt.pieces.concat().contains("<E9><BE><8D>"), "{:?}", prompt.pieces);
    assert_eq!(prompt.subject_text().unwrap().trim(), "龍");
    // What looks like a byte of SentencePiece is text in a byte-level vocabulary.
    assert_eq!(pieces(&gpt2, "<0x41>").concat(), "<0x41>");
}

#[test]
fn a_token_without_a_row_is_refused_where_it_is_used() {
    let tokenizer = open("gpt2-added");
    let n_rows = tokenizer.n_vocab() - 2;
    let tokenizer = tokenizer.for_rows(n_rows);
    assert!(tokenizer.encode("The capital").is_ok());
    let refused = tokenizer.encode("Hi <|user|>").unwrap_err().to_string();
    let says = format!(
        "the token “<|user|>” has the id {n_rows}, but the model has embeddings of {n_rows}"
    );
    assert!(refused.starts_with(&says), "{refused}");
    assert!(tokenizer.text_ids().iter().all(|id| (*id as usize) < n_rows));
    // One subject that the model cannot read is no reason to find no others.
    let fact = Fact::from_text("The capital of France is", Some("France")).unwrap();
    let others = [("<|user|>", None), ("Spain", None), ("Peru", None)];
    let [all, readable] = [&others[..], &others[1..]]
        .map(|it| substitutes(&tokenizer, &fact, Bos::Off, it.iter().copied()).unwrap());
    assert_eq!(all, readable);
}

/// A copy of a folder with other text in some files.
fn with_files(name: &str, files: &[(&str, String)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(folder(name)).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, dir.path().join(path.file_name().unwrap())).unwrap();
    }
    for (name, text) in files {
        fs::write(dir.path().join(name), text).unwrap();
    }
    dir
}

/// The `tokenizer.json` of a folder with another value of a field.
fn json_with(name: &str, field: &str, value: serde_json::Value) -> (&'static str, String) {
    let text = fs::read_to_string(folder(name).join("tokenizer.json")).unwrap();
    let mut json: serde_json::Value = serde_json::from_str(&text).unwrap();
    *json.pointer_mut(field).unwrap() = value;
    ("tokenizer.json", json.to_string())
}

/// Merges that are left out at random are for training; `transformers` gives other ids each time.
#[test]
fn a_text_has_the_same_ids_each_time() {
    let dir = with_files("gpt2-start", &[json_with("gpt2-start", "/model/dropout", 0.5.into())]);
    let tokenizer = Tokenizer::from_dir(dir.path()).unwrap();
    check_cases(&tokenizer, "gpt2-start");
}

#[test]
fn tokens_of_a_model_that_also_sees_are_found_in_a_text() {
    let plain = open("gpt2-bare");
    for extra in [r#"{"image_token": "<image>"}"#, r#"["<image>"]"#] {
        let config =
            format!(r#"{{"tokenizer_class": "GPT2Tokenizer", "extra_special_tokens": {extra}}}"#);
        let dir = with_files("gpt2-bare", &[("tokenizer_config.json", config)]);
        let tokenizer = Tokenizer::from_dir(dir.path()).unwrap();
        let n_plain = plain.n_vocab() as u32;
        assert_eq!(ids(&tokenizer, "<image>"), [n_plain]);
        assert_eq!(ids(&tokenizer, "no image"), ids(&plain, "no image"));
    }
}

#[test]
fn a_tokenizer_that_is_not_understood_says_so() {
    let special = |id: &str| serde_json::json!({"SpecialToken": {"id": id, "type_id": 0}});
    let text = |id: &str| serde_json::json!({"Sequence": {"id": id, "type_id": 0}});
    let end = "<|endoftext|>";
    let ids: Vec<u32> = ids(&open("gpt2-start"), end);
    let twice = serde_json::json!({"type": "TemplateProcessing",
        "single": [special(end), special(end), text("A")], "pair": [text("A"), text("B")],
        "special_tokens": {end: {"id": end, "ids": ids, "tokens": [end]}}});
    let dir = with_files("gpt2-start", &[json_with("gpt2-start", "/post_processor", twice)]);
    let error = Tokenizer::from_dir(dir.path()).unwrap_err().to_string();
    assert!(error.contains("puts 2 tokens before each text"), "{error}");

    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("tokenizer.model"), "x").unwrap();
    let error = Tokenizer::from_dir(dir.path()).unwrap_err().to_string();
    assert!(error.contains("`tokenizer.model`") && error.contains("AutoTokenizer"), "{error}");
}

/// The library gives added tokens ids by how many tokens there are, which are those of others where ids
/// are left out.
#[test]
fn an_added_token_has_the_id_that_it_is_listed_with() {
    let says = "is listed with the id 423, but is read with the id 422";
    let text = fs::read_to_string(folder("gpt2-added").join("vocab.json")).unwrap();
    let vocabulary: Value = serde_json::from_str(&text).unwrap();
    let n_plain = vocabulary.as_object().unwrap().len() as u64;
    assert_eq!(n_plain, 421);
    let listed = json!({ "<|user|>": n_plain, "<|bot|>": n_plain + 2 }).to_string();
    let dir = with_files("gpt2-added", &[("added_tokens.json", listed)]);
    let error = Tokenizer::from_dir(dir.path()).unwrap_err().to_string();
    assert!(error.contains("“<|bot|>”") && error.contains(says), "{error}");

    // Within a vocabulary.
    let mut gap = vocabulary.clone();
    gap["zz"] = json!(n_plain + 1);
    let dir = with_files("gpt2-added", &[("vocab.json", gap.to_string())]);
    let error = Tokenizer::from_dir(dir.path()).unwrap_err().to_string();
    assert!(error.contains("“<|user|>” is listed with the id 421"), "{error}");
    let files = [("vocab.json", gap.to_string()), ("added_tokens.json", "{}".to_owned())];
    let error =
        Tokenizer::from_dir(with_files("gpt2-added", &files).path()).unwrap_err().to_string();
    assert!(error.contains("“zz” and “<|user|>” have the same id, 422"), "{error}");

    // In a session.
    let kept = open("gpt2-added").to_json();
    let moved = kept.replace("\"id\":422", "\"id\":423");
    assert_ne!(moved, kept);
    assert!(Tokenizer::from_json(&kept).is_ok());
    assert!(Tokenizer::from_json(&moved).unwrap_err().contains(says));
}

/// The library that reads tokenizers panics at some of these.
#[test]
fn a_tokenizer_that_the_library_gives_up_on_is_an_error() {
    let whole = fs::read_to_string(folder("gpt2-flags").join("tokenizer.json")).unwrap();
    let whole: Value = serde_json::from_str(&whole).unwrap();
    let dir = tempfile::tempdir().unwrap();
    for (field, value) in [
        ("decoder", json!(5)),
        ("decoder", json!({ "type": "Nonsense" })),
        ("pre_tokenizer", json!([1])),
        ("model", json!({})),
    ] {
        let mut broken = whole.clone();
        broken[field] = value;
        fs::write(dir.path().join("tokenizer.json"), broken.to_string()).unwrap();
        let error = Tokenizer::from_dir(dir.path()).unwrap_err().to_string();
        assert!(error.starts_with("cannot read the tokenizer: "), "{error}");
    }
    assert!(Tokenizer::from_json("{\"decoder\": \"\u{1}\"").is_err());
}

/// A session would keep one of them alone, and could not be opened again.
#[test]
fn two_tokens_with_one_id_are_refused() {
    let vocabulary = fs::read_to_string(folder("gpt2-bare").join("vocab.json")).unwrap();
    let mut vocabulary: Value = serde_json::from_str(&vocabulary).unwrap();
    vocabulary["for"] = vocabulary["!"].clone();
    let dir = with_files("gpt2-bare", &[("vocab.json", vocabulary.to_string())]);
    let error = Tokenizer::from_dir(dir.path()).unwrap_err().to_string();
    assert!(error.contains("the tokens “!” and “for” have the same id, "), "{error}");
}

/// Python keeps the last of two ids, and says nothing.
#[test]
fn a_token_that_stands_in_a_vocabulary_twice_is_refused() {
    let says = "the token “!” stands there twice, with the ids 7 and ";
    let text = fs::read_to_string(folder("gpt2-bare").join("vocab.json")).unwrap();
    let twice = text.replacen('{', "{\"!\": 7, ", 1);
    let dir = with_files("gpt2-bare", &[("vocab.json", twice)]);
    let error = Tokenizer::from_dir(dir.path()).unwrap_err().to_string();
    assert!(error.contains(says) && error.contains("vocab.json"), "{error}");

    let text = fs::read_to_string(folder("gpt2-flags").join("tokenizer.json")).unwrap();
    let start = text.find("\"vocab\"").unwrap();
    let start = start + text[start..].find('{').unwrap() + 1;
    let twice = format!("{}\"!\": 7, {}", &text[..start], &text[start..]);
    let dir = with_files("gpt2-flags", &[("tokenizer.json", twice)]);
    let error = Tokenizer::from_dir(dir.path()).unwrap_err().to_string();
    assert!(error.contains(says) && error.contains("tokenizer.json"), "{error}");
}

#[test]
fn what_a_tokenizer_drops_and_a_foil_that_is_the_answer_are_told() {
    let json = r#"{"version": "1.0", "added_tokens": [], "model": {"type": "BPE", "merges": [],
        "vocab": {"a": 0, "b": 1, " ": 2, "c": 3}}}"#;
    let tokenizer = Tokenizer::from_json(json).unwrap();
    let doubts = |prompt: &str, answer: &str, foil: Option<&str>| {
        let fact = Fact {
            answer: Some(answer.to_owned()),
            foil: foil.map(str::to_owned),
            ..Fact::from_text(prompt, None).unwrap()
        };
        TokenizedPrompt::new(&tokenizer, &fact, Bos::Off).unwrap().doubts(&tokenizer)
    };
    assert_eq!(doubts("a b\n", "c", None), Vec::<String>::new());
    let told = doubts("a北京b☃", "é c", Some("b"));
    assert!(told[0].contains("drops “北京”, “☃” of the prompt"), "{told:?}");
    assert!(told[1].contains("drops “é” of the answer"), "{told:?}");
    assert!(told[2].contains("answer and foil both begin with the token"), "{told:?}");
    let told = doubts("a", "b", Some(" b"));
    assert!(told.len() == 1 && told[0].contains("the foil is the answer itself"), "{told:?}");

    // Tokenizers that can spell any text drop none of it.
    for name in ["gemma", "gpt2-bare", "gpt2-space"] {
        let tokenizer = open(name);
        for text in ["naïve 北京 ☃\u{301} 🦀", " a  b ", "\u{feff}ﬁ\u{200d}x\tII"] {
            assert_eq!(tokenizer.dropped(text).unwrap(), Vec::<String>::new(), "{name}: {text}");
        }
    }
}

/// `transformers` leaves out the first line of `merges.txt`, which should be a version, and what follows the last
/// line end.
#[test]
fn merges_are_those_that_python_takes() {
    let whole = fs::read_to_string(folder("gpt2-bare").join("merges.txt")).unwrap();
    let (version, merges) = whole.split_once('\n').unwrap();
    assert!(version.starts_with("#version"));
    let with_merges = |merges: String| {
        Tokenizer::from_dir(with_files("gpt2-bare", &[("merges.txt", merges)]).path()).unwrap()
    };
    let (_, without_first) = merges.split_once('\n').unwrap();
    let (without_last, _) = whole.trim_end().rsplit_once('\n').unwrap();
    for (file, is_as) in [
        (merges.to_owned(), format!("{version}\n{without_first}")),
        (format!("\n{merges}"), whole.clone()),
        (whole.trim_end().to_owned(), format!("{without_last}\n")),
        (whole.replace('\n', "\r\n"), whole.clone()),
    ] {
        assert_eq!(with_merges(file).to_json(), with_merges(is_as).to_json());
    }
}

/// Of other classes a `tokenizer.json` is read.
#[test]
fn a_class_that_knows_more_than_its_vocabulary_is_refused() {
    for class in ["BartTokenizer", "RobertaTokenizerFast", "ByT5Tokenizer", "CLIPTokenizer"] {
        let config = json!({ "tokenizer_class": class }).to_string();
        let dir = with_files("gpt2-bare", &[("tokenizer_config.json", config.clone())]);
        let error = Tokenizer::from_dir(dir.path()).unwrap_err().to_string();
        let class = class.trim_end_matches("Fast");
        assert!(error.contains(class) && error.contains("save_pretrained"), "{error}");
        let dir = with_files("gpt2-start", &[("tokenizer_config.json", config)]);
        assert!(Tokenizer::from_dir(dir.path()).is_ok());
    }
    for (value, is_read) in [(true, false), (false, true)] {
        let config = json!({ "tokenizer_class": "GPT2Tokenizer", "split_special_tokens": value })
            .to_string();
        let dir = with_files("gpt2-bare", &[("tokenizer_config.json", config)]);
        assert_eq!(Tokenizer::from_dir(dir.path()).is_ok(), is_read);
    }
}

/// A token that no file gives an id has the one behind the largest, though ids are left out before that.
#[test]
fn a_new_token_follows_the_largest_id() {
    let text = fs::read_to_string(folder("gpt2-bare").join("vocab.json")).unwrap();
    let mut vocabulary: Value = serde_json::from_str(&text).unwrap();
    let end = "<|endoftext|>";
    assert!(vocabulary.get(end).is_some());
    vocabulary[end] = json!(1050);
    let config = json!({ "tokenizer_class": "GPT2Tokenizer", "mask_token": "<mask>" }).to_string();
    let files = [("vocab.json", vocabulary.to_string()), ("tokenizer_config.json", config)];
    let tokenizer = Tokenizer::from_dir(with_files("gpt2-bare", &files).path()).unwrap();
    assert_eq!(ids(&tokenizer, "<mask>"), [1051]);
    assert_eq!(ids(&tokenizer, end), [1050]);
}
