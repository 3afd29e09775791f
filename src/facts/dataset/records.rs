//! The facts of a file as they are kept: packed one behind the other, and unpacked a few at a time when
//! somebody asks for them.
//!
//! A fact that is unpacked takes hundreds of bytes, and a line of a file may have four. So words of a relation
//! are kept once, and what follows from other facts is not kept at all: the inverse by the catalogue, and
//! answers that are right because another fact of the same prompt has them.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::{Index, Range};
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};

use super::groups::{Groups, NO_KEY, hash};
use super::packing::{Names, Packing, Unpacking};
use super::{Given, RecordPlace};
use crate::facts::{Catalogue, Fact, Inverse, InverseOrigin, Record, Related};

/// How many facts are unpacked together.
const BLOCK: usize = 64;

/// How many of the right answers that other records have for its prompt a record is given. Without an
/// end, ten thousand records of one prompt would hold a hundred million answers.
pub(super) const N_ANSWERS: usize = 100;

/// The answers of an inverse that are shared once they were unpacked, from so many on.
const MANY: usize = 16;

/// The facts of a file, in its order. What is asked for is unpacked and stays so.
#[derive(Clone, Default)]
pub struct Records(Arc<Kept>);

#[derive(Default)]
struct Kept {
    n: usize,
    packed: Packed,

    /// The records whose ids others have too, each with the number of marks behind its place, which tell apart
    /// those of one place.
    repeated: BTreeMap<usize, u32>,

    /// The records with the same prompt, and their answers.
    answers: Groups,

    /// The records with the same relation and answer, and their subjects.
    subjects: Groups,

    /// The subjects of large groups.
    shared: Mutex<BTreeMap<u32, Arc<[String]>>>,

    /// The places of the records by the hash of their ids, once one is looked for.
    by_id: OnceLock<Vec<(u64, u32)>>,
    unpacked: Vec<OnceLock<Box<[Record]>>>,
}

/// Records as they are in their file.
#[derive(Default)]
struct Packed {
    bytes: Vec<u8>,

    /// Where each block begins.
    blocks: Vec<Unpacking>,
    names: Names,
}

/// Takes the records of a file, one after the other.
#[derive(Default)]
pub(super) struct Packer {
    packed: Packed,
    at: Packing,
    n: usize,
}

impl Packer {
    pub fn add(&mut self, given: &Given) {
        let Packed { bytes, blocks, names } = &mut self.packed;
        if self.n.is_multiple_of(BLOCK) {
            blocks.push(self.at.unpacking(bytes.len()));
        }
        self.at.put(given, bytes, names);
        self.n += 1;
    }

    /// The records, and what was decided about them, each a phrase of its own.
    pub fn finish(self) -> (Records, Vec<String>) {
        let Self { mut packed, n, .. } = self;
        packed.bytes.shrink_to_fit();
        let mut kept = Kept { n, packed, ..Kept::default() };
        kept.unpacked.resize_with(n.div_ceil(BLOCK), OnceLock::new);
        let mut notes = Vec::new();
        notes.extend(kept.tell_ids_apart());
        notes.extend(kept.share_answers());
        kept.group_subjects();
        (Records(Arc::new(kept)), notes)
    }
}

impl Kept {
    /// The records of a block as they are in the file.
    fn given(&self, block: usize) -> impl Iterator<Item = Given> {
        let Packed { bytes, blocks, names } = &self.packed;
        let mut at = blocks[block];
        self.places(block).map(move |_| at.take(bytes, names))
    }

    /// Of all blocks.
    fn all_given(&self) -> impl Iterator<Item = Given> {
        (0..self.packed.blocks.len()).flat_map(move |block| self.given(block))
    }

    /// One record as it is in the file.
    fn given_at(&self, nth: usize) -> Given {
        let mut block = self.given(nth / BLOCK);
        block.nth(nth % BLOCK).expect("the record is of this block")
    }

    fn places(&self, block: usize) -> Range<usize> {
        block * BLOCK..((block + 1) * BLOCK).min(self.n)
    }

