//! Records as bytes: what most records of a file have in common takes a byte or none.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Given, RecordPlace};
use crate::facts::{Fact, Inverse, InverseOrigin, Record, Related};

/// Texts that many records have: relations, and the words around their subjects.
#[derive(Default)]
pub(super) struct Names {
    all: Vec<Arc<str>>,
    places: BTreeMap<Arc<str>, usize>,
}

/// What the record before said, from which the next mostly differs by one.
#[derive(Clone, Copy, Default)]
struct Before {
    place: u64,
    id: u64,
}

/// Where the next record is put.
#[derive(Default)]
pub(super) struct Packing(Before);

/// Where the next record is taken from.
#[derive(Clone, Copy)]
pub(super) struct Unpacking {
    at: usize,
    before: Before,
}

/// How many names there are at most.
const N_NAMES: usize = 1 << 14;

/// The largest id that is kept as a number.
const MOST: u64 = 1 << 40;

/// What a record or a fact has, as bits.
mod has {
    pub const RELATION: u8 = 1;
    pub const INVERSE: u8 = 2;
    /// Other answers than that of the fact.
    pub const ANSWERS: u8 = 4;
    pub const RELATED: u8 = 8;
    pub const NUMBER: u8 = 16;
    pub const LINE: u8 = 32;

    pub const SUBJECT: u8 = 1;
    pub const ANSWER: u8 = 2;
    pub const FOIL: u8 = 4;
    pub const TEMPLATE: u8 = 8;
}

impl Names {
    /// The number of a name, counted from 1; 0 if it has none.
    fn number(&mut self, name: &str) -> usize {
        if let Some(place) = self.places.get(name) {
            return place + 1;
        }
        if self.all.len() == N_NAMES {
            return 0;
        }
        let name: Arc<str> = name.into();
        self.places.insert(Arc::clone(&name), self.all.len());
        self.all.push(name);
        self.all.len()
    }
}

impl Packing {
    /// Where the next record will lie.
    pub fn unpacking(&self, at: usize) -> Unpacking {
        Unpacking { at, before: self.0 }
    }

    /// Puts a record behind the others.
    pub fn put(&mut self, given: &Given, bytes: &mut Vec<u8>, names: &mut Names) {
        let Given { place, record, related } = given;
        let Record { id, relation, fact, answers, inverse, cardinality: _ } = record;
        let number = id.parse::<u64>().ok().filter(|it| *it < MOST && it.to_string() == *id);
        let is_own = |it: &[String]| fact.answer.as_slice() == it;
        let of = |it: bool, bit: u8| if it { bit } else { 0 };
        bytes.push(
            of(relation.is_some(), has::RELATION)
                | of(inverse.is_some(), has::INVERSE)
                | of(!is_own(answers), has::ANSWERS)
                | of(*related != Related::default(), has::RELATED)
                | of(number.is_some(), has::NUMBER)
                | of(matches!(place, RecordPlace::Line(_)), has::LINE),
        );
        let (_, place) = place.parts();
        put_step(bytes, &mut self.0.place, place);
        match number {
            Some(number) => put_step(bytes, &mut self.0.id, number),
            None => put_text(bytes, id),
        }
        if let Some(relation) = relation {
            put_name(bytes, names, relation);
        }
        put_fact(bytes, names, fact);
        if !is_own(answers) {
            put_texts(bytes, answers);
        }
        if let Some(inverse) = inverse {
            put_fact(bytes, names, &inverse.fact);
            put_texts(bytes, &inverse.answers);
        }
        if *related != Related::default() {
            put_texts(bytes, &related.paraphrases);
            put_texts(bytes, &related.neighbourhood);
        }
    }
}

impl Unpacking {
    /// The next record.
    pub fn take(&mut self, bytes: &[u8], names: &Names) -> Given {
        let at = &mut self.at;
        let bits = byte_at(bytes, at);
        let has = |bit: u8| bits & bit != 0;
        let place = take_step(bytes, at, &mut self.before.place);
        let place = if has(has::LINE) {
            RecordPlace::Line(place)
        } else {
            RecordPlace::Index(place as usize)
        };
        let id = if has(has::NUMBER) {
            take_step(bytes, at, &mut self.before.id).to_string()
        } else {
            text_at(bytes, at).to_owned()
        };
        let relation = has(has::RELATION).then(|| name_at(bytes, at, names).to_owned());
        let fact = fact_at(bytes, at, names);
        let answers = if has(has::ANSWERS) {
            texts_at(bytes, at)
        } else {
            fact.answer.iter().cloned().collect()
        };
        let inverse = has(has::INVERSE).then(|| {
            let (fact, answers) = (fact_at(bytes, at, names), texts_at(bytes, at));
            Box::new(Inverse { fact, answers: answers.into(), origin: InverseOrigin::File })
        });
        let related = if has(has::RELATED) {
            Related { paraphrases: texts_at(bytes, at), neighbourhood: texts_at(bytes, at) }
        } else {
            Related::default()
        };
        let record = Record { id, relation, fact, answers, inverse, cardinality: None };
        Given { place, record, related }
    }
}

