//! The tokenizer of a model folder, as `transformers` 4.57 reads it: the vocabulary, and what the
//! files beside it say of added tokens, special tokens and BOS.
//!
//! Reference: `_from_pretrained` in `tokenization_utils_base.py`, `__init__` in
//! `tokenization_utils_fast.py`, and `convert_slow_tokenizer.py`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Map, Value};
use tokenizers::decoders::byte_level::ByteLevel;
use tokenizers::normalizers::NFC;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{
    AddedToken, PreTokenizerWrapper, SplitDelimiterBehavior, Tokenizer as HfTokenizer,
};

use super::gpt2::{END_OF_TEXT, byte_level, merges_of_python, parse_merges};
use super::ids::{check_added, from_json};
use super::tokenizer::{Ends, Tokenizer, TokenizerError};
use super::vocabulary::Vocabulary;
use super::{Bos, asked};
use crate::text_file;

/// How Qwen 2 cuts text into words.
pub(super) const QWEN2_WORDS: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// The special tokens that a tokenizer may name, in the order in which new ones are added.
const SPECIAL: [&str; 7] =
    ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

/// The classes of `transformers` that have special tokens of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Gpt2,
    GptNeoX,
    Llama,
    CodeLlama,
    Cohere,
    Gemma,
    Qwen2,

    /// All that is known stands in the files.
    Plain,
}

impl Class {
    /// The class that the folder's files name, or that its kind of model has.
    fn of(config: &Map<String, Value>, model: &Map<String, Value>) -> Self {
        let model_type = model.get("model_type").and_then(Value::as_str);
        match (named_class(config, model), model_type) {
            (Some("GPT2Tokenizer" | "CodeGenTokenizer"), _)
            | (None, Some("gpt2" | "gptj" | "gpt_neo" | "opt")) => Self::Gpt2,
            (Some("GPTNeoXTokenizer"), _) | (None, Some("gpt_neox" | "olmo" | "olmo2")) => {
                Self::GptNeoX
            }
            (Some("LlamaTokenizer"), _) | (None, Some("llama" | "mistral" | "mixtral")) => {
                Self::Llama
            }
            (Some("CodeLlamaTokenizer"), _) => Self::CodeLlama,
            (Some("CohereTokenizer"), _) | (None, Some("cohere" | "cohere2")) => Self::Cohere,
            (Some("GemmaTokenizer"), _)
            | (None, Some("gemma" | "gemma2" | "gemma3" | "gemma3_text")) => Self::Gemma,
            (Some("Qwen2Tokenizer"), _) | (None, Some("qwen2" | "qwen3")) => Self::Qwen2,
            _ => Self::Plain,
        }
    }

    /// The special tokens of a tokenizer whose files name none.
    fn special(self) -> &'static [(&'static str, &'static str)] {
        const TEXT: &str = END_OF_TEXT;
        match self {
            Self::Gpt2 | Self::GptNeoX => {
                &[("bos_token", TEXT), ("eos_token", TEXT), ("unk_token", TEXT)]
            }
            Self::Llama | Self::CodeLlama => {
                &[("bos_token", "<s>"), ("eos_token", "</s>"), ("unk_token", "<unk>")]
            }
            Self::Cohere => &[
                ("bos_token", "<BOS_TOKEN>"),
                ("eos_token", "<|END_OF_TURN_TOKEN|>"),
                ("unk_token", "<UNK>"),
            ],
            Self::Gemma => &[
                ("bos_token", "<bos>"),
                ("eos_token", "<eos>"),
                ("unk_token", "<unk>"),
                ("pad_token", "<pad>"),
            ],
            Self::Qwen2 => &[("eos_token", TEXT), ("unk_token", TEXT), ("pad_token", TEXT)],
            Self::Plain => &[],
        }
    }

    /// The tokens that the class adds last, each with the key that names another one.
    fn added(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::CodeLlama => &[
                ("prefix_token", "▁<PRE>"),
                ("middle_token", "▁<MID>"),
                ("suffix_token", "▁<SUF>"),
                ("eot_token", "▁<EOT>"),
            ],
            _ => &[],
        }
    }

    /// Whether `add_bos_token` decides alone, and its value where no file gives it. Elsewhere the
    /// post-processor of `tokenizer.json` decides.
    fn adds_bos(self) -> Option<bool> {
        match self {
            Self::Llama | Self::CodeLlama | Self::Cohere | Self::Gemma => Some(true),
            Self::GptNeoX => Some(false),
            Self::Gpt2 | Self::Qwen2 | Self::Plain => None,
        }
    }
}

