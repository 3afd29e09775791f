//! Flags properties of a fact that make its numbers hard to read, such as an answer that the prompt
//! holds.

use std::collections::{BTreeMap, BTreeSet};

use super::Tokenizer;
use crate::facts::{Direction, Fact, Record, Records};

/// Properties of a fact asked one way, compared with the other facts of its dataset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// How many tokens the subject has within the prompt.
    pub n_subject: usize,

    /// How many tokens the answer has.
    pub n_answer: usize,

    /// Whether the answer's words occur in the prompt, so that the model can copy them.
    pub leaks: bool,

    /// The foil, or another answer of the relation, if it starts with the same token as the answer:
    /// the probability of the first token cannot tell them apart. Other answers of the relation do
    /// not count where the question has several right answers.
    pub collides_with: Option<String>,

    /// How many other subjects of the relation have as many tokens, and so can take this one's
    /// place.
    pub n_same_length: usize,
}

/// A fact asked one way, with the flags that do not depend on other facts.
struct Draft<'a> {
    fact: &'a Fact,
    answer: &'a str,

    /// The answer's first token.
    first: Option<u32>,
    flags: Flags,
}

/// The flags of every record, forward and inverse. `None` where a record is not asked that way.
///
/// Takes about a second for 20,000 records.
pub fn flags(records: &Records, tokenizer: &Tokenizer) -> Vec<[Option<Flags>; 2]> {
    let drafts: Vec<[Option<Draft<'_>>; 2]> = records
        .iter()
        .map(|record| Direction::ALL.map(|it| draft(record.fact(it)?, tokenizer)))
        .collect();

    // Answers by their first token, and subjects by their length, for each direction of each
    // relation.
    let mut starts: BTreeMap<(&Option<String>, Direction, u32), BTreeSet<&str>> = BTreeMap::new();
    let mut lengths: BTreeMap<(&Option<String>, Direction, usize), BTreeSet<&str>> =
        BTreeMap::new();
    for (record, drafts) in records.iter().zip(&drafts) {
        for (direction, draft) in Direction::ALL.into_iter().zip(drafts) {
            let Some(draft) = draft else { continue };
            if let Some(first) = draft.first {
                let key = (&record.relation, direction, first);
                starts.entry(key).or_default().insert(draft.answer);
            }
            if let Some(subject) = draft.fact.subject_text() {
                let key = (&record.relation, direction, draft.flags.n_subject);
                lengths.entry(key).or_default().insert(subject);
            }
        }
    }
    let complete = |record: &Record, direction: Direction, draft: &Draft<'_>| {
        let foil = draft.fact.foil.as_deref().filter(|foil| {
            *foil != draft.answer
                && draft.first.is_some()
                && first_token(tokenizer, foil) == draft.first
        });
        let has_one = record.answers(direction).len() <= 1;
        let others = draft
            .first
            .filter(|_| has_one)
            .and_then(|first| starts.get(&(&record.relation, direction, first)));
        let other = others.and_then(|it| it.iter().find(|it| **it != draft.answer)).copied();
        let same = lengths.get(&(&record.relation, direction, draft.flags.n_subject));
        Flags {
            collides_with: foil.or(other).map(str::to_owned),
            n_same_length: same.map_or(0, |it| it.len().saturating_sub(1)),
            ..draft.flags.clone()
        }
    };
    let all = records.iter().zip(&drafts).map(|(record, drafts)| {
        Direction::ALL.map(|it| Some(complete(record, it, drafts[it as usize].as_ref()?)))
    });
    all.collect()
}

fn first_token(tokenizer: &Tokenizer, answer: &str) -> Option<u32> {
    Some(tokenizer.encode_inside(&format!(" {answer}")).ok()?.first()?.id)
}

fn draft<'a>(fact: &'a Fact, tokenizer: &Tokenizer) -> Option<Draft<'a>> {
    let (subject, answer) = (fact.subject.clone()?, fact.answer.as_deref()?);
    // A space before a word is part of its token.
    let start =
        if fact.prompt[..subject.start].ends_with(' ') { subject.start - 1 } else { subject.start };
    let words = &fact.prompt[start..subject.end];
    let subject = if start == 0 { tokenizer.encode(words) } else { tokenizer.encode_inside(words) };
    let subject = subject.ok()?;
    let tokens = tokenizer.encode_inside(&format!(" {}", answer.trim_start())).ok()?;
    let flags = Flags {
        n_subject: subject.len(),
        n_answer: tokens.len(),
        leaks: holds_words(&fact.prompt, answer),
        ..Flags::default()
    };
    Some(Draft { fact, answer, first: tokens.first().map(|token| token.id), flags })
}

/// Whether the text contains the words one after the other, in upper or lower case.
fn holds_words(text: &str, words: &str) -> bool {
    let split = |text: &str| -> Vec<String> {
        let lower = text.to_lowercase();
        let words = lower.split(|it: char| !it.is_alphanumeric()).filter(|it| !it.is_empty());
        words.map(str::to_owned).collect()
    };
    let (text, words) = (split(text), split(words));
    !words.is_empty() && text.windows(words.len()).any(|it| it == words)
}
