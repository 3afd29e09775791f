//! Text to token ids and back, through the `tokenizers` crate.
//!
//! Byte-level BPE (Radford et al. 2019, section 2.2) and SentencePiece's kind (Kudo and Richardson 2018) are
//! both read. Where tokens spell the text, offsets are computed here from the bytes that each token
//! stands for, because the crate's own round up to whole characters.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tokenizers::{
    AddedToken, ModelWrapper, NormalizedString, Normalizer as _, PostProcessorWrapper,
    Tokenizer as HfTokenizer,
};

use super::first_space::without_first_space;
use super::gpt2::{END_OF_TEXT, byte_level, parse_merges};
use super::ids::{check_ids, from_json};
use super::pieces::{Spelling, text_of_bytes, visible};
use super::{Bos, folder, gguf};
use crate::builtin;
use crate::gguf::is_gguf;
use crate::quiet::{Panic, quietly};

/// Turns text into a model's tokens. It is plain data, and may be shared between threads.
#[derive(Clone, Debug)]
pub struct Tokenizer {
    inner: HfTokenizer,

    /// As `inner`, but puts no space before a text. `None` if `inner` puts none.
    inside: Option<Box<HfTokenizer>>,
    spelling: Spelling,

    /// The tokens beside the vocabulary, and whether they are special.
    added: BTreeMap<u32, (String, bool)>,

    ends: Ends,

    /// How many tokens the model has embeddings of. `None` until that is known.
    n_rows: Option<usize>,

    /// The tokens that the tokenizer itself would put after a text.
    left_off: Vec<u32>,
}

/// The tokens that begin and end a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ends {
    pub bos: Option<u32>,
    pub eos: Option<u32>,

    /// Whether the tokenizer itself puts BOS before a text.
    pub default_bos: Bos,
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
    #[error(
        "found neither `tokenizer.json` nor `vocab.json` with `merges.txt`{} in {}",
        other.map_or_else(String::new, |it| format!(
            ", but `{it}`, which is not read; load it in Python with `AutoTokenizer` and save it as a \
             fast tokenizer, which writes `tokenizer.json`,"
        )),
        dir.display()
    )]
    Missing { dir: PathBuf, other: Option<&'static str> },

    #[error("cannot read the tokenizer: {reason}: {path}")]
    Unreadable { path: PathBuf, reason: String },

    #[error("the tokenizer failed on “{text}”: {reason}")]
    Encode { text: String, reason: String },

    #[error(
        "the token “{token}” has the id {id}, but the model has embeddings of {n_rows} tokens only; \
         write the prompt without it"
    )]
    NoRow { token: String, id: u32, n_rows: usize },
}

/// A tokenizer in a session file, if it does not begin and end texts as GPT-2's does.
#[derive(Serialize, Deserialize)]
struct Stored {
    ends: Ends,

    /// The text of a `tokenizer.json`.
    tokenizer: String,
}

impl Tokenizer {
    /// Reads a model's tokenizer, as `transformers` would: from `tokenizer.json`, else from
    /// `vocab.json` and `merges.txt`, with the files beside them.
    ///
    /// `dir` may also be the name of a built-in model, a GGUF file, which holds its tokenizer, or another
    /// file of a model's folder.
    pub fn from_dir(dir: &Path) -> Result<Self, TokenizerError> {
        quietly(|| Self::of_dir(dir)).unwrap_or_else(|panic| {
            let reason = broken_library(&panic);
            Err(TokenizerError::Unreadable { path: dir.to_owned(), reason })
        })
    }

    fn of_dir(dir: &Path) -> Result<Self, TokenizerError> {
        match builtin::find(dir) {
            Some(it) => {
                let unreadable =
                    |reason: String| TokenizerError::Unreadable { path: dir.to_owned(), reason };
                let entries = serde_json::from_str((it.vocab)())
                    .map_err(|error| unreadable(error.to_string()))?;
                Self::from_vocabulary(entries, (it.merges)()).map_err(unreadable)
            }
            None if is_gguf(dir) => gguf::read(dir),
            None if dir.is_file() => folder::read(dir.parent().unwrap_or(dir)),
            None => folder::read(dir),
        }
    }