/// The class that the folder's files name.
fn named_class<'a>(
    config: &'a Map<String, Value>,
    model: &'a Map<String, Value>,
) -> Option<&'a str> {
    let named = [config, model].into_iter().find_map(|it| it.get("tokenizer_class")?.as_str());
    named.map(|it| it.strip_suffix("Fast").unwrap_or(it))
}

/// The classes that are GPT-2's tokenizer, or nearly so, where there is no `tokenizer.json`. Others that have a
/// `vocab.json` cut a text in another way, or know tokens that stand in no file, such as `BartTokenizer`.
const OF_VOCABULARY: [&str; 5] = [
    "GPT2Tokenizer",
    "CodeGenTokenizer",
    "GPTNeoXTokenizer",
    "Qwen2Tokenizer",
    "PreTrainedTokenizer",
];

/// Refuses what `transformers` reads and this program does not.
fn check_class(class: Option<&str>) -> Result<(), String> {
    match class.filter(|it| !OF_VOCABULARY.contains(it)) {
        None => Ok(()),
        Some(class) => Err(format!(
            "its `tokenizer_class` is `{class}`, of which this program reads a `tokenizer.json` alone; write one in \
             Python with `AutoTokenizer.from_pretrained(folder).save_pretrained(folder)`"
        )),
    }
}

/// Reads the tokenizer of a folder.
pub(super) fn read(dir: &Path) -> Result<Tokenizer, TokenizerError> {
    let [json, vocab, merges] =
        ["tokenizer.json", "vocab.json", "merges.txt"].map(|name| dir.join(name));
    let config = object(&dir.join("tokenizer_config.json"))?;
    let model = object(&dir.join("config.json"))?;
    let class = Class::of(&config, &model);
    asked::check(&config)
        .map_err(|reason| unreadable(&dir.join("tokenizer_config.json"), &reason))?;
    let (mut inner, blamed) = if json.is_file() {
        let text = text(&json)?;
        let text = text_file::json(&text).map_err(|error| unreadable(&json, &error))?;
        (from_json(&text).map_err(|error| unreadable(&json, &error))?, &json)
    } else if vocab.is_file() && merges.is_file() {
        let Vocabulary(entries) =
            text_file::from_json(&text(&vocab)?).map_err(|error| unreadable(&vocab, &error))?;
        check_class(named_class(&config, &model)).map_err(|error| unreadable(dir, &error))?;
        let pairs = text(&merges)?;
        let inner = if class == Class::Qwen2 {
            parse_merges(&pairs).and_then(|it| as_qwen2(byte_level(entries, it)?))
        } else {
            merges_of_python(&pairs).and_then(|it| byte_level(entries, it))
        };
        (inner.map_err(|reason| unreadable(&merges, &reason))?, &merges)
    } else {
        return Err(missing(dir));
    };
    let failed = |error: &dyn ToString| unreadable(blamed, error);

    let special = add_tokens(dir, &config, class, &mut inner)?;
    if class == Class::Llama {
        asked::check_space(&config, &inner).map_err(|it| failed(&it))?;
    }
    let has_space = config.get("add_prefix_space").and_then(Value::as_bool).unwrap_or(false);
    if let Some(PreTokenizerWrapper::ByteLevel(it)) = inner.get_pre_tokenizer() {
        let it = it.add_prefix_space(has_space);
        inner.with_pre_tokenizer(Some(it));
    }

    let id_of = |role: &str| inner.token_to_id(&special.get(role)?.content);
    let (named, eos) = (id_of("bos_token"), id_of("eos_token"));
    let flag = |name: &str| config.get(name).and_then(Value::as_bool);
    let said = flag("add_bos_token");
    let (own, after) = if json.is_file() {
        put_around(&inner).map_err(|it| failed(&it))?
    } else {
        (None, Vec::new())
    };
    let after = match class.adds_bos() {
        None => after,
        Some(_) if flag("add_eos_token") == Some(true) => eos.into_iter().collect(),
        Some(_) => Vec::new(),
    };
    let adds = match class.adds_bos() {
        Some(usually) => said.unwrap_or(usually) && named.is_some(),
        None if json.is_file() => own.is_some(),
        // Qwen 2's has no such flag.
        None => class != Class::Qwen2 && said == Some(true) && named.is_some(),
    };
    let bos = if class.adds_bos().is_none() { own.or(named) } else { named };
    let default_bos = if adds { Bos::On } else { Bos::Off };
    let tokenizer = Tokenizer::new(inner, Ends { bos, eos, default_bos });
    Ok(tokenizer.map_err(|it| failed(&it))?.leaving_off(after))
}

