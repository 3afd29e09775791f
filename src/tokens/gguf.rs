//! The tokenizer in a GGUF file, as llama.cpp reads it.
//!
//! Reference: `llama-vocab.cpp`; for SentencePiece's rule, `bpe_model.cc` of SentencePiece.

use std::path::Path;

use tokenizers::decoders::byte_fallback::ByteFallback;
use tokenizers::decoders::fuse::Fuse;
use tokenizers::decoders::sequence::Sequence as Decoders;
use tokenizers::decoders::strip::Strip;
use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::normalizers::{Prepend, Replace, Sequence as Normalizers};
use tokenizers::{AddedToken, DecoderWrapper, NormalizerWrapper, Tokenizer as HfTokenizer};

use super::Bos;
use super::gguf_words::{self, Words};
use super::pieces::SPACE;
use super::tokenizer::{Ends, Tokenizer, TokenizerError};
use crate::gguf::{GgufError, Header, Value, read_head};

/// What a token of the file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Normal,
    Unknown,

    /// Never a part of a text, such as BOS.
    Control,

    /// Found in a text as it is written, before anything else.
    UserDefined,
    Unused,
    Byte,
}

/// A token of the file; its place in the list is its id.
struct Entry {
    text: String,
    kind: Kind,
}

/// Reads the tokenizer of a file.
pub(super) fn read(path: &Path) -> Result<Tokenizer, TokenizerError> {
    let of_head = |head: &[u8]| from_header(&Header::read(head).map_err(|it| it.to_string())?);
    let tokenizer = read_head(path).map_err(|it| it.to_string()).and_then(|head| of_head(&head));
    tokenizer.map_err(|reason| TokenizerError::Unreadable { path: path.to_owned(), reason })
}

fn from_header(header: &Header<'_>) -> Result<Tokenizer, String> {
    let says = |error: GgufError| error.to_string();
    let model = header.text("tokenizer.ggml.model").map_err(says)?;
    let model =
        model.ok_or("the file holds no tokenizer: metadata `tokenizer.ggml.model` is missing")?;
    let entries = entries(header).map_err(says)?;
    let (mut inner, adds_bos, usual_ends) = match model {
        "gpt2" => {
            let words = words(header)?;
            (byte_level(header, &entries, &words)?, words.adds_bos, [None; 2])
        }
        "llama" => (sentence_piece(header, &entries)?, true, [Some(1), Some(2)]),
        other => {
            return Err(format!(
                "its tokenizer is of the kind `{other}` (metadata `tokenizer.ggml.model`); only `gpt2` \
                 and `llama` can be read"
            ));
        }
    };
    let added = entries.iter().filter(|it| matches!(it.kind, Kind::Control | Kind::UserDefined));
    let added = added.map(|it| AddedToken {
        content: it.text.clone(),
        special: it.kind == Kind::Control,
        normalized: false,
        ..AddedToken::default()
    });
    inner.add_tokens(added.collect::<Vec<_>>()).map_err(|error| error.to_string())?;

    let mut ends = [None; 2];
    for ((end, name), usual) in ends.iter_mut().zip(["bos", "eos"]).zip(usual_ends) {
        let key = format!("tokenizer.ggml.{name}_token_id");
        *end = header.size(&key).map_err(says)?.or(usual);
        if let Some(id) = end.filter(|id| *id >= entries.len()) {
            return Err(format!("`{key}` is {id}, but there are {} tokens", entries.len()));
        }
    }
    let [bos, eos] = ends.map(|it| it.map(|id| id as u32));
    let adds = header.flag("tokenizer.ggml.add_bos_token").map_err(says)?.unwrap_or(adds_bos);
    let default_bos = if adds && bos.is_some() { Bos::On } else { Bos::Off };
    let adds_eos = header.flag("tokenizer.ggml.add_eos_token").map_err(says)?.unwrap_or(false);
    let left_off = eos.filter(|_| adds_eos).into_iter().collect();
    Ok(Tokenizer::new(inner, Ends { bos, eos, default_bos })?.leaving_off(left_off))
}

/// The tokens in the order of their ids.
fn entries(header: &Header<'_>) -> Result<Vec<Entry>, GgufError> {
    let key = "tokenizer.ggml.tokens";
    let tokens = header.list(key)?;
    let tokens =
        tokens.ok_or_else(|| GgufError::Invalid(format!("metadata `{key}` is missing")))?;
    let mut entries = Vec::new();
    for (id, text) in tokens.values().enumerate() {
        let Value::Text(text) = text? else {
            return Err(GgufError::Invalid(format!("token {id} is no text")));
        };
        // As llama.cpp calls it.
        let text = if text.is_empty() { format!("[EMPTY_{id}]") } else { text.to_owned() };
        entries.push(Entry { text, kind: Kind::Normal });
    }
    if let Some(kinds) = header.list("tokenizer.ggml.token_type")? {
        for (entry, kind) in entries.iter_mut().zip(kinds.values()) {
            entry.kind = match kind?.number().unwrap_or_default() as i64 {
                2 => Kind::Unknown,
                3 => Kind::Control,
                4 => Kind::UserDefined,
                5 => Kind::Unused,
                6 => Kind::Byte,
                _ => Kind::Normal,
            };
        }
    }
    Ok(entries)
}

