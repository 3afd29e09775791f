//! The facts there are, and those that a search finds.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::{FactId, Lesson, Plan, Recall, Taught};
use crate::facts::{Cardinality, Dataset, Direction, Fact, Record};
use crate::tokens::Flags;

/// Which facts are listed besides what is searched for, and in which order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a check box")]
pub struct Filter {
    pub relation: Option<String>,
    pub cardinality: Option<Cardinality>,
    pub has_inverse: bool,
    pub is_one_token: bool,

    /// The answer, asked forward, does not stand in the prompt.
    pub no_leak: bool,

    /// No other answer of the relation starts with the answer's first token, asked forward.
    pub no_collision: bool,
    pub known: Option<Known>,

    /// What a built-in model was taught of it.
    pub lesson: Option<Lesson>,
    pub order: Order,
}

/// What the model knows of a fact. Facts that are not measured yet match none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    Forward,
    Inverse,
    Both,
    Neither,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    #[default]
    File,

    /// Likeliest answer first; what is not measured comes last.
    Probability,

    /// Best rank first.
    Rank,
}

impl Known {
    pub const ALL: [Self; 4] = [Self::Forward, Self::Inverse, Self::Both, Self::Neither];

    pub fn text(self) -> &'static str {
        match self {
            Self::Forward => "Known forward",
            Self::Inverse => "Known inversely",
            Self::Both => "Known both ways",
            Self::Neither => "Known neither way",
        }
    }
}

impl Order {
    pub const ALL: [Self; 3] = [Self::File, Self::Probability, Self::Rank];

    pub fn text(self) -> &'static str {
        match self {
            Self::File => "As in the file",
            Self::Probability => "By probability",
            Self::Rank => "By rank",
        }
    }
}

#[derive(Debug, Default)]
pub struct FactList {
    pub dataset: Option<Dataset>,
    typed: Vec<Record>,

    /// All that a search looks at, in lower case, per fact.
    typed_texts: Vec<String>,
    dataset_texts: Vec<String>,

    /// Where the dataset has them, by the ids that the file gives them; the first of those alike.
    places: BTreeMap<String, usize>,

    query: String,
    filter: Filter,

    /// Relations of the dataset, with how many facts each has.
    relations: BTreeMap<String, usize>,
    recall: Recall,

    /// By record and direction. Empty until they are found.
    flags: Vec<[Option<Flags>; 2]>,

    /// By record. Empty where nobody knows.
    plans: Vec<Option<Plan>>,

    /// What the query finds. Kept, for searching 20,000 facts in every frame would be felt.
    found: Vec<FactId>,
}

impl FactList {
    pub fn open(&mut self, dataset: Dataset) {
        self.dataset_texts = dataset.records.iter().map(searched_text).collect();
        self.places.clear();
        for (nth, record) in dataset.records.iter().enumerate() {
            self.places.entry(record.id.clone()).or_insert(nth);
        }
        self.relations.clear();
        for relation in dataset.records.iter().filter_map(|record| record.relation.clone()) {
            *self.relations.entry(relation).or_default() += 1;
        }
        self.filter = Filter::default();
        self.flags.clear();
        self.plans.clear();
        self.recall.reset(dataset.records.len());
        self.dataset = Some(dataset);
        self.search();
    }

    /// No dataset then; typed facts stay.
    pub fn close(&mut self) {
        let no_facts = Dataset::default();
        self.open(no_facts);
        self.dataset = None;
        self.search();
    }

    /// Adds a typed fact, or finds it if it is there already.
    pub fn add(&mut self, fact: Fact) -> FactId {
        let id = format!("typed {}", self.typed.len() + 1);
        self.keep(Record::new(id, None, fact))
    }

    /// Lists a fact as if it were typed, or finds it if it is there already.
    pub fn keep(&mut self, record: Record) -> FactId {
        let is_it = |it: &Record| it.fact == record.fact && it.inverse == record.inverse;
        let nth = self.typed.iter().position(is_it).unwrap_or_else(|| {
            self.typed_texts.push(searched_text(&record));
            self.typed.push(record);
            self.search();
            self.typed.len() - 1
        });
        FactId::Typed(nth)
    }

    pub fn get(&self, id: FactId) -> Option<&Record> {
        match id {
            FactId::Typed(nth) => self.typed.get(nth),
            FactId::Record(nth) => self.dataset.as_ref()?.records.get(nth),
            FactId::Experiment => None,
        }
    }

    /// By the id that the file gives it.
    pub fn find(&self, case: &str) -> Option<FactId> {
        self.places.get(case).copied().map(FactId::Record)
    }

    /// By its id, typed or not.
    pub fn named(&self, id: &str) -> Option<&Record> {
        let typed = || self.typed.iter().find(|record| record.id == id);
        self.find(id).and_then(|id| self.get(id)).or_else(typed)
    }

