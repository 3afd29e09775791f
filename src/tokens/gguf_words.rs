//! How text is cut into words before bytes are merged, by the names that llama.cpp gives to the rules.
//!
//! Reference: `llm_tokenizer_bpe` in `llama-vocab.cpp`. Where the model's own `tokenizer.json` does more, as
//! Qwen 2's does with accents, that is done here.

use tokenizers::decoders::byte_level::ByteLevel;
use tokenizers::normalizers::NFC;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{PreTokenizerWrapper, SplitDelimiterBehavior, Tokenizer as HfTokenizer};

use super::folder::QWEN2_WORDS;

/// A rule.
#[derive(Clone, Copy, Debug)]
pub(super) struct Words {
    /// Expressions that cut one after the other; what none of them matches stays as it is.
    cuts: &'static [&'static str],

    /// Whether accents are composed first.
    composes: bool,

    /// Whether a word that is a token is taken as it is, whatever the merges say.
    pub takes_tokens_whole: bool,

    /// Whether BOS is put before a text if the file does not say.
    pub adds_bos: bool,
}

const PLAIN: Words =
    Words { cuts: &[], composes: false, takes_tokens_whole: false, adds_bos: false };

const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const GPT4O: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const TEKKEN: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// The rules, each with the names of those that cut alike.
const RULES: [(&[&str], Words); 11] = [
    (
        &["gpt-2", "phi-2", "olmo", "mpt", "jais", "trillion", "exaone4", "gigachat", "mellum"],
        Words { cuts: &[GPT2], ..PLAIN },
    ),
    (
        &["smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"],
        Words { cuts: &[r"\p{N}", GPT2], ..PLAIN },
    ),
    (
        &["llama-bpe", "llama3", "llama-v3", "falcon3", "pixtral"],
        Words { cuts: &[LLAMA3], takes_tokens_whole: true, adds_bos: true, ..PLAIN },
    ),
    (&["dbrx", "smaug-bpe", "chatglm-bpe"], Words { cuts: &[LLAMA3], ..PLAIN }),
    (&["glm4"], Words { cuts: &[LLAMA3], takes_tokens_whole: true, ..PLAIN }),
    (&["qwen2"], Words { cuts: &[QWEN2_WORDS], composes: true, ..PLAIN }),
    (&["deepseek-r1-qwen", "stablelm2", "megrez"], Words { cuts: &[QWEN2_WORDS], ..PLAIN }),
    (&["gpt-4o", "llama4"], Words { cuts: &[GPT4O], ..PLAIN }),
    (&["tekken"], Words { cuts: &[TEKKEN], takes_tokens_whole: true, adds_bos: true, ..PLAIN }),
    (&["falcon"], Words { cuts: &[r"[\p{P}\$\+<=>\^~\|`]+", GPT2, "[0-9][0-9][0-9]"], ..PLAIN }),
    (
        &["default"],
        Words { cuts: &[r"[\p{P}\$\+<=>\^~\|]+", GPT2, r"\p{N}+", "[0-9][0-9][0-9]"], ..PLAIN },
    ),
];

/// The rule of a name.
pub(super) fn find(name: &str) -> Option<Words> {
    RULES.iter().find(|(names, _)| names.contains(&name)).map(|(_, words)| *words)
}

/// The names of all rules.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    RULES.iter().flat_map(|(names, _)| names.iter().copied())
}

impl Words {
    /// Lets a tokenizer cut text so, and spell words as bytes.
    pub fn set(&self, inner: &mut HfTokenizer) -> Result<(), String> {
        if self.composes {
            inner.with_normalizer(Some(NFC)).map_err(|error| error.to_string())?;
        }
        let mut steps: Vec<PreTokenizerWrapper> = Vec::new();
        for cut in self.cuts {
            let pattern = SplitPattern::Regex((*cut).to_owned());
            let split = Split::new(pattern, SplitDelimiterBehavior::Isolated, false);
            steps.push(split.map_err(|error| error.to_string())?.into());
        }
        steps.push(ByteLevel::new(false, true, false).into());
        inner.with_pre_tokenizer(Some(Sequence::new(steps)));
        inner.with_decoder(Some(ByteLevel::default()));
        Ok(())
    }
}