/// Adds the tokens that the files list beside the vocabulary, and gives the special ones by their
/// roles.
fn add_tokens(
    dir: &Path,
    config: &Map<String, Value>,
    class: Class,
    inner: &mut HfTokenizer,
) -> Result<BTreeMap<String, AddedToken>, TokenizerError> {
    let listed = config.get("added_tokens_decoder").and_then(Value::as_object);
    // Older folders list added tokens in files of their own.
    let map = match listed {
        Some(_) => Map::new(),
        None => object(&dir.join("special_tokens_map.json"))?,
    };
    let roles = roles(config, class, map);
    let one = |it: &Value| token(it, true);
    let special: BTreeMap<String, AddedToken> = roles
        .iter()
        .filter(|(role, _)| SPECIAL.contains(&role.as_str()))
        .filter_map(|(role, it)| Some((role.clone(), one(it)?)))
        .collect();
    // Models that also see or hear name tokens of their own; a later release lists them.
    let own = roles.get("extra_special_tokens");
    let own = own.and_then(Value::as_object).into_iter().flat_map(Map::values);
    let more = ["additional_special_tokens", "extra_special_tokens"];
    let more = more.into_iter().filter_map(|it| roles.get(it)?.as_array()).flatten().chain(own);
    let of_class: Vec<Value> = class
        .added()
        .iter()
        .map(|&(key, usual)| config.get(key).cloned().unwrap_or_else(|| usual.into()))
        .collect();
    let more: Vec<&Value> = more.chain(&of_class).collect();
    let typed = more.iter().copied().filter(|it| it.is_object());
    let typed: Vec<AddedToken> = typed.filter_map(one).collect();
    let more: Vec<AddedToken> = more.into_iter().filter_map(one).collect();
    let ordered = SPECIAL.iter().filter_map(|role| special.get(*role)).chain(&more);
    let is_special = |content: &str| ordered.clone().any(|it| it.content == content);

    let known = inner.get_added_tokens_decoder();
    let mut by_id: BTreeMap<u32, AddedToken> = BTreeMap::new();
    match listed {
        Some(listed) => {
            let entries = listed.iter();
            by_id
                .extend(entries.filter_map(|(id, it)| Some((id.parse().ok()?, token(it, false)?))));
        }
        None => {
            for (content, id) in object(&dir.join("added_tokens.json"))? {
                let Some(id) = id.as_u64().map(|it| it as u32) else { continue };
                // How `tokenizer.json` finds a token goes before how others do.
                let token = known.get(&id).filter(|it| it.content == content);
                let token = token.or_else(|| ordered.clone().find(|it| it.content == content));
                let token = token.cloned().unwrap_or_else(|| AddedToken::from(content, false));
                by_id.insert(id, token);
            }
        }
    }
    let ids: Vec<(u32, String)> = by_id.iter().map(|(&id, it)| (id, it.content.clone())).collect();
    let mut new: Vec<AddedToken> =
        by_id.into_values().filter(|it| known.values().all(|known| known != it)).collect();
    for it in &mut new {
        it.special |= is_special(&it.content);
    }
    for it in ordered.clone() {
        if !known.values().chain(&new).any(|other| other.content == it.content) {
            new.push(it.clone());
        }
    }
    // One that a list gives with how it is found goes before what `tokenizer.json` says.
    for it in &typed {
        if !known.values().chain(&new).any(|other| other == it) {
            new.push(it.clone());
        }
    }
    // New ids follow the largest one, which may be that of a token before it in the list.
    let has_id: BTreeSet<String> = new
        .iter()
        .filter(|it| inner.token_to_id(&it.content).is_some())
        .map(|it| it.content.clone())
        .collect();
    for run in new.chunk_by(|a, b| has_id.contains(&a.content) == has_id.contains(&b.content)) {
        inner.add_tokens(run.to_vec()).map_err(|error| unreadable(dir, &error))?;
    }
    check_added(inner, ids).map_err(|reason| unreadable(dir, &reason))?;
    Ok(special)
}

