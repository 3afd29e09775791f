//! Facts as token ids, with the tokens that are the subject.

use std::ops::Range;

use serde::{Deserialize, Serialize};

mod pieces;
mod ids;
mod first_space;
mod tokenizer;
mod gpt2;
mod vocabulary;
mod asked;
mod folder;
mod gguf;
mod gguf_words;
mod substitutes;
mod flags;
mod doubts;

pub use flags::{Flags, flags};
pub use gpt2::{GPT2_MERGES, gpt2_merges_for, gpt2_vocabulary};
pub use pieces::visible;
use pieces::with_whole_characters;
pub use substitutes::{Substitute, first_substitutes, substitutes};
pub use tokenizer::{Token, Tokenizer, TokenizerError};

use crate::facts::Fact;

/// A [`Fact`] as a model sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenizedPrompt {
    /// The prompt, without BOS.
    pub text: String,

    /// Whether the first token is BOS, the token that begins a text.
    pub bos: Bos,

    /// The token at each position. `[pos]`
    pub ids: Vec<u32>,

    /// The text of each token, as [`Tokenizer::readable`] gives it. `[pos]`
    pub pieces: Vec<String>,

    /// The positions of the subject's tokens.
    pub subject: Option<Range<usize>>,

    /// The continuation to measure, if any.
    pub answer: Option<Answer>,

    /// A wrong answer to compare with, if any.
    pub foil: Option<Answer>,
}

/// Whether the tokenizer's BOS, such as `<|endoftext|>` or `<s>`, is put before the prompt. The numbers
/// differ, so it is always a choice; a command leaves it to the tokenizer unless it is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Bos {
    /// As in ROME: the prompt's first token is at position 0, where models have an attention sink.
    #[default]
    Off,

    /// As in TransformerLens: BOS is at position 0.
    On,
}

/// A continuation of a prompt, as tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The text, with its leading space.
    pub text: String,

    /// The tokens, at least one.
    pub ids: Vec<u32>,

    /// The text of each token.
    pub pieces: Vec<String>,
}

impl Answer {
    /// The first token, which is the only one that ROME and TransformerLens measure.
    pub fn first(&self) -> u32 {
        self.ids[0]
    }
}

/// Why a fact cannot be turned into tokens.
#[derive(Debug, thiserror::Error)]
pub enum TokenizeError {
    #[error("the prompt is empty; type some text, or put BOS before it")]
    EmptyPrompt,

    #[error("the answer is empty")]
    EmptyAnswer,

    #[error("this tokenizer has no BOS token, so none can be put before the prompt")]
    NoBos,

    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
}

impl TokenizedPrompt {
    pub fn new(tokenizer: &Tokenizer, fact: &Fact, bos: Bos) -> Result<Self, TokenizeError> {
        let mut tokens = tokenizer.encode(&fact.prompt)?;
        let subject = fact.subject.as_ref().and_then(|subject| overlapping(&tokens, subject));
        let n_bos = match bos {
            Bos::Off => 0,
            Bos::On => {
                let id = tokenizer.bos().ok_or(TokenizeError::NoBos)?;
                tokenizer.check_row(id)?;
                tokens.insert(0, Token { id, bytes: 0..0 });
                1
            }
        };
        if tokens.is_empty() {
            return Err(TokenizeError::EmptyPrompt);
        }
        let answer = |text: &Option<String>| {
            text.as_deref().map(|text| Self::answer(tokenizer, text)).transpose()
        };
        Ok(Self {
            text: fact.prompt.clone(),
            bos,
            pieces: tokens.iter().map(|token| tokenizer.readable(token.id)).collect(),
            ids: tokens.iter().map(|token| token.id).collect(),
            subject: subject.map(|range| range.start + n_bos..range.end + n_bos),
            answer: answer(&fact.answer)?,
            foil: answer(&fact.foil)?,
        })
    }

    /// The prompt of methods that read the weights alone.
    pub fn empty() -> Self {
        Self {
            text: String::new(),
            bos: Bos::Off,
            ids: Vec::new(),
            pieces: Vec::new(),
            subject: None,
            answer: None,
            foil: None,
        }
    }

    /// A continuation as tokens. Its leading space is added if it has none.
    pub fn answer(tokenizer: &Tokenizer, text: &str) -> Result<Answer, TokenizeError> {
        if text.trim().is_empty() {
            return Err(TokenizeError::EmptyAnswer);
        }
        let text = if text.starts_with(char::is_whitespace) {
            text.to_owned()
        } else {
            format!(" {text}")
        };
        let ids: Vec<u32> = tokenizer.encode_inside(&text)?.iter().map(|token| token.id).collect();
        let pieces = ids.iter().map(|&id| tokenizer.readable(id)).collect();
        Ok(Answer { text, ids, pieces })
    }

    /// Whether the fields fit each other, which a file that was edited by hand may break.
    pub fn is_whole(&self) -> bool {
        let answers = || self.answer.iter().chain(&self.foil);
        !self.ids.is_empty()
            && self.ids.len() == self.pieces.len()
            && self.subject.as_ref().is_none_or(|it| !it.is_empty() && it.end <= self.ids.len())
            && answers().all(|it| !it.ids.is_empty() && it.ids.len() == it.pieces.len())
    }

    /// The text of the subject's tokens together.
    pub fn subject_text(&self) -> Option<String> {
        let pieces = self.pieces.get(self.subject.clone()?)?.concat();
        let whole = with_whole_characters(&pieces);
        Some(if self.text.contains(whole.trim()) { whole } else { pieces })
    }

    pub fn n_pos(&self) -> usize {
        self.ids.len()
    }

    /// The last position of the prompt, which predicts the answer.
    pub fn last(&self) -> usize {
        self.ids.len() - 1
    }
}

/// The tokens that share a byte with `range`. A leading space belongs to the word it precedes.
fn overlapping(tokens: &[Token], range: &Range<usize>) -> Option<Range<usize>> {
    let overlaps = |token: &Token| token.bytes.start < range.end && token.bytes.end > range.start;
    let first = tokens.iter().position(overlaps)?;
    let last = tokens.iter().rposition(overlaps)?;
    Some(first..last + 1)
}
