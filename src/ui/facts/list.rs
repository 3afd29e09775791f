//! The facts there are, and those that a search finds.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use super::filter::Told;
use super::typed::TYPED;
use super::{FactId, Filter, Lesson, Order, Plan, Recall, Taught, TypedFact};
use crate::facts::{Dataset, Direction, Record, Records};
use crate::population::RelationAnswers;
use crate::tokens::Flags;

#[derive(Debug, Default)]
pub struct FactList {
    pub dataset: Option<Dataset>,

    /// Every fact that was typed, also those that were changed or removed since: what was found of them is
    /// kept.
    typed: Vec<Record>,

    /// The typed facts that are listed, in order.
    listed: Vec<usize>,

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

    /// The answers of each relation, asked one way, for the model that is open.
    answers: BTreeMap<(String, Direction), Arc<RelationAnswers>>,

    /// By record and direction. Empty until they are found.
    flags: Vec<[Option<Flags>; 2]>,

    /// By record. Empty where nobody knows.
    plans: Vec<Option<Plan>>,

    /// What the query finds. Kept, for searching 20,000 facts in every frame would be felt.
    found: Vec<FactId>,
}

impl FactList {
    pub fn open(&mut self, dataset: Dataset) {
        self.dataset_texts.clear();
        self.places.clear();
        self.relations.clear();
        for (nth, record) in dataset.records.scan().enumerate() {
            self.dataset_texts.push(searched_text(&record));
            self.places.entry(record.id).or_insert(nth);
            if let Some(relation) = record.relation {
                *self.relations.entry(relation).or_default() += 1;
            }
        }
        self.filter = Filter::default();
        self.flags.clear();
        self.plans.clear();
        self.dataset = Some(dataset);
        self.reset_recall();
        self.search();
    }

    /// No dataset then; typed facts stay.
    pub fn close(&mut self) {
        let no_facts = Dataset::default();
        self.open(no_facts);
        self.dataset = None;
        self.search();
    }

    /// Lists a typed fact, unless it is listed already.
    pub fn add(&mut self, fact: TypedFact) -> FactId {
        let id = self.keep(fact.into_record());
        self.list_also(&[id]);
        id
    }

    /// Puts a typed fact in the place of another. The other one is not listed any more, and what was found
    /// of it stays with it.
    pub fn replace(&mut self, old: FactId, fact: TypedFact) -> FactId {
        let id = self.keep(fact.into_record());
        let (FactId::Typed(new), FactId::Typed(old)) = (id, old) else { return id };
        let mut listed = self.listed.clone();
        if new != old {
            listed.retain(|nth| *nth != new);
        }
        match listed.iter_mut().find(|nth| **nth == old) {
            Some(place) => *place = new,
            None => listed.push(new),
        }
        self.list(listed);
        id
    }

    /// Takes a typed fact off the list. What was found of it is kept. Whether it was there.
    pub fn remove(&mut self, id: FactId) -> bool {
        let FactId::Typed(removed) = id else { return false };
        let listed: Vec<usize> = self.listed.iter().copied().filter(|it| *it != removed).collect();
        let was_there = listed.len() < self.listed.len();
        self.list(listed);
        was_there
    }

    /// Keeps a fact as if it were typed, or finds it if it was kept before. It is not listed by that.
    pub fn keep(&mut self, mut record: Record) -> FactId {
        let is_it = |it: &Record| it.fact == record.fact && it.inverse == record.inverse;
        let nth = self.typed.iter().position(is_it).unwrap_or_else(|| {
            let is_taken = |id: &String| self.typed.iter().any(|it| it.id == *id);
            if record.id.is_empty() || is_taken(&record.id) {
                let ids = (self.typed.len() + 1..).map(|n| format!("{TYPED} {n}"));
                record.id = ids.into_iter().find(|id| !is_taken(id)).unwrap_or_default();
            }
            self.typed_texts.push(searched_text(&record));
            self.typed.push(record);
            self.typed.len() - 1
        });
        FactId::Typed(nth)
    }

    /// The typed facts that are listed, in order.
    pub fn listed(&self) -> &[usize] {
        &self.listed
    }

    /// Lists these typed facts, and no others.
    pub fn list(&mut self, listed: Vec<usize>) {
        if listed != self.listed {
            self.listed = listed;
            self.search();
        }
    }

    /// Lists these typed facts besides those that are listed.
    pub fn list_also(&mut self, facts: &[FactId]) {
        let mut listed = self.listed.clone();
        for fact in facts {
            if let FactId::Typed(nth) = fact
                && !listed.contains(nth)
            {
                listed.push(*nth);
            }
        }
        self.list(listed);
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
        let typed = self.listed.iter().map(|&nth| (&self.typed_texts[nth], FactId::Typed(nth)));
        let of_file = (0..).map(FactId::Record);
        typed.chain(self.dataset_texts.iter().zip(of_file)).filter_map(move |(text, id)| {
            query.split_whitespace().all(|word| text.contains(word)).then(|| self.get(id))?
        })
    }