/// What the files say of tokens with a role, by the role's name. `map` is what a file says that holds these alone.
fn roles(config: &Map<String, Value>, class: Class, map: Map<String, Value>) -> Map<String, Value> {
    let own = class.special().iter().map(|&(role, token)| (role.to_owned(), token.into()));
    let is_role = |key: &str| {
        SPECIAL.contains(&key)
            || key == "additional_special_tokens"
            || key == "extra_special_tokens"
    };
    let named = config.iter().filter(|(key, _)| is_role(key));
    own.chain(named.map(|(key, it)| (key.clone(), it.clone()))).chain(map).collect()
}

/// A token as a file gives it: its text, or its text with how it is found.
fn token(json: &Value, is_special: bool) -> Option<AddedToken> {
    if let Some(content) = json.as_str() {
        return Some(AddedToken::from(content, is_special));
    }
    let content = json["content"].as_str()?;
    let flag = |name: &str| json[name].as_bool();
    let special = is_special || flag("special").unwrap_or(false);
    Some(AddedToken {
        content: content.to_owned(),
        single_word: flag("single_word").unwrap_or(false),
        lstrip: flag("lstrip").unwrap_or(false),
        rstrip: flag("rstrip").unwrap_or(false),
        normalized: flag("normalized").unwrap_or(!special),
        special,
    })
}

/// The token that the tokenizer itself puts before a text, if any, and those that it puts after one.
fn put_around(inner: &HfTokenizer) -> Result<(Option<u32>, Vec<u32>), String> {
    let ids = |with_special: bool| {
        let encoding = inner.encode_fast("a", with_special).map_err(|error| error.to_string())?;
        Ok::<_, String>(encoding.get_ids().to_vec())
    };
    let (plain, whole) = (ids(false)?, ids(true)?);
    let n_before = (0..whole.len()).find(|&n| whole[n..].starts_with(&plain)).unwrap_or(0);
    let after = whole.get(n_before + plain.len()..).unwrap_or_default().to_vec();
    match whole[..n_before] {
        [] => Ok((None, after)),
        [bos] => Ok((Some(bos), after)),
        _ => Err(format!(
            "it puts {n_before} tokens before each text, {}, where this program puts one; write a \
             post-processor with one",
            whole[..n_before]
                .iter()
                .map(|id| format!("“{}”", inner.id_to_token(*id).unwrap_or_default()))
                .collect::<Vec<_>>()
                .join(" ")
        )),
    }
}

/// A byte-level tokenizer that composes accents and cuts words as Qwen 2 does.
fn as_qwen2(mut inner: HfTokenizer) -> Result<HfTokenizer, String> {
    inner.with_normalizer(Some(NFC)).map_err(|error| error.to_string())?;
    let words = Split::new(
        SplitPattern::Regex(QWEN2_WORDS.to_owned()),
        SplitDelimiterBehavior::Isolated,
        false,
    );
    let words = words.map_err(|error| error.to_string())?;
    let steps = vec![words.into(), ByteLevel::new(false, true, false).into()];
    inner.with_pre_tokenizer(Some(Sequence::new(steps)));
    Ok(inner)
}

/// A JSON file's object, empty where there is no such file.
fn object(path: &Path) -> Result<Map<String, Value>, TokenizerError> {
    if !path.exists() {
        return Ok(Map::new());
    }
    if !path.is_file() {
        return Err(unreadable(
            path,
            &"this is no file; take it away, or put the file itself there",
        ));
    }
    let text = text_file::read(path).map_err(|error| unreadable(path, &error))?;
    match text_file::from_json(&text).map_err(|error| unreadable(path, &error))? {
        Value::Object(object) => Ok(object),
        _ => Err(unreadable(path, &"it must hold fields in braces, as `{ \"bos_token\": … }`")),
    }
}

fn text(path: &Path) -> Result<String, TokenizerError> {
    text_file::read_up_to(path, text_file::MOST_OF_VOCABULARY)
        .map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, reason: &dyn ToString) -> TokenizerError {
    TokenizerError::Unreadable { path: path.to_owned(), reason: reason.to_string() }
}

/// Why a folder's tokenizer cannot be read: there is none, or it has another form.
fn missing(dir: &Path) -> TokenizerError {
    const OTHERS: [&str; 5] =
        ["tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "vocab.txt", "vocab.bpe"];
    let other = OTHERS.into_iter().find(|it| dir.join(it).is_file());
    TokenizerError::Missing { dir: dir.to_owned(), other }
}