    /// Finds the ids that occur several times.
    fn tell_ids_apart(&mut self) -> Option<String> {
        let ids: Vec<u64> = self.all_given().map(|it| hash(&it.record.id)).collect();
        let mut sorted = ids.clone();
        sorted.sort_unstable();
        let n_of = |id: u64| {
            sorted.partition_point(|it| *it <= id) - sorted.partition_point(|it| *it < id)
        };
        if sorted.windows(2).all(|it| it[0] != it[1]) {
            return None;
        }
        let (mut repeated, mut before, mut first) = (BTreeMap::new(), None, Vec::new());
        for (nth, given) in self.all_given().enumerate() {
            let Given { place, record, .. } = given;
            if n_of(ids[nth]) < 2 {
                continue;
            }
            // Another record may be called so.
            let mut n_marks = match &before {
                Some((last, marks)) if *last == (place, record.id.clone()) => marks + 1,
                _ => 0,
            };
            while n_of(hash(&own_id(&record.id, place, n_marks))) > 0 {
                n_marks += 1;
            }
            repeated.insert(nth, n_marks);
            before = Some(((place, record.id.clone()), n_marks));
            if first.first().is_none_or(|(id, _)| *id == record.id) && first.len() < 3 {
                let own = own_id(&record.id, place, n_marks);
                first.push((record.id, own));
            }
        }
        self.repeated = repeated;
        let what = match self.given_at(0).place {
            RecordPlace::Line(_) => "line",
            RecordPlace::Index(_) => "place in the file",
        };
        let n = sorted.chunk_by(|a, b| a == b).filter(|it| it.len() > 1).count();
        let those = match &*first {
            [(id, _), ..] if n == 1 => format!("the id {id} occurs"),
            _ => format!("{n} ids occur"),
        };
        let first = first.into_iter().map(|it| it.1).collect::<Vec<_>>().join(", ");
        Some(format!(
            "{those} more than once, and the records are told apart by their {what}: {first}"
        ))
    }

    /// Gives every record the answers that the file has for its prompt, at most [`N_ANSWERS`] of others' beside
    /// its own.
    fn share_answers(&mut self) -> Option<String> {
        let keys: Vec<u64> = self.all_given().map(|it| hash(&it.record.fact.prompt)).collect();
        let is_alike = |a: &Given, b: &Given| a.record.fact.prompt == b.record.fact.prompt;
        let (answers, is_cut) = Groups::new(
            &keys,
            |nth| self.given_at(nth),
            is_alike,
            |it| it.record.answers.clone(),
            N_ANSWERS,
        );
        self.answers = answers;
        is_cut
            .then(|| format!("of the right answers to a prompt, the first {N_ANSWERS} are shared"))
    }

    /// Finds the right answers of inverses by the catalogue.
    fn group_subjects(&mut self) {
        let key = |it: Given| {
            if has_generated_inverse(&it.record) { hash(&question(&it.record)) } else { NO_KEY }
        };
        let keys: Vec<u64> = self.all_given().map(key).collect();
        let is_alike = |a: &Given, b: &Given| question(&a.record) == question(&b.record);
        let subject = |it: &Given| -> Vec<String> {
            it.record.fact.subject_text().map(str::to_owned).into_iter().collect()
        };
        self.subjects =
            Groups::new(&keys, |nth| self.given_at(nth), is_alike, subject, usize::MAX).0;
    }

    fn unpack(&self, block: usize) -> Box<[Record]> {
        self.places(block).zip(self.given(block)).map(|(nth, it)| self.whole(nth, it)).collect()
    }

    /// The hashes of the ids that the records have here, in order, each with the record's place.
    fn places_by_id(&self) -> Vec<(u64, u32)> {
        let hashed = |(nth, it): (usize, Given)| (hash(&self.id(nth, it)), nth as u32);
        let mut places: Vec<(u64, u32)> = self.all_given().enumerate().map(hashed).collect();
        places.sort_unstable();
        places
    }

    /// The id that a record has here.
    fn id(&self, nth: usize, Given { place, record, .. }: Given) -> String {
        match self.repeated.get(&nth) {
            Some(n_marks) => own_id(&record.id, place, *n_marks),
            None => record.id,
        }
    }

    /// A record with what follows from others.
    fn whole(&self, nth: usize, Given { place, mut record, .. }: Given) -> Record {
        if let Some(n_marks) = self.repeated.get(&nth) {
            record.id = own_id(&record.id, place, *n_marks);
        }
        for answer in self.answers.of(nth).into_iter().flat_map(|group| self.answers.texts(group)) {
            if !record.answers.iter().any(|it| **it == *answer) {
                record.answers.push(answer.to_owned());
            }
        }
        let Some(relation) = record.relation.as_deref().and_then(|id| Catalogue::bundled().get(id))
        else {
            return record;
        };
        record.cardinality = record.cardinality.or(Some(relation.cardinality));
        if has_generated_inverse(&record)
            && let (Some(answer), Some(subject)) = (&record.fact.answer, record.fact.subject_text())
            && let Some(fact) =
                relation.inverse.first().and_then(|it| Fact::from_template(it, answer))
        {
            let answers = match self.subjects.of(nth) {
                Some(group) => self.subjects_of(group),
                None => [subject.to_owned()].into(),
            };
            let fact = Fact { answer: Some(subject.to_owned()), ..fact };
            record.inverse =
                Some(Inverse { fact, answers, origin: InverseOrigin::Generated }.into());
        }
        record
    }

    fn subjects_of(&self, group: u32) -> Arc<[String]> {
        let found = || self.subjects.texts(group).map(str::to_owned).collect::<Arc<[String]>>();
        if self.subjects.n_texts(group) < MANY {
            return found();
        }
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(shared.entry(group).or_insert_with(found))
    }
}