/// A prompt that is its subject in words that others have too is kept as these.
fn put_fact(bytes: &mut Vec<u8>, names: &mut Names, fact: &Fact) {
    let Fact { prompt, subject, answer, foil } = fact;
    let worded = fact.subject_text().and_then(|subject| {
        let template = fact.template()?;
        let again = Fact::from_template(&template, subject)?;
        (again.prompt == *prompt && again.subject == fact.subject).then_some((template, subject))
    });
    let worded = worded.and_then(|(template, subject)| match names.number(&template) {
        0 => None,
        number => Some((number, subject)),
    });
    let of = |it: bool, bit: u8| if it { bit } else { 0 };
    bytes.push(
        of(subject.is_some(), has::SUBJECT)
            | of(answer.is_some(), has::ANSWER)
            | of(foil.is_some(), has::FOIL)
            | of(worded.is_some(), has::TEMPLATE),
    );
    if let Some((number, subject)) = worded {
        put_number(bytes, number as u64);
        put_text(bytes, subject);
    } else {
        put_text(bytes, prompt);
        if let Some(subject) = subject {
            put_number(bytes, subject.start as u64);
            put_number(bytes, subject.end as u64);
        }
    }
    answer.iter().chain(foil).for_each(|it| put_text(bytes, it));
}

fn fact_at(bytes: &[u8], at: &mut usize, names: &Names) -> Fact {
    let bits = byte_at(bytes, at);
    let has = |bit: u8| bits & bit != 0;
    let worded = has(has::TEMPLATE).then(|| {
        let template = names.all.get(number_at(bytes, at) as usize - 1);
        Fact::from_template(template.map_or("", |it| &**it), text_at(bytes, at))
    });
    let fact = worded.flatten().unwrap_or_else(|| {
        let prompt = text_at(bytes, at).to_owned();
        let mut end = || number_at(bytes, at) as usize;
        let subject = has(has::SUBJECT).then(|| end()..end());
        Fact { prompt, subject, answer: None, foil: None }
    });
    let mut text = |bit: u8| has(bit).then(|| text_at(bytes, at).to_owned());
    let answer = text(has::ANSWER);
    Fact { answer, foil: text(has::FOIL), ..fact }
}

/// A name by its number, or itself behind a zero.
fn put_name(bytes: &mut Vec<u8>, names: &mut Names, name: &str) {
    let number = names.number(name);
    put_number(bytes, number as u64);
    if number == 0 {
        put_text(bytes, name);
    }
}

fn name_at<'a>(bytes: &'a [u8], at: &mut usize, names: &'a Names) -> &'a str {
    match number_at(bytes, at) {
        0 => text_at(bytes, at),
        number => &names.all[number as usize - 1],
    }
}

/// A number by how far it is from the one before.
fn put_step(bytes: &mut Vec<u8>, before: &mut u64, number: u64) {
    let step = number.wrapping_sub(*before).cast_signed();
    // Small steps either way are small numbers.
    put_number(bytes, ((step << 1) ^ (step >> 63)).cast_unsigned());
    *before = number;
}

fn take_step(bytes: &[u8], at: &mut usize, before: &mut u64) -> u64 {
    let coded = number_at(bytes, at);
    let step = (coded >> 1).cast_signed() ^ -((coded & 1).cast_signed());
    *before = before.wrapping_add(step.cast_unsigned());
    *before
}

fn put_texts(bytes: &mut Vec<u8>, texts: &[String]) {
    put_number(bytes, texts.len() as u64);
    for text in texts {
        put_text(bytes, text);
    }
}

fn texts_at(bytes: &[u8], at: &mut usize) -> Vec<String> {
    let n = number_at(bytes, at);
    (0..n).map(|_| text_at(bytes, at).to_owned()).collect()
}

