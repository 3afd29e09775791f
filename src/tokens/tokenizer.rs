//! GPT-2's byte-level BPE (Radford et al. 2019, section 2.2), through the `tokenizers` crate.
//!
//! Offsets are computed here, from the bytes that each token stands for, because the crate's own
//! offsets trim spaces and round up to whole characters.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use tokenizers::decoders::byte_level::ByteLevel;
use tokenizers::models::bpe::BPE;
use tokenizers::{AddedToken, Tokenizer as HfTokenizer};

use crate::builtin;

/// The merges of GPT-2's own vocabulary, for checkpoints that the program writes itself.
///
/// The file is OpenAI's `vocab.bpe`; its licence is in `assets/gpt2-bpe/`.
pub const GPT2_MERGES: &str = include_str!("../../assets/gpt2-bpe/merges.txt");

const END_OF_TEXT: &str = "<|endoftext|>";

/// Turns text into GPT-2's tokens. It is plain data, and may be shared between threads.
#[derive(Clone, Debug)]
pub struct Tokenizer {
    inner: HfTokenizer,
    /// The byte that each character of the vocabulary stands for.
    byte_of_char: BTreeMap<char, u8>,

    /// The id of `<|endoftext|>`.
    bos: Option<u32>,
}

/// A token and the bytes of the text that it covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    pub id: u32,
    pub bytes: Range<usize>,
}

/// Why a tokenizer cannot be read or used.
#[derive(Debug, thiserror::Error)]
pub enum TokenizerError {
    #[error("found neither `tokenizer.json` nor `vocab.json` with `merges.txt` in {0}")]
    Missing(PathBuf),

    #[error("cannot read the tokenizer: {reason}: {path}")]
    Unreadable { path: PathBuf, reason: String },

    #[error("the tokenizer failed on “{text}”: {reason}")]
    Encode { text: String, reason: String },

    #[error(
        "this tokenizer changes the text (it gives “{found}” for “{text}”); \
         GPT-2's byte-level BPE never does"
    )]
    NotByteLevel { text: String, found: String },
}

impl Tokenizer {
    /// Reads a model's tokenizer from `tokenizer.json`, else from `vocab.json` and `merges.txt`.
    ///
    /// `dir` may also be the name of a built-in model.
    pub fn from_dir(dir: &Path) -> Result<Self, TokenizerError> {
        let unreadable = |path: &Path, reason: &dyn ToString| TokenizerError::Unreadable {
            path: path.to_owned(),
            reason: reason.to_string(),
        };
        let from_texts = |vocab: &str, merges: &str, [of_vocab, of_merges]: [&Path; 2]| {
            let entries =
                serde_json::from_str(vocab).map_err(|error| unreadable(of_vocab, &error))?;
            Self::from_vocabulary(entries, merges).map_err(|reason| unreadable(of_merges, &reason))
        };
        if let Some(builtin) = builtin::find(dir) {
            return from_texts(builtin.vocab, builtin.merges, [dir, dir]);
        }
        let [json, vocab, merges] =
            ["tokenizer.json", "vocab.json", "merges.txt"].map(|name| dir.join(name));
        let read = |path: &Path| fs::read_to_string(path).map_err(|error| unreadable(path, &error));
        if json.is_file() {
            return Self::from_json(&read(&json)?).map_err(|reason| unreadable(&json, &reason));
        }
        if vocab.is_file() && merges.is_file() {
            return from_texts(&read(&vocab)?, &read(&merges)?, [&vocab, &merges]);
        }
        Err(TokenizerError::Missing(dir.to_owned()))
    }

    /// A tokenizer from a vocabulary and the text of `merges.txt`. The error says what is wrong
    /// with them.
    pub fn from_vocabulary(
        vocabulary: BTreeMap<String, u32>,
        merges: &str,
    ) -> Result<Self, String> {
        let merges = parse_merges(merges)?;
        let bpe = BPE::builder()
            .vocab_and_merges(
                vocabulary.into_iter().collect::<tokenizers::models::bpe::Vocab>(),
                merges,
            )
            .build()
            .map_err(|error| error.to_string())?;
        let mut inner = HfTokenizer::new(bpe);
        inner.with_pre_tokenizer(Some(ByteLevel::new(false, true, true)));
        inner.with_decoder(Some(ByteLevel::default()));
        // A vocabulary without the token gets none: its id would lie beyond the model's vocabulary.
        if inner.token_to_id(END_OF_TEXT).is_some() {
            inner
                .add_special_tokens([AddedToken::from(END_OF_TEXT, true)])
                .map_err(|e| e.to_string())?;
        }
        Ok(Self::new(inner))
    }

    /// Reads the text of a `tokenizer.json`, as [`Self::to_json`] writes it.
    pub fn from_json(text: &str) -> Result<Self, String> {
        HfTokenizer::from_bytes(text).map(Self::new).map_err(|error| error.to_string())
    }

    /// The tokenizer in the format of `tokenizer.json`.
    ///
    /// # Panics
    ///
    /// Never: a tokenizer is text and numbers.
    pub fn to_json(&self) -> String {
        self.inner.to_string(false).expect("a tokenizer is text and numbers")
    }

