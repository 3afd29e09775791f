//! Subjects that can stand in a prompt without moving anything else.

use std::collections::BTreeSet;

use super::{Bos, TokenizeError, TokenizedPrompt, Tokenizer};
use crate::facts::Fact;

/// Another subject for a prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Substitute {
    pub subject: String,

    /// The answer of its own fact, if it is known.
    pub answer: Option<String>,

    /// Its tokens as they stand in the prompt: as many as the subject there has.
    pub ids: Vec<u32>,
}

/// Those of some other subjects that leave all other tokens of a fact's prompt as they are.
///
/// In their order, each once; the fact's own subject is left out, and so is one with the same tokens.
/// `others`: each with the answer of its own fact, if it is known.
pub fn substitutes<'a>(
    tokenizer: &Tokenizer,
    fact: &Fact,
    bos: Bos,
    others: impl IntoIterator<Item = (&'a str, Option<&'a str>)>,
) -> Result<Vec<Substitute>, TokenizeError> {
    first_substitutes(tokenizer, fact, bos, others, usize::MAX)
}

/// The same, but no more than `most` of them: where there are many, finding all takes a while.
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
        let prompt = TokenizedPrompt::new(tokenizer, &swapped, bos)?;
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

#[cfg(test)]
mod tests {
    use super::super::{GPT2_MERGES, gpt2_vocabulary};
    use super::*;

    #[test]
    fn only_subjects_of_as_many_tokens_fit() {
        let vocabulary = gpt2_vocabulary(GPT2_MERGES).unwrap();
        let tokenizer = Tokenizer::from_vocabulary(vocabulary, GPT2_MERGES).unwrap();
        let others = [
            ("France", Some("Paris")),
            ("Spain", Some("Madrid")),
            ("Liechtenstein", Some("Vaduz")),
            ("Spain", None),
            ("Peru", None),
        ];
        for (template, bos) in [("The capital of {} is", Bos::Off), ("{}'s capital is", Bos::On)] {
            let fact = Fact::from_template(template, "France").unwrap();
            let found = substitutes(&tokenizer, &fact, bos, others).unwrap();
            let prompt = TokenizedPrompt::new(&tokenizer, &fact, bos).unwrap();
            for it in &found {
                assert_eq!(it.ids.len(), prompt.subject.clone().unwrap().len());
                let text: String = it.ids.iter().map(|&id| tokenizer.piece(id)).collect();
                assert_eq!(text.trim_start(), it.subject);
            }
            if bos == Bos::Off {
                let names: Vec<&str> = found.iter().map(|it| it.subject.as_str()).collect();
                assert_eq!(names, ["Spain", "Peru"]);
                assert_eq!(found[0].answer.as_deref(), Some("Madrid"));
                let first = first_substitutes(&tokenizer, &fact, bos, others, 1).unwrap();
                assert_eq!(first, found[..1]);
            }
        }
        let no_subject = Fact::from_text("The capital is", None).unwrap();
        assert_eq!(substitutes(&tokenizer, &no_subject, Bos::Off, others).unwrap(), []);
    }
}