    /// A tokenizer from GPT-2's kind of vocabulary and the text of `merges.txt`. The error says what
    /// is wrong with them.
    pub fn from_vocabulary(
        vocabulary: BTreeMap<String, u32>,
        merges: &str,
    ) -> Result<Self, String> {
        let mut inner = byte_level(vocabulary, parse_merges(merges)?)?;
        // A vocabulary without the token gets none: its id would lie beyond the model's vocabulary.
        if inner.token_to_id(END_OF_TEXT).is_some() {
            inner
                .add_special_tokens([AddedToken::from(END_OF_TEXT, true)])
                .map_err(|e| e.to_string())?;
        }
        let ends = Ends::gpt2(&inner);
        Self::new(inner, ends)
    }

    /// Reads the text of a `tokenizer.json`, or what [`Self::to_json`] writes.
    pub fn from_json(text: &str) -> Result<Self, String> {
        quietly(|| Self::of_json(text)).unwrap_or_else(|panic| Err(broken_library(&panic)))
    }

    fn of_json(text: &str) -> Result<Self, String> {
        let stored = serde_json::from_str::<Stored>(text).ok();
        let json = stored.as_ref().map_or(text, |it| &it.tokenizer);
        let inner = from_json(json)?;
        let ends = stored.map_or_else(|| Ends::gpt2(&inner), |it| it.ends);
        Self::new(inner, ends)
    }

    /// The tokenizer in the format of `tokenizer.json`, with its BOS and EOS beside it where they are
    /// not GPT-2's: that format has no place for them.
    ///
    /// # Panics
    ///
    /// Never: a tokenizer is text and numbers.
    pub fn to_json(&self) -> String {
        let tokenizer = self.inner.to_string(false).expect("a tokenizer is text and numbers");
        if self.ends == Ends::gpt2(&self.inner) {
            return tokenizer;
        }
        let stored = Stored { ends: self.ends, tokenizer };
        serde_json::to_string(&stored).expect("a tokenizer is text and numbers")
    }

    /// A tokenizer with its BOS and EOS, which its own file does not name.
    pub(super) fn new(mut inner: HfTokenizer, ends: Ends) -> Result<Self, String> {
        // A file may ask for padding or truncation, which would change the prompt.
        inner.with_padding(None);
        inner.with_truncation(None).map_err(|error| error.to_string())?;
        check_ids(&inner)?;
        if let ModelWrapper::BPE(bpe) = inner.get_model() {
            let mut bpe = bpe.clone();
            // Merges that are left out at random are for training.
            bpe.dropout = None;
            // The library's cache of words belongs to each thread, and stays there after the tokenizer is dropped.
            bpe.resize_cache(0);
            inner.with_model(bpe);
        }
        // The post-processor puts BOS before a text, which is done here, and trims offsets.
        inner.with_post_processor(None::<PostProcessorWrapper>);
        let added = inner.get_added_tokens_decoder().into_iter();
        let added = added.map(|(id, it)| (id, (it.content, it.special))).collect();
        let spelling = Spelling::of(&inner);
        let inside = without_first_space(&inner)?.map(Box::new);
        Ok(Self { inner, inside, spelling, added, ends, n_rows: None, left_off: Vec::new() })
    }

    /// The tokenizer of a model that has embeddings of so many tokens. It refuses a text with others.
    #[must_use]
    pub fn for_rows(self, n_rows: usize) -> Self {
        Self { n_rows: Some(n_rows), ..self }
    }

    /// The tokenizer, which itself would put these tokens after a text.
    pub(super) fn leaving_off(self, left_off: Vec<u32>) -> Self {
        Self { left_off, ..self }
    }

    /// The tokens that the tokenizer itself would put after a text, such as EOS. They are left off here,
    /// since what is asked is how the text goes on.
    pub fn left_off(&self) -> &[u32] {
        &self.left_off
    }