    fn new(mut inner: HfTokenizer) -> Self {
        // A file may ask for padding or truncation, which would change the prompt.
        inner.with_padding(None);
        inner.with_truncation(None).expect("taking truncation away cannot fail");
        let bos = inner.token_to_id(END_OF_TEXT);
        let byte_of_char = byte_characters().map(|(byte, c)| (c, byte)).collect();
        Self { inner, byte_of_char, bos }
    }

    /// The tokens of a text, without BOS.
    pub fn encode(&self, text: &str) -> Result<Vec<Token>, TokenizerError> {
        let encoding = self.inner.encode_fast(text, false).map_err(|error| {
            TokenizerError::Encode { text: text.to_owned(), reason: error.to_string() }
        })?;
        let mut end = 0;
        let tokens: Vec<Token> = encoding
            .get_ids()
            .iter()
            .map(|&id| {
                let start = end;
                end += self.bytes(id).len();
                Token { id, bytes: start..end }
            })
            .collect();
        let found: Vec<u8> = tokens.iter().flat_map(|token| self.bytes(token.id)).collect();
        if found != text.as_bytes() {
            return Err(TokenizerError::NotByteLevel {
                text: text.to_owned(),
                found: String::from_utf8_lossy(&found).into_owned(),
            });
        }
        Ok(tokens)
    }

    /// The id of `<|endoftext|>`.
    pub fn bos(&self) -> Option<u32> {
        self.bos
    }

    /// The ids of all tokens that stand for text, in order, without `<|endoftext|>` and other
    /// special tokens.
    pub fn text_ids(&self) -> Vec<u32> {
        let added = self.inner.get_added_tokens_decoder();
        let is_special =
            |id: u32| self.bos == Some(id) || added.get(&id).is_some_and(|token| token.special);
        let mut ids: Vec<u32> = self.inner.get_vocab(true).into_values().collect();
        ids.retain(|&id| !is_special(id));
        ids.sort_unstable();
        ids
    }

    /// How many ids there are.
    pub fn n_vocab(&self) -> usize {
        self.inner.get_vocab_size(true)
    }

    /// The text of one token; bytes that are only a part of a character become `�`.
    pub fn piece(&self, id: u32) -> String {
        String::from_utf8_lossy(&self.bytes(id)).into_owned()
    }

    /// The bytes of one token. Empty for an id that the tokenizer does not know.
    pub fn bytes(&self, id: u32) -> Vec<u8> {
        let Some(token) = self.inner.id_to_token(id) else {
            return Vec::new();
        };
        // `<|endoftext|>` is literal text, and so is any other token with a character that stands
        // for no byte.
        let bytes: Option<Vec<u8>> = if self.bos == Some(id) {
            None
        } else {
            token.chars().map(|c| self.byte_of_char.get(&c).copied()).collect()
        };
        bytes.unwrap_or_else(|| token.into_bytes())
    }
}

/// GPT-2's ids for a list of merges: the 256 bytes, one id per merge, and `<|endoftext|>` last.
pub fn gpt2_vocabulary(merges: &str) -> Result<BTreeMap<String, u32>, String> {
    let bytes = byte_characters().map(|(_, c)| c.to_string());
    let merged = parse_merges(merges)?.into_iter().map(|(left, right)| left + &right);
    let tokens = bytes.chain(merged).chain([END_OF_TEXT.to_owned()]);
    Ok(tokens.zip(0..).collect())
}

/// A token's text for axes and chips, with signs for spaces, line ends, tabs and control
/// characters.
pub fn visible(piece: &str) -> String {
    let mut text = String::new();
    for c in piece.chars() {
        match c {
            ' ' => text.push('·'),
            '\n' => text.push('↩'),
            '\t' => text.push('→'),
            c if c.is_control() => text.extend(c.escape_unicode()),
            c => text.push(c),
        }
    }
    text
}

/// The pairs of tokens in the text of `merges.txt`, one a line. The first line may be a version
/// comment.
fn parse_merges(text: &str) -> Result<Vec<(String, String)>, String> {
    text.lines()
        .enumerate()
        .filter(|(n, line)| !(line.is_empty() || *n == 0 && line.starts_with("#version")))
        .map(|(n, line)| {
            let (left, right) = line
                .split_once(' ')
                .ok_or_else(|| format!("line {} does not hold two tokens", n + 1))?;
            Ok((left.to_owned(), right.to_owned()))
        })
        .collect()
}

/// Each byte with the character that stands for it in GPT-2's vocabulary, in the order of ids.
///
/// A printable Latin-1 character stands for itself; the other bytes are numbered from U+0100 on.
fn byte_characters() -> impl Iterator<Item = (u8, char)> {
    let is_printable = |byte: &u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    let printable = (0..=255).filter(is_printable).map(|byte| (byte, char::from(byte)));
    let others = (0..=255).filter(move |byte| !is_printable(byte));
    printable.chain(others.zip('\u{100}'..))
}