    /// Facts that hold every word of a query, whatever the list shows.
    pub fn matching(&self, query: &str) -> impl Iterator<Item = &Record> {
        let query = query.to_lowercase();
        let records = self.dataset.as_ref().map_or(&[][..], |it| &it.records);
        let typed = self.typed_texts.iter().zip(&self.typed);
        typed.chain(self.dataset_texts.iter().zip(records)).filter_map(move |(text, record)| {
            query.split_whitespace().all(|word| text.contains(word)).then_some(record)
        })
    }

    pub fn len(&self) -> usize {
        self.typed.len() + self.dataset.as_ref().map_or(0, |dataset| dataset.records.len())
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn dataset_path(&self) -> Option<&Path> {
        Some(&self.dataset.as_ref()?.path)
    }

    pub fn found(&self) -> &[FactId] {
        &self.found
    }

    pub fn query(&self) -> &str {
        &self.query
    }

    pub fn set_query(&mut self, query: String) {
        self.query = query;
        self.search();
    }

    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    pub fn set_filter(&mut self, filter: Filter) {
        self.filter = filter;
        self.search();
    }

    pub fn relations(&self) -> &BTreeMap<String, usize> {
        &self.relations
    }

    pub fn recall(&self) -> &Recall {
        &self.recall
    }

    /// What to beware of in a fact. `None` while it is being found, and for typed facts.
    pub fn flags(&self, id: FactId, direction: Direction) -> Option<&Flags> {
        match id {
            FactId::Typed(_) | FactId::Experiment => None,
            FactId::Record(nth) => self.flags.get(nth)?[direction as usize].as_ref(),
        }
    }

    pub fn set_flags(&mut self, flags: Vec<[Option<Flags>; 2]>) {
        self.flags = flags;
        if self.filter.no_leak || self.filter.no_collision {
            self.search();
        }
    }

    /// What facts can be told by: all that the model was taught of some of them.
    pub fn lessons(&self) -> Vec<Lesson> {
        if self.plans.is_empty() {
            return Vec::new();
        }
        let planted = self.plans.iter().flatten().flat_map(|plan| plan.planted).flatten();
        let layers: BTreeSet<usize> = planted.collect();
        let groups = Taught::ALL.into_iter().map(Lesson::Group);
        groups.chain(layers.into_iter().map(Lesson::Planted)).collect()
    }

    pub fn set_plans(&mut self, plans: Vec<Option<Plan>>) {
        self.plans = plans;
        if let Some(lesson) = self.filter.lesson {
            self.filter.lesson = self.lessons().contains(&lesson).then_some(lesson);
            self.search();
        }
    }

    /// For what changes no more than what is on its way.
    pub fn recall_mut(&mut self) -> &mut Recall {
        &mut self.recall
    }

    /// Lists again what depends on new measurements.
    pub fn recalled(&mut self) {
        let Filter { known, order, is_one_token, .. } = self.filter;
        if known.is_some() || order != Order::File || is_one_token {
            self.search();
        }
    }

    /// The fact `step` rows further down among those found; the first or last at the ends.
    pub fn neighbour(&self, from: Option<FactId>, step: isize) -> Option<FactId> {
        let last = self.found.len().checked_sub(1)?;
        let here = from.and_then(|id| self.found.iter().position(|it| *it == id));
        let there = here.map_or(0, |here| here.saturating_add_signed(step).min(last));
        self.found.get(there).copied()
    }

    /// A fact is found if it holds every word of the query.
    fn search(&mut self) {
        let query = self.query.to_lowercase();
        let words: Vec<&str> = query.split_whitespace().collect();
        let matches = |text: &str| words.iter().all(|word| text.contains(word));
        let typed =
            (0..self.typed.len()).filter(|&nth| matches(&self.typed_texts[nth])).map(FactId::Typed);
        let records = (0..self.dataset_texts.len())
            .filter(|&nth| matches(&self.dataset_texts[nth]) && self.passes(nth));
        let mut records: Vec<usize> = records.collect();
        let forward = |nth: &usize| self.recall.get(*nth, Direction::Forward);
        // Stable, so that equals stay as in the file.
        match self.filter.order {
            Order::File => {}
            Order::Probability => records.sort_by(|a, b| {
                later_if_none(forward(a), forward(b), |a, b| b.prob.total_cmp(&a.prob))
            }),
            Order::Rank => records
                .sort_by(|a, b| later_if_none(forward(a), forward(b), |a, b| a.rank.cmp(&b.rank))),
        }
        self.found = typed.chain(records.into_iter().map(FactId::Record)).collect();
    }

    fn passes(&self, nth: usize) -> bool {
        let Some(record) = self.dataset.as_ref().and_then(|it| it.records.get(nth)) else {
            return false;
        };
        let Filter { relation, cardinality, has_inverse, is_one_token, .. } = &self.filter;
        let Filter { no_leak, no_collision, known, lesson, .. } = &self.filter;
        let flagged = |test: fn(&Flags) -> bool| {
            self.flags.get(nth).is_none_or(|[forward, _]| forward.as_ref().is_some_and(test))
        };
        let [forward, inverse] =
            [Direction::Forward, Direction::Inverse].map(|it| self.recall.get(nth, it));
        let (knows_forward, knows_inverse) =
            (forward.map(|it| it.is_known()), inverse.map(|it| it.is_known()));
        (relation.is_none() || *relation == record.relation)
            && (cardinality.is_none() || *cardinality == record.cardinality)
            && (!has_inverse || record.inverse.is_some())
            && (!is_one_token || forward.is_some_and(|it| it.n_answer_tokens == 1))
            && lesson.is_none_or(|lesson| {
                self.plans.get(nth).is_some_and(|it| it.is_some_and(|it| lesson.is_of(&it)))
            })
            && (!no_leak || !flagged(|it| it.leaks))
            && (!no_collision || !flagged(|it| it.collides_with.is_some()))
            && match known {
                None => true,
                Some(Known::Forward) => knows_forward == Some(true),
                Some(Known::Inverse) => knows_inverse == Some(true),
                Some(Known::Both) => knows_forward == Some(true) && knows_inverse == Some(true),
                Some(Known::Neither) => {
                    knows_forward == Some(false) && knows_inverse == Some(false)
                }
            }
    }
}

fn later_if_none<T>(
    a: Option<T>,
    b: Option<T>,
    compare: impl FnOnce(T, T) -> Ordering,
) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => compare(a, b),
        (a, b) => b.is_some().cmp(&a.is_some()),
    }
}