/// The ids of the tokens. The error names one that occurs twice.
fn vocabulary(entries: &[Entry]) -> Result<Vocab, String> {
    let mut vocabulary = Vocab::default();
    for (id, entry) in entries.iter().enumerate() {
        if let Some(other) = vocabulary.insert(entry.text.clone(), id as u32) {
            return Err(format!("the token “{}” has two ids, {other} and {id}", entry.text));
        }
    }
    Ok(vocabulary)
}

/// How the file says that text is cut into words.
fn words(header: &Header<'_>) -> Result<Words, String> {
    let says = |error: GgufError| error.to_string();
    let rule = match header.text("tokenizer.ggml.pre").map_err(says)? {
        Some(it) => it,
        // GPT-2's own files of before 2024 say nothing, and there is only one rule that they can mean.
        None if header.text("general.architecture").map_err(says)? == Some("gpt2") => "gpt-2",
        None => {
            return Err("the file does not say how text is cut into words: metadata \
                        `tokenizer.ggml.pre` is missing; make it anew with llama.cpp's \
                        `convert_hf_to_gguf.py`"
                .to_owned());
        }
    };
    gguf_words::find(rule).ok_or_else(|| {
        format!(
            "text is cut into words by the rule `{rule}` (metadata `tokenizer.ggml.pre`), which is not \
             known here; these are: {}",
            gguf_words::names().collect::<Vec<_>>().join(", ")
        )
    })
}

/// GPT-2's kind: words of bytes, and merges in the order in which they are made.
fn byte_level(
    header: &Header<'_>,
    entries: &[Entry],
    words: &Words,
) -> Result<HfTokenizer, String> {
    let says = |error: GgufError| error.to_string();
    let list = header.list("tokenizer.ggml.merges").map_err(says)?;
    let list = list.ok_or("metadata `tokenizer.ggml.merges` is missing")?;
    let mut merges = Vec::new();
    for (nth, merge) in list.values().enumerate() {
        // The first character may itself be a space.
        let pair = match merge.map_err(says)? {
            Value::Text(it) => it.char_indices().skip(1).find(|(_, c)| *c == ' ').map(|(at, _)| {
                let (left, right) = it.split_at(at);
                (left.to_owned(), right[1..].to_owned())
            }),
            _ => None,
        };
        merges.push(pair.ok_or_else(|| format!("merge {nth} does not hold two tokens"))?);
    }
    let bpe = BPE::builder()
        .vocab_and_merges(vocabulary(entries)?, merges)
        .ignore_merges(words.takes_tokens_whole)
        .build()
        .map_err(|error| error.to_string())?;
    let mut inner = HfTokenizer::new(bpe);
    words.set(&mut inner)?;
    Ok(inner)
}

/// SentencePiece's kind: of all neighbours that are a token together, those of the highest score are
/// merged, and a character that is no token becomes its bytes.
fn sentence_piece(header: &Header<'_>, entries: &[Entry]) -> Result<HfTokenizer, String> {
    let says = |error: GgufError| error.to_string();
    let failed = |error: tokenizers::Error| error.to_string();
    let vocabulary = vocabulary(entries)?;
    let scores = header.list("tokenizer.ggml.scores").map_err(says)?;
    let scores = scores.ok_or("metadata `tokenizer.ggml.scores` is missing")?;
    let mut merges = Vec::new();
    for (nth, (entry, score)) in entries.iter().zip(scores.values()).enumerate() {
        let score =
            score.map_err(says)?.number().ok_or_else(|| format!("score {nth} is no number"))?;
        // No other token is ever the outcome of a merge.
        if entry.kind != Kind::Normal {
            continue;
        }
        for (at, _) in entry.text.char_indices().skip(1) {
            let (left, right) = entry.text.split_at(at);
            if vocabulary.contains_key(left) && vocabulary.contains_key(right) {
                merges.push((score, nth, (left, right)));
            }
        }
    }
    merges.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let merges = merges.into_iter();
    let merges = merges.map(|(_, _, (left, right))| (left.to_owned(), right.to_owned())).collect();
    let has_bytes = entries.iter().any(|it| it.kind == Kind::Byte);
    let mut bpe =
        BPE::builder().vocab_and_merges(vocabulary, merges).byte_fallback(has_bytes).fuse_unk(true);
    if let Some(unknown) = entries.iter().find(|it| it.kind == Kind::Unknown) {
        bpe = bpe.unk_token(unknown.text.clone());
    }
    let mut inner = HfTokenizer::new(bpe.build().map_err(failed)?);

    let has_space = header.flag("tokenizer.ggml.add_space_prefix").map_err(says)?.unwrap_or(true);
    let mut steps: Vec<NormalizerWrapper> = Vec::new();
    let mut back: Vec<DecoderWrapper> = Vec::new();
    if has_space {
        steps.push(Prepend::new(SPACE.to_string()).into());
    }
    steps.push(Replace::new(" ", SPACE.to_string()).map_err(failed)?.into());
    back.push(Replace::new(SPACE.to_string(), " ").map_err(failed)?.into());
    back.push(ByteFallback::new().into());
    back.push(Fuse::new().into());
    if has_space {
        back.push(Strip::new(' ', 1, 0).into());
    }
    inner.with_normalizer(Some(Normalizers::new(steps))).map_err(failed)?;
    inner.with_decoder(Some(Decoders::new(back)));
    Ok(inner)
}