    pub fn len(&self) -> usize {
        self.listed.len() + self.dataset.as_ref().map_or(0, |dataset| dataset.records.len())
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

    /// Forgets which facts are known. What cannot be asked is not asked for.
    pub fn reset_recall(&mut self) {
        let records = self.dataset.as_ref().map_or_else(Records::none, |it| &it.records);
        self.answers.clear();
        self.recall.reset(records.len());
        for (nth, record) in records.scan().enumerate() {
            for direction in Direction::ALL {
                if record.fact(direction).is_none_or(|fact| fact.answer.is_none()) {
                    self.recall.set(nth, direction, None);
                }
            }
        }
    }

    /// For what changes no more than what is on its way.
    pub fn recall_mut(&mut self) -> &mut Recall {
        &mut self.recall
    }

    /// Takes over which facts were known before.
    pub fn adopt_recall(&mut self, before: &Recall) {
        let records = self.dataset.as_ref().map_or_else(Records::none, |it| &it.records);
        self.recall.adopt(before, |nth, direction, it| {
            let (record, has_several) = (&records[nth], records[nth].answers(direction).len() > 1);
            record.relation.is_some() && it.choice.is_none() || has_several && it.answer.is_none()
        });
        self.recalled();
    }

    /// The answers of all facts of a relation, asked one way.
    pub fn answers(&mut self, relation: &str, direction: Direction) -> Arc<RelationAnswers> {
        let records = self.dataset.as_ref().map_or_else(Records::none, |it| &it.records);
        let answers = self.answers.entry((relation.to_owned(), direction));
        let found = || Arc::new(RelationAnswers::new(records, relation, direction));
        Arc::clone(answers.or_insert_with(found))
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

    /// A fact is found if it holds every word of the query and passes the filter.
    fn search(&mut self) {
        let query = self.query.to_lowercase();
        let words: Vec<&str> = query.split_whitespace().collect();
        let matches = |text: &str| words.iter().all(|word| text.contains(word));
        let typed = self.listed.iter().copied();
        let typed = typed.filter(|&nth| matches(&self.typed_texts[nth])).map(FactId::Typed);
        let all = self.dataset.as_ref().map_or_else(Records::none, |it| &it.records);
        let passes = |nth: usize| {
            let told = Told {
                record: &|| &all[nth],
                recalled: Direction::ALL.map(|it| self.recall.get(nth, it)),
                flags: self.flags.get(nth),
                plan: self.plans.get(nth).copied().flatten(),
            };
            (matches(&self.dataset_texts[nth]) && self.filter.passes(&told)).then_some(nth)
        };
        let mut records: Vec<usize> = (0..all.len()).filter_map(passes).collect();
        let order = self.filter.order;
        if order != Order::File {
            let forward = |nth: usize| self.recall.get(nth, Direction::Forward);
            // Stable, so that equals stay as in the file.
            records.sort_by(|&a, &b| order.compare(forward(a), forward(b)));
        }
        self.found = typed.chain(records.into_iter().map(FactId::Record)).collect();
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
    use crate::facts::Fact;

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
        list.open(Dataset { records: records.into(), ..Dataset::default() });
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
        let id = list.add(typed("Peru"));
        assert_eq!(list.add(typed("Peru")), id);
        assert_eq!(list.found()[0], id);
        assert_eq!(list.len(), 3);
    }

    fn typed(subject: &str) -> TypedFact {
        let prompt = format!("The capital of {subject} is");
        TypedFact { fact: Fact::from_text(&prompt, Some(subject)).unwrap(), inverse: None }
    }

    #[test]
    fn a_changed_fact_keeps_its_place_and_the_old_one_is_kept() {
        let mut list = list();
        let [peru, chile] = ["Peru", "Chile"].map(|it| list.add(typed(it)));
        let before = list.listed().to_vec();
        let cuba = list.replace(peru, typed("Cuba"));
        assert_eq!(list.found()[..2], [cuba, chile]);
        assert_eq!(list.get(peru).unwrap().fact, typed("Peru").fact, "its results have their fact");
        assert!(!list.matching("peru").any(|_| true));
        // The old text is the old fact again.
        assert_eq!(list.replace(cuba, typed("Peru")), peru);
        assert_eq!(list.listed(), before);
        // Changed into one that is listed, it is listed once.
        assert_eq!(list.replace(peru, typed("Chile")), chile);
        assert_eq!(list.found()[..1], [chile]);
        assert_eq!(list.len(), 3);
        let ids: BTreeSet<&str> = [peru, chile, cuba].map(|it| &*list.get(it).unwrap().id).into();
        assert_eq!(ids.len(), 3);
    }

    #[test]
    fn a_removed_fact_comes_back_with_the_list_of_before() {
        let mut list = list();
        let [peru, chile] = ["Peru", "Chile"].map(|it| list.add(typed(it)));
        let before = list.listed().to_vec();
        assert!(list.remove(peru));
        assert!(!list.remove(peru) && !list.remove(FactId::Record(0)));
        assert_eq!((list.found()[0], list.len()), (chile, 3));
        list.list(before);
        assert_eq!(list.found()[..2], [peru, chile]);
        // Of a session that names its facts alike.
        let other = Record::new("typed 1", None, typed("Cuba").fact);
        let other = list.keep(other);
        assert_ne!(list.get(other).unwrap().id, "typed 1");
        assert_eq!(list.len(), 4, "it is not listed");
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