fn searched_text(record: &Record) -> String {
    let fact = &record.fact;
    let answers =
        [&fact.answer, &fact.foil, &record.relation].map(|it| it.as_deref().unwrap_or(""));
    [&[fact.prompt.as_str()], answers.as_slice()].concat().join("\n").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list() -> FactList {
        let record = |id: &str, prompt: &str, subject: &str, answer: &str| {
            let fact = Fact::from_text(prompt, Some(subject)).unwrap();
            let fact = Fact { answer: Some(answer.to_owned()), ..fact };
            Record::new(id, Some("P36".to_owned()), fact)
        };
        let records = vec![
            record("0", "The capital of France is", "France", "Paris"),
            record("1", "The capital of Ägypten is", "Ägypten", "Kairo"),
        ];
        let mut list = FactList::default();
        list.open(Dataset { records, ..Dataset::default() });
        list
    }

    fn check(query: &str, expected: &[usize]) {
        let mut list = list();
        list.set_query(query.to_owned());
        let expected: Vec<FactId> = expected.iter().map(|&nth| FactId::Record(nth)).collect();
        assert_eq!(list.found(), expected, "{query}");
    }

    #[test]
    fn a_search_ignores_case_and_wants_every_word() {
        check("", &[0, 1]);
        check("PARIS", &[0]);
        check("ägypten capital", &[1]);
        check("p36 kairo", &[1]);
        check("france kairo", &[]);
    }

    #[test]
    fn a_typed_fact_comes_first_and_is_added_once() {
        let mut list = list();
        let fact = Fact::from_text("The capital of Peru is", Some("Peru")).unwrap();
        let id = list.add(fact.clone());
        assert_eq!(list.add(fact), id);
        assert_eq!(list.found()[0], id);
        assert_eq!(list.len(), 3);
    }

    #[test]
    fn facts_with_a_flag_can_be_left_out() {
        let mut list = list();
        list.set_filter(Filter { no_leak: true, ..Filter::default() });
        let leaks = Flags { leaks: true, ..Flags::default() };
        list.set_flags(vec![[Some(leaks), None], [Some(Flags::default()), None]]);
        assert_eq!(list.found(), [FactId::Record(1)]);
        list.set_filter(Filter { no_collision: true, ..Filter::default() });
        assert_eq!(list.found().len(), 2);
    }

    #[test]
    fn facts_can_be_told_by_what_was_taught() {
        let mut list = list();
        let plan = |group, planted| Some(Plan { group, planted });
        let plans = vec![plan(Taught::Both, [None; 2]), plan(Taught::Never, [Some(3), None])];
        list.set_plans(plans);
        assert_eq!(list.lessons().len(), 5);
        for lesson in [Lesson::Group(Taught::Never), Lesson::Planted(3)] {
            list.set_filter(Filter { lesson: Some(lesson), ..Filter::default() });
            assert_eq!(list.found(), [FactId::Record(1)]);
        }
        // A model without planted facts is opened, then one of which nobody knows.
        list.set_plans(vec![plan(Taught::Both, [None; 2]); 2]);
        assert_eq!((list.found().len(), list.lessons().len()), (2, 4));
        list.set_plans(Vec::new());
        assert!(list.lessons().is_empty());
    }

    #[test]
    fn neighbours_stop_at_the_ends() {
        let list = list();
        assert_eq!(list.neighbour(None, 1), Some(FactId::Record(0)));
        assert_eq!(list.neighbour(Some(FactId::Record(0)), 1), Some(FactId::Record(1)));
        assert_eq!(list.neighbour(Some(FactId::Record(1)), 1), Some(FactId::Record(1)));
        assert_eq!(list.neighbour(Some(FactId::Record(0)), -1), Some(FactId::Record(0)));
        assert_eq!(FactList::default().neighbour(None, 1), None);
    }
}
