//! What to beware of in a fact before its numbers are read.

use std::collections::{BTreeMap, BTreeSet};

use super::Tokenizer;
use crate::facts::{Direction, Fact, Record};

/// Of a fact asked one way, among the others of its dataset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// Tokens of the subject as it stands in the prompt.
    pub n_subject: usize,
    pub n_answer: usize,

    /// The answer's words stand in the prompt: the model can copy them.
    pub leaks: bool,

    /// Another answer of the relation, or the foil, that starts with the same token: the
    /// probability of the first token cannot tell them apart. Answers of the relation are not
    /// looked at where the question has several right ones: those are no mistake.
    pub collides_with: Option<String>,

    /// Other subjects of the relation with as many tokens, to be put in this one's place.
    pub n_same_length: usize,
}

/// What is known of one direction of a record before the others are.
struct Part<'a> {
    fact: &'a Fact,
    answer: &'a str,
    first: Option<u32>,
    flags: Flags,
}

/// The flags of every record, by direction; nothing where it has no such direction.
///
/// Takes about a second for 20,000 records.
pub fn flags(records: &[Record], tokenizer: &Tokenizer) -> Vec<[Option<Flags>; 2]> {
    let directions = [Direction::Forward, Direction::Inverse];
    let parts: Vec<[Option<Part<'_>>; 2]> = records
        .iter()
        .map(|record| directions.map(|it| part(record.fact(it)?, tokenizer)))
        .collect();

    // Answers by what they start with, and subjects by length; each direction of a relation is
    // a world of its own.
    let mut starts: BTreeMap<(&Option<String>, usize, u32), BTreeSet<&str>> = BTreeMap::new();
    let mut lengths: BTreeMap<(&Option<String>, usize, usize), BTreeSet<&str>> = BTreeMap::new();
    for (record, parts) in records.iter().zip(&parts) {
        for (direction, part) in parts.iter().enumerate() {
            let Some(part) = part else { continue };
            if let Some(first) = part.first {
                starts.entry((&record.relation, direction, first)).or_default().insert(part.answer);
            }
            if let Some(subject) = part.fact.subject_text() {
                let key = (&record.relation, direction, part.flags.n_subject);
                lengths.entry(key).or_default().insert(subject);
            }
        }
    }
    let complete = |record: &Record, direction: usize, part: &Part<'_>| {
        let foil = part.fact.foil.as_deref().filter(|foil| {
            *foil != part.answer
                && part.first.is_some()
                && first_token(tokenizer, foil) == part.first
        });
        let has_one =
            record.answers([Direction::Forward, Direction::Inverse][direction]).len() <= 1;
        let others = part
            .first
            .filter(|_| has_one)
            .and_then(|first| starts.get(&(&record.relation, direction, first)));
        let other = others.and_then(|it| it.iter().find(|it| **it != part.answer)).copied();
        let same = lengths.get(&(&record.relation, direction, part.flags.n_subject));
        Flags {
            collides_with: foil.or(other).map(str::to_owned),
            n_same_length: same.map_or(0, |it| it.len().saturating_sub(1)),
            ..part.flags.clone()
        }
    };
    let all = records.iter().zip(&parts).map(|(record, parts)| {
        [0, 1].map(|direction| Some(complete(record, direction, parts[direction].as_ref()?)))
    });
    all.collect()
}

fn first_token(tokenizer: &Tokenizer, answer: &str) -> Option<u32> {
    Some(tokenizer.encode(&format!(" {answer}")).ok()?.first()?.id)
}

fn part<'a>(fact: &'a Fact, tokenizer: &Tokenizer) -> Option<Part<'a>> {
    let (subject, answer) = (fact.subject.clone()?, fact.answer.as_deref()?);
    // A space before a word is part of its token.
    let start =
        if fact.prompt[..subject.start].ends_with(' ') { subject.start - 1 } else { subject.start };
    let subject = tokenizer.encode(&fact.prompt[start..subject.end]).ok()?;
    let tokens = tokenizer.encode(&format!(" {}", answer.trim_start())).ok()?;
    let flags = Flags {
        n_subject: subject.len(),
        n_answer: tokens.len(),
        leaks: holds_words(&fact.prompt, answer),
        ..Flags::default()
    };
    Some(Part { fact, answer, first: tokens.first().map(|token| token.id), flags })
}

/// Whether the words stand in the text one after the other, in any case.
fn holds_words(text: &str, words: &str) -> bool {
    let split = |text: &str| -> Vec<String> {
        let lower = text.to_lowercase();
        let words = lower.split(|it: char| !it.is_alphanumeric()).filter(|it| !it.is_empty());
        words.map(str::to_owned).collect()
    };
    let (text, words) = (split(text), split(words));
    !words.is_empty() && text.windows(words.len()).any(|it| it == words)
}

#[cfg(test)]
mod tests {
    use super::super::{GPT2_MERGES, gpt2_vocabulary};
    use super::*;

    fn found(facts: &[(&str, &str, &str)]) -> Vec<Flags> {
        let records: Vec<Record> = facts
            .iter()
            .map(|(template, subject, answer)| {
                let fact = Fact::from_template(template, subject).unwrap();
                let fact = Fact { answer: Some((*answer).to_owned()), ..fact };
                Record::new("0", Some("P36".to_owned()), fact)
            })
            .collect();
        let vocabulary = gpt2_vocabulary(GPT2_MERGES).unwrap();
        let tokenizer = Tokenizer::from_vocabulary(vocabulary, GPT2_MERGES).unwrap();
        flags(&records, &tokenizer).into_iter().map(|[forward, _]| forward.unwrap()).collect()
    }

    #[test]
    fn tokens_are_counted_as_they_stand_in_the_prompt() {
        let all = found(&[
            ("The capital of {} is", "France", "Paris"),
            ("The capital of {} is", "Spain", "Madrid"),
            ("The capital of {} is", "Kazakhstan's north", "Astana"),
        ]);
        assert_eq!((all[0].n_subject, all[0].n_answer, all[0].n_same_length), (1, 1, 1));
        assert!(all[2].n_subject > 1 && all[2].n_answer > 1, "{:?}", all[2]);
        assert_eq!(all[2].n_same_length, 0);
    }

    #[test]
    fn an_answer_leaks_only_as_whole_words() {
        let all = found(&[
            ("{} is produced by", "The BMW X5", "bmw"),
            ("{} lies in", "Romeo's house", "Rome"),
        ]);
        assert_eq!([all[0].leaks, all[1].leaks], [true, false]);
    }

    #[test]
    fn answers_with_the_same_first_token_collide() {
        let all = found(&[
            ("The capital of {} is", "Mexico", "New Mexico"),
            ("The capital of {} is", "India", "New Delhi"),
            ("The capital of {} is", "France", "Paris"),
            ("A capital of {} is", "France", "Paris"),
        ]);
        assert_eq!(all[0].collides_with.as_deref(), Some("New Delhi"));
        assert_eq!(all[2].collides_with, None);
    }
}
