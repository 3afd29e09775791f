//! GPT-2's byte-level tokenizer: its vocabulary follows from a list of merges (Radford et al. 2019, section 2.2).

use std::collections::BTreeMap;

use tokenizers::Tokenizer as HfTokenizer;
use tokenizers::decoders::byte_level::ByteLevel;
use tokenizers::models::bpe::{BPE, Vocab};

use super::pieces::byte_characters;

/// The merges of GPT-2's own vocabulary, for checkpoints that the program writes itself.
///
/// The file is OpenAI's `vocab.bpe`; its licence is in `assets/gpt2-bpe/`.
pub use crate::packed::GPT2_MERGES;

pub(super) const END_OF_TEXT: &str = "<|endoftext|>";

/// GPT-2's ids for a list of merges: the 256 bytes, one id per merge, and `<|endoftext|>` last.
pub fn gpt2_vocabulary(merges: &str) -> Result<BTreeMap<String, u32>, String> {
    let bytes = byte_characters().map(|(_, c)| c.to_string());
    let merged = parse_merges(merges)?.into_iter().map(|(left, right)| left + &right);
    let tokens = bytes.chain(merged).chain([END_OF_TEXT.to_owned()]);
    Ok(tokens.zip(0..).collect())
}

/// The text of GPT-2's first merges, as many as a vocabulary of at most `n_tokens` has. `None` if the bytes
/// and `<|endoftext|>` alone are more.
pub fn gpt2_merges_for(n_tokens: usize) -> Option<String> {
    let n_merges = n_tokens.checked_sub(256 + 1)?;
    // The first line is the version.
    Some(GPT2_MERGES.split_inclusive('\n').take(1 + n_merges).collect())
}

/// GPT-2's tokenizer with another vocabulary.
pub(super) fn byte_level(
    vocabulary: BTreeMap<String, u32>,
    merges: Vec<(String, String)>,
) -> Result<HfTokenizer, String> {
    let bpe = BPE::builder()
        .vocab_and_merges(vocabulary.into_iter().collect::<Vocab>(), merges)
        .build()
        .map_err(|error| error.to_string())?;
    let mut inner = HfTokenizer::new(bpe);
    inner.with_pre_tokenizer(Some(ByteLevel::new(false, true, true)));
    inner.with_decoder(Some(ByteLevel::default()));
    Ok(inner)
}

/// The pairs of tokens that `GPT2Tokenizer` of `transformers` takes from `merges.txt`: it leaves out the first line,
/// which should be a version, and what comes behind the last line end.
pub(super) fn merges_of_python(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut merges = parse_merges(text)?;
    let first = text.lines().next().unwrap_or_default();
    if !text.ends_with('\n') {
        merges.pop();
    }
    if !(merges.is_empty() || first.is_empty() || first.starts_with("#version")) {
        merges.remove(0);
    }
    Ok(merges)
}

/// The pairs of tokens in the text of `merges.txt`, one a line. The first line may be a version
/// comment.
pub(super) fn parse_merges(text: &str) -> Result<Vec<(String, String)>, String> {
    const N_MERGES: usize = 1_000_000;
    if text.lines().nth(N_MERGES).is_some() {
        return Err(format!("it has more than {N_MERGES} lines, which no tokenizer has"));
    }
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