    /// Says which tokens are left off, and why. `None` if none are.
    pub fn about_left_off(&self) -> Option<String> {
        let tokens: Vec<String> = self.left_off.iter().map(|&id| self.readable(id)).collect();
        let tokens = Some(tokens.join(" ")).filter(|it| !it.is_empty())?;
        Some(format!("{tokens}, which the tokenizer puts after a text, but a prompt goes on"))
    }

    /// The tokens of a text, without BOS.
    pub fn encode(&self, text: &str) -> Result<Vec<Token>, TokenizerError> {
        self.encode_by(&self.inner, text)
    }

    /// The tokens of a text that goes on from other text: no space is put before it.
    pub fn encode_inside(&self, text: &str) -> Result<Vec<Token>, TokenizerError> {
        self.encode_by(self.inside.as_deref().unwrap_or(&self.inner), text)
    }

    fn encode_by(&self, inner: &HfTokenizer, text: &str) -> Result<Vec<Token>, TokenizerError> {
        let encoding = quietly(|| inner.encode(text, false).map_err(|error| error.to_string()))
            .unwrap_or_else(|panic| Err(broken_library(&panic)));
        let encoding =
            encoding.map_err(|reason| TokenizerError::Encode { text: text.to_owned(), reason })?;
        let ids = encoding.get_ids();
        for &id in ids {
            self.check_row(id)?;
        }
        let spelled: Vec<Vec<u8>> = ids.iter().map(|&id| self.bytes(id)).collect();
        let whole = spelled.concat();
        // A space that was put before the text is no part of it.
        let before = match whole.strip_suffix(text.as_bytes()) {
            Some(b"") => Some(0),
            Some(b" ") => Some(1),
            _ => None,
        };
        let tokens = ids.iter().zip(encoding.get_offsets());
        let Some(before) = before else {
            // The tokens spell another text, such as one with composed accents.
            let within = |at: usize| at.min(text.len());
            return Ok(tokens
                .map(|(&id, &(start, end))| Token { id, bytes: within(start)..within(end) })
                .collect());
        };
        let mut end = 0_usize;
        let exact = tokens.zip(&spelled).map(|((&id, _), bytes)| {
            let start = end;
            end += bytes.len();
            Token { id, bytes: start.saturating_sub(before)..end.saturating_sub(before) }
        });
        Ok(exact.collect())
    }

    /// The parts of a text that no token stands for, so that a model is not told of them. Spaces do not count,
    /// nor what the tokenizer's normalizer takes away.
    pub fn dropped(&self, text: &str) -> Result<Vec<String>, TokenizerError> {
        let ids: Vec<u32> = self.encode_inside(text)?.iter().map(|it| it.id).collect();
        let inner = self.inside.as_deref().unwrap_or(&self.inner);
        let mut normal = NormalizedString::from(text);
        if let Some(normalizer) = inner.get_normalizer() {
            normalizer.normalize(&mut normal).map_err(|it| TokenizerError::Encode {
                text: text.to_owned(),
                reason: it.to_string(),
            })?;
        }
        // SentencePiece writes a space so.
        let is_space = |c: char| c.is_whitespace() || c == '▁';
        let spelled = self.readable_text(&ids);
        let mut spelled = spelled.chars().filter(|c| !is_space(*c)).peekable();
        let (mut parts, mut is_in_part) = (Vec::<String>::new(), false);
        for c in normal.get().chars().filter(|c| !is_space(*c)) {
            if spelled.next_if_eq(&c).is_some() {
                is_in_part = false;
                continue;
            }
            match parts.last_mut().filter(|_| is_in_part) {
                Some(part) => part.push(c),
                None => parts.push(c.into()),
            }
            is_in_part = true;
        }
        // Tokens that spell other letters stand for those that they replace.
        Ok(if spelled.next().is_none() { parts } else { Vec::new() })
    }

    /// Checks that the model has an embedding of a token.
    pub(super) fn check_row(&self, id: u32) -> Result<(), TokenizerError> {
        match self.n_rows {
            Some(n_rows) if id as usize >= n_rows => {
                Err(TokenizerError::NoRow { token: self.readable(id), id, n_rows })
            }
            _ => Ok(()),
        }
    }

    /// The id of the token that begins a text, if the tokenizer has one.
    pub fn bos(&self) -> Option<u32> {
        self.ends.bos
    }