/// What an inverse asks: a relation, and the object that takes the subject's place.
fn question(record: &Record) -> (Option<&str>, Option<&str>) {
    (record.relation.as_deref(), record.fact.answer.as_deref())
}

/// Whether the file lacks the inverse, and the catalogue has its words.
fn has_generated_inverse(record: &Record) -> bool {
    let relation = record.relation.as_deref().and_then(|id| Catalogue::bundled().get(id));
    let has_words = relation.is_some_and(|it| !it.inverse.is_empty());
    has_words
        && record.inverse.is_none()
        && record.fact.answer.is_some()
        && record.fact.subject.is_some()
}

/// The id of a record whose id occurs several times: `1@7` is the one in line 7.
fn own_id(id: &str, place: RecordPlace, n_marks: u32) -> String {
    format!("{id}@{}{}", place.parts().1, "'".repeat(n_marks as usize))
}

impl Records {
    /// Of no file.
    pub fn none<'a>() -> &'a Self {
        static NONE: LazyLock<Records> = LazyLock::new(Records::default);
        &NONE
    }

    pub fn len(&self) -> usize {
        self.0.n
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn get(&self, nth: usize) -> Option<&Record> {
        let kept = &*self.0;
        let block = kept.unpacked.get(nth / BLOCK)?;
        block.get_or_init(|| kept.unpack(nth / BLOCK)).get(nth % BLOCK)
    }

    pub fn first(&self) -> Option<&Record> {
        self.get(0)
    }

    /// All records, which then stay unpacked.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Record> + DoubleEndedIterator + Clone {
        (0..self.len()).map(|nth| &self[nth])
    }

    /// All records, of which none stays unpacked that was not so before.
    pub fn scan(&self) -> impl Iterator<Item = Record> {
        let kept = &*self.0;
        kept.unpacked.iter().enumerate().flat_map(move |(block, unpacked)| match unpacked.get() {
            Some(unpacked) => unpacked.to_vec(),
            None => kept.unpack(block).into_vec(),
        })
    }

    /// The place of the record with this id.
    pub fn position(&self, id: &str) -> Option<usize> {
        let kept = &*self.0;
        if kept.packed.blocks.is_empty() {
            return self.iter().position(|it| it.id == id);
        }
        let places = kept.by_id.get_or_init(|| kept.places_by_id());
        let wanted = hash(id);
        let start = places.partition_point(|(hash, _)| *hash < wanted);
        let alike = places[start..].iter().take_while(|(hash, _)| *hash == wanted);
        let mut alike = alike.map(|(_, nth)| *nth as usize);
        alike.find(|nth| kept.id(*nth, kept.given_at(*nth)) == id)
    }

    /// The id of a record that is the same number, written otherwise: `1.50` for 1.5.
    pub fn same_number(&self, id: &str) -> Option<String> {
        let number: f64 = id.parse().ok()?;
        let mut ids = self.0.all_given().map(|it| it.record.id);
        ids.find(|it| it.parse() == Ok(number))
    }

    /// The ids that records have here to which the file gives this one, if it gives it to several.
    pub fn repeated(&self, id: &str) -> Vec<String> {
        let of = |(nth, n_marks): (&usize, &u32)| {
            let Given { place, record, .. } = self.0.given_at(*nth);
            (record.id == id).then(|| own_id(id, place, *n_marks))
        };
        self.0.repeated.iter().filter_map(of).collect()
    }

    /// The prompts that the file gives beside a record.
    pub fn related(&self, nth: usize) -> Related {
        let is_packed = nth < self.len() && !self.0.packed.blocks.is_empty();
        if is_packed { self.0.given_at(nth).related } else { Related::default() }
    }
}

/// Records that are of no file, such as those of a session.
impl From<Vec<Record>> for Records {
    fn from(records: Vec<Record>) -> Self {
        let n = records.len();
        let mut records = records.into_iter();
        let block = |_| OnceLock::from(records.by_ref().take(BLOCK).collect::<Box<[Record]>>());
        let unpacked = (0..n.div_ceil(BLOCK)).map(block).collect();
        Self(Arc::new(Kept { n, unpacked, ..Kept::default() }))
    }
}

impl Index<usize> for Records {
    type Output = Record;

    fn index(&self, nth: usize) -> &Record {
        self.get(nth).unwrap_or_else(|| panic!("record {nth} of {}", self.len()))
    }
}

impl<'a> IntoIterator for &'a Records {
    type Item = &'a Record;
    type IntoIter = Box<dyn Iterator<Item = &'a Record> + 'a>;

    fn into_iter(self) -> Self::IntoIter {
        Box::new(self.iter())
    }
}

impl IntoIterator for Records {
    type Item = Record;
    type IntoIter = std::vec::IntoIter<Record>;

    fn into_iter(self) -> Self::IntoIter {
        self.scan().collect::<Vec<_>>().into_iter()
    }
}

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
