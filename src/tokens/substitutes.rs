//! Finds other subjects that fit into a prompt without changing any other token.

use std::collections::BTreeSet;

use super::{Bos, TokenizeError, TokenizedPrompt, Tokenizer, TokenizerError};
use crate::facts::Fact;

/// Another subject for a prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Substitute {
    pub subject: String,

    /// The answer of the substitute's own fact, if it is known.
    pub answer: Option<String>,

    /// The substitute's tokens within the prompt, as many as the prompt's own subject has.
    pub ids: Vec<u32>,
}

/// The subjects among `others` that fit into a fact's prompt: they have as many tokens as its
/// subject, and all other tokens stay the same.
///
/// They keep their order. Each token sequence occurs once, and the fact's own never. `others` holds
/// each subject with the answer of its own fact, if that is known.
pub fn substitutes<'a>(
    tokenizer: &Tokenizer,
    fact: &Fact,
    bos: Bos,
    others: impl IntoIterator<Item = (&'a str, Option<&'a str>)>,
) -> Result<Vec<Substitute>, TokenizeError> {
    first_substitutes(tokenizer, fact, bos, others, usize::MAX)
}

/// The first `most` of the [`substitutes`]; finding all of a large dataset takes a while.
pub fn first_substitutes<'a>(
    tokenizer: &Tokenizer,
    fact: &Fact,
    bos: Bos,
    others: impl IntoIterator<Item = (&'a str, Option<&'a str>)>,
    most: usize,
) -> Result<Vec<Substitute>, TokenizeError> {
    let own = TokenizedPrompt::new(tokenizer, fact, bos)?;
    let (Some(bytes), Some(tokens)) = (&fact.subject, &own.subject) else { return Ok(Vec::new()) };
    let (before, after) = (&fact.prompt[..bytes.start], &fact.prompt[bytes.end..]);
    let mut seen = BTreeSet::from([own.ids[tokens.clone()].to_vec()]);
    let mut found = Vec::new();
    for (subject, answer) in others {
        if found.len() == most {
            break;
        }
        let swapped = Fact {
            prompt: format!("{before}{subject}{after}"),
            subject: Some(bytes.start..bytes.start + subject.len()),
            answer: None,
            foil: None,
        };
        let prompt = match TokenizedPrompt::new(tokenizer, &swapped, bos) {
            Ok(prompt) => prompt,
            // The model cannot read this one subject, so it fits no prompt.
            Err(TokenizeError::Tokenizer(TokenizerError::NoRow { .. })) => continue,
            Err(error) => return Err(error),
        };
        let fits = prompt.subject == own.subject
            && prompt.ids[..tokens.start] == own.ids[..tokens.start]
            && prompt.ids[tokens.end.min(prompt.n_pos())..] == own.ids[tokens.end..];
        if !fits {
            continue;
        }
        let ids = prompt.ids[tokens.clone()].to_vec();
        if seen.insert(ids.clone()) {
            let (subject, answer) = (subject.to_owned(), answer.map(str::to_owned));
            found.push(Substitute { subject, answer, ids });
        }
    }
    Ok(found)
}