    /// The id of the token that ends a text, if the tokenizer has one.
    pub fn eos(&self) -> Option<u32> {
        self.ends.eos
    }

    /// Whether the tokenizer itself puts BOS before a text, as the model was trained.
    pub fn default_bos(&self) -> Bos {
        self.ends.default_bos
    }

    /// The ids of all tokens that stand for text, in order, without BOS, other special tokens, and
    /// those that the model has no embedding of.
    pub fn text_ids(&self) -> Vec<u32> {
        let is_text = |id: u32| {
            self.ends.bos != Some(id)
                && self.added.get(&id).is_none_or(|(_, is_special)| !is_special)
                && self.n_rows.is_none_or(|n_rows| (id as usize) < n_rows)
        };
        let mut ids: Vec<u32> = self.inner.get_vocab(true).into_values().collect();
        ids.retain(|&id| is_text(id));
        ids.sort_unstable();
        ids
    }

    /// How many tokens there are.
    pub fn n_vocab(&self) -> usize {
        self.inner.get_vocab_size(true)
    }

    /// The text of one token: bytes that are no whole character are written `<E6 9D>`, since all of
    /// them would look alike as the `�` of other programs. An id without a token is
    /// `id 1010 (no token)`.
    pub fn readable(&self, id: u32) -> String {
        self.text_of(id, text_of_bytes)
    }

    /// The text of one token as people read it, with signs for spaces and line ends.
    pub fn shown(&self, id: u32) -> String {
        self.text_of(id, |bytes| visible(&text_of_bytes(bytes)))
    }

    /// The text that tokens have together: characters may be split over tokens. An id without a token is
    /// ` id 1010 (no token)`.
    pub fn readable_text(&self, ids: &[u32]) -> String {
        let has_token = |id: u32| self.inner.id_to_token(id).is_some();
        let runs = ids.chunk_by(|&a, &b| has_token(a) && has_token(b));
        let texts = runs.map(|run| match run {
            [id] if !has_token(*id) => format!(" {}", self.readable(*id)),
            _ => text_of_bytes(&run.iter().flat_map(|&id| self.bytes(id)).collect::<Vec<u8>>()),
        });
        texts.collect()
    }

    fn text_of(&self, id: u32, decoded: impl FnOnce(&[u8]) -> String) -> String {
        match self.inner.id_to_token(id) {
            Some(_) => decoded(&self.bytes(id)),
            None => format!("id {id} (no token)"),
        }
    }

    /// The bytes of one token. Empty for an id that the tokenizer does not know.
    pub fn bytes(&self, id: u32) -> Vec<u8> {
        if let Some((content, _)) = self.added.get(&id) {
            return self.spelling.added(content);
        }
        match self.inner.id_to_token(id) {
            // `<|endoftext|>` is literal text in vocabularies that do not list it as added, too.
            Some(token) if self.ends.bos == Some(id) => token.into_bytes(),
            Some(token) => self.spelling.bytes(&token),
            None => Vec::new(),
        }
    }

    /// The text that tokens spell from its beginning, without a space that the tokenizer puts before
    /// any text. `None` if they end inside a character.
    pub fn text(&self, ids: &[u32]) -> Option<String> {
        let bytes = ids.iter().flat_map(|&id| self.bytes(id)).collect();
        let text = String::from_utf8(bytes).ok()?;
        let rest = self.inside.as_ref().and_then(|_| text.strip_prefix(' '));
        Some(rest.map_or_else(|| text.clone(), str::to_owned))
    }
}

/// What is said where the library that reads tokenizers panics.
fn broken_library(panic: &Panic) -> String {
    format!(
        "it is not as `tokenizers` writes it, which gives up on it ({}); save it anew with \
         `tokenizer.save_pretrained(folder)`",
        panic.text
    )
}

impl Ends {
    /// `<|endoftext|>` on both sides, which GPT-2 was trained without before a text.
    fn gpt2(inner: &HfTokenizer) -> Self {
        let end = inner.token_to_id(END_OF_TEXT);
        Self { bos: end, eos: end, default_bos: Bos::Off }
    }
}