pub(super) fn put_text(bytes: &mut Vec<u8>, text: &str) {
    put_number(bytes, text.len() as u64);
    bytes.extend(text.as_bytes());
}

/// # Panics
///
/// If something else was put there.
pub(super) fn text_at<'a>(bytes: &'a [u8], at: &mut usize) -> &'a str {
    let n = number_at(bytes, at) as usize;
    *at += n;
    str::from_utf8(&bytes[*at - n..*at]).expect("a text was put here")
}

/// Seven bits in each byte, the lowest first; all but the last have their highest bit set.
fn put_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn number_at(bytes: &[u8], at: &mut usize) -> u64 {
    let (mut number, mut shift) = (0, 0);
    loop {
        let byte = byte_at(bytes, at);
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return number;
        }
        shift += 7;
    }
}

fn byte_at(bytes: &[u8], at: &mut usize) -> u8 {
    *at += 1;
    bytes[*at - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(place: RecordPlace, id: &str, fact: Fact) -> Given {
        let record = Record::new(id, Some("P36".to_owned()), fact);
        Given { place, record, related: Related::default() }
    }

    #[test]
    fn records_come_back_as_they_were_put() {
        let plain = |template: &str, subject: &str| Fact {
            answer: Some("Paris".to_owned()),
            ..Fact::from_template(template, subject).unwrap()
        };
        let mut all = vec![
            given(RecordPlace::Line(2), "0", plain("The capital of {} is", "France")),
            given(RecordPlace::Line(3), "1", plain("The capital of {} is", "")),
            given(RecordPlace::Index(u64::MAX as usize), "007", plain("{}", "{}")),
            given(
                RecordPlace::Index(0),
                "18446744073709551615",
                plain("{} in {} is", "é 東\u{301}"),
            ),
            given(
                RecordPlace::Line(1),
                "",
                Fact { foil: Some(String::new()), ..plain("a {}", "b") },
            ),
            given(RecordPlace::Line(1), "-1", Fact { subject: None, ..plain("a {}", "b") }),
            // A range of no characters' ends, as only a damaged file has.
            given(RecordPlace::Line(9), "5", Fact { subject: Some(3..9), ..plain("é{}", "é") }),
        ];
        all[1].record.relation = None;
        all[2].record.answers = vec!["Paris".to_owned(), "a".repeat(200)];
        all[3].record.answers.clear();
        all[3].related.paraphrases = vec!["p".to_owned(), String::new()];
        all[4].record.inverse = Some(Box::new(Inverse {
            fact: plain("{} is the capital of", "Paris"),
            answers: ["France".to_owned(), "x".to_owned()].into(),
            origin: InverseOrigin::File,
        }));
        let (mut bytes, mut names, mut packing) =
            (Vec::new(), Names::default(), Packing::default());
        let mut unpacking = packing.unpacking(0);
        for it in &all {
            packing.put(it, &mut bytes, &mut names);
        }
        for it in &all {
            assert_eq!(unpacking.take(&bytes, &names), *it);
        }
        assert_eq!(unpacking.at, bytes.len());
    }

    #[test]
    fn a_record_like_the_others_takes_few_bytes() {
        let (mut bytes, mut names, mut packing) =
            (Vec::new(), Names::default(), Packing::default());
        for nth in 0..100 {
            let fact = Fact::from_template("The capital of {} is", "a").unwrap();
            let fact = Fact { answer: Some("b".to_owned()), ..fact };
            let it = given(RecordPlace::Line(nth + 1), &nth.to_string(), fact);
            packing.put(&it, &mut bytes, &mut names);
        }
        assert!(bytes.len() <= 1000, "{}", bytes.len());
    }

    #[test]
    fn words_that_are_told_by_no_number_are_kept_beside_the_record() {
        let (mut bytes, mut names, mut packing) =
            (Vec::new(), Names::default(), Packing::default());
        let fact = |nth: usize| Fact::from_template(&format!("{nth} {{}}"), "a").unwrap();
        let all: Vec<Given> = (0..N_NAMES + 3)
            .map(|nth| {
                let mut it = given(RecordPlace::Index(nth), "x", fact(nth));
                it.record.relation = Some(format!("relation {nth}"));
                it
            })
            .collect();
        let mut unpacking = packing.unpacking(0);
        for it in &all {
            packing.put(it, &mut bytes, &mut names);
        }
        assert!(all.iter().all(|it| unpacking.take(&bytes, &names) == *it));
    }
}
