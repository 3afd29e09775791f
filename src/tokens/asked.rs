//! What a folder's `tokenizer_config.json` asks for: refused where `transformers` 4.57 does it and this program does
//! not, or where it cannot be told what is meant.

use serde_json::{Map, Value, json};
use tokenizers::{NormalizerWrapper, PreTokenizerWrapper, Tokenizer as HfTokenizer};

/// The release of `transformers` whose reading is followed.
const TRANSFORMERS: [u32; 3] = [4, 57, 6];

/// Refuses flags of another type, and what this program does not do.
pub(super) fn check(config: &Map<String, Value>) -> Result<(), String> {
    const FLAGS: [&str; 5] =
        ["add_bos_token", "add_eos_token", "add_prefix_space", "legacy", "split_special_tokens"];
    for name in FLAGS {
        if let Some(value) = config.get(name).filter(|it| !(it.is_boolean() || it.is_null())) {
            return Err(format!("`{name}` is {value}; write `true` or `false`, without quotes"));
        }
    }
    if config.get("split_special_tokens") == Some(&Value::Bool(true)) {
        return Err("with `split_special_tokens`, Python cuts special tokens of a text into pieces, and this program \
                    does not; set it to `false`"
            .to_owned());
    }
    let files = config.get("fast_tokenizer_files").and_then(Value::as_array);
    let names = files.into_iter().flatten().filter_map(Value::as_str);
    match names.clone().find(|name| is_for_today(name)) {
        None => Ok(()),
        Some(name) => Err(format!(
            "`fast_tokenizer_files` names `{name}`, which Python reads in place of `tokenizer.json`, and this program \
             does not; name that file `tokenizer.json` and take `fast_tokenizer_files` out"
        )),
    }
}

/// Whether a file such as `tokenizer.4.0.json` is for the release that is followed or one before it.
fn is_for_today(name: &str) -> bool {
    let version = name.strip_prefix("tokenizer.").and_then(|it| it.strip_suffix(".json"));
    let Some(version) = version else { return false };
    let numbers: Option<Vec<u32>> = version.split('.').map(|it| it.parse().ok()).collect();
    numbers.is_none_or(|it| it.as_slice() <= TRANSFORMERS.as_slice())
}

/// Refuses a `tokenizer.json` of Llama's that is not as its folder's flags have it: where `add_prefix_space` is given,
/// Python makes the tokenizer anew from `tokenizer.model`. Reference: `LlamaConverter`.
pub(super) fn check_space(config: &Map<String, Value>, inner: &HfTokenizer) -> Result<(), String> {
    const TEXTS: [&str; 4] = ["The capital", " The  capital", "x<s>The</s> x", ""];
    let Some(has_space) = config.get("add_prefix_space").and_then(Value::as_bool) else {
        return Ok(());
    };
    let is_legacy = config.get("legacy").and_then(Value::as_bool).unwrap_or(true);
    let asked = as_asked(inner, has_space, is_legacy).map_err(|error| error.to_string())?;
    let ids = |it: &HfTokenizer, text: &str| {
        let encoding = it.encode_fast(text, false).map_err(|error| error.to_string())?;
        Ok::<_, String>(encoding.get_ids().to_vec())
    };
    for text in TEXTS {
        if ids(inner, text)? != ids(&asked, text)? {
            return Err(format!(
                "it reads “{text}” otherwise than `add_prefix_space` and `legacy` in `tokenizer_config.json` ask for, \
                 with which Python makes the tokenizer anew from `tokenizer.model`; take `add_prefix_space` out if \
                 this file is right, or else write it anew in Python with \
                 `AutoTokenizer.from_pretrained(folder).save_pretrained(folder)`"
            ));
        }
    }
    Ok(())
}

/// The tokenizer with spaces as the flags have them.
fn as_asked(
    inner: &HfTokenizer,
    has_space: bool,
    is_legacy: bool,
) -> Result<HfTokenizer, tokenizers::Error> {
    let mut asked = inner.clone();
    if is_legacy {
        let prepend = json!({ "type": "Prepend", "prepend": "▁" });
        let replace = json!({ "type": "Replace", "pattern": { "String": " " }, "content": "▁" });
        let steps: Vec<Value> = has_space.then_some(prepend).into_iter().chain([replace]).collect();
        let steps = json!({ "type": "Sequence", "normalizers": steps });
        asked.with_normalizer(Some(serde_json::from_value::<NormalizerWrapper>(steps)?))?;
        asked.with_pre_tokenizer(None::<PreTokenizerWrapper>);
    } else {
        let scheme = if has_space { "first" } else { "never" };
        let words = json!({ "type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme,
            "split": false });
        asked.with_normalizer(None::<NormalizerWrapper>)?;
        asked.with_pre_tokenizer(Some(serde_json::from_value::<PreTokenizerWrapper>(words)?));
    }
    Ok(asked)
}
