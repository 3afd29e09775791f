//! The groups of facts that a population's figure tells apart, and the facts behind each of its numbers.

use std::collections::{BTreeMap, BTreeSet};

use super::figure::{Behind, GroupBy, Shown};
use super::part::direction_name;
use super::questions::Question;
use super::read::{Fact, Numbers, Population};
use super::selection::KnownWay;
use crate::facts::Direction;
use crate::figure::words::counted;

/// A fact behind a number.
#[derive(Clone, Debug, PartialEq)]
pub struct OneBehind {
    /// The fact by its place in the population; of a difference within facts the fact and its inverse.
    pub facts: Vec<usize>,
    pub value: f64,
}

/// A group of facts, by their places in the population.
pub(super) struct Group {
    pub name: String,
    pub facts: Vec<usize>,
}

/// The numbers of a group, or of the differences of two ways.
pub(super) struct Counted {
    /// By cell and question; NaN where no fact of the question has a number.
    pub values: Vec<Vec<f64>>,

    /// How many facts have a number in each cell.
    pub n_facts: Vec<usize>,
}

impl Population {
    /// The facts that are shown, by their places in the population.
    pub(super) fn kept(&self, shown: &Shown) -> Vec<usize> {
        (0..self.facts.len()).filter(|&nth| shown.keeps(&self.facts[nth])).collect()
    }

    /// How many facts have a result, and which ways they are asked: a fact that is asked both ways is one.
    pub(super) fn counted_with_result(&self, kept: &[usize]) -> String {
        let with_result = kept.iter().map(|&nth| &self.facts[nth]);
        let mut ways: BTreeMap<usize, BTreeSet<&str>> = BTreeMap::new();
        for fact in with_result.filter(|it| it.left_out.is_none()) {
            ways.entry(fact.record).or_default().insert(&fact.direction);
        }
        let facts = counted(ways.len(), "fact");
        let n_both = ways.values().filter(|it| it.len() > 1).count();
        let inverse = direction_name(Direction::Inverse);
        match n_both {
            0 if !ways.is_empty() && ways.values().all(|it| it.contains(inverse)) => {
                format!("{facts}, asked as inverses")
            }
            0 => facts,
            n if n == ways.len() => format!("{facts}, both ways"),
            n => format!("{facts}, {n} of them both ways"),
        }
    }

    /// The facts behind a mean or a difference, the largest value first.
    pub fn behind(&self, shown: &Shown, behind: &Behind) -> Vec<OneBehind> {
        let Some(numbers) = self.charts.get(behind.numbers) else { return Vec::new() };
        let Some(values) = numbers.values.get(behind.cell) else { return Vec::new() };
        let groups = self.groups_of(shown, numbers);
        let alone = |&fact: &usize| OneBehind { facts: vec![fact], value: values[fact] };
        let mut all: Vec<OneBehind> = match (groups.get(behind.group), groups.as_slice(), shown.by)
        {
            (Some(group), ..) => group.facts.iter().map(alone).collect(),
            (None, [first, second], GroupBy::Way) => {
                let pairs = self.pairs(first, second).into_iter();
                pairs
                    .map(|it| OneBehind { facts: it.into(), value: values[it[1]] - values[it[0]] })
                    .collect()
            }
            (None, both, _) => both.iter().flat_map(|it| &it.facts).map(alone).collect(),
        };
        all.retain(|it| !it.value.is_nan());
        all.sort_by(|a, b| b.value.total_cmp(&a.value));
        all
    }

    /// The groups of facts that have some of these numbers.
    fn groups_of(&self, shown: &Shown, numbers: &Numbers) -> Vec<Group> {
        let mut groups = groups(&self.facts, &self.kept(shown), shown.by);
        groups.retain(|it| it.facts.iter().any(|&nth| numbers.has(nth)));
        groups
    }

    /// This number where the folder was read again and has more facts, which may have more places.
    /// `None` if it is of other groups then.
    pub fn again(&self, shown: &Shown, behind: &Behind, before: &Self) -> Option<Behind> {
        let was = before.charts.get(behind.numbers)?;
        let is_it = |it: &Numbers| {
            it.chart == was.chart && it.quantity == was.quantity && it.measured == was.measured
        };
        let numbers = self.charts.iter().position(is_it)?;
        let cell = was.cells.get(behind.cell)?;
        let cell = self.charts[numbers].cells.iter().position(|it| it == cell)?;
        let names = |all: Vec<Group>| all.into_iter().map(|it| it.name).collect::<Vec<_>>();
        let is_same = names(self.groups_of(shown, &self.charts[numbers]))
            == names(before.groups_of(shown, was));
        is_same.then_some(Behind { numbers, cell, group: behind.group })
    }

    /// The numbers of a group.
    pub(super) fn counted(&self, numbers: &Numbers, group: &Group) -> Counted {
        let value = |values: &[f64], nth: usize| values[group.facts[nth]];
        Counted::of(numbers, &self.questions(&group.facts), value)
    }

    /// The second way of each fact less its first, where both are there.
    pub(super) fn paired(&self, numbers: &Numbers, first: &Group, second: &Group) -> Counted {
        let pairs = self.pairs(first, second);
        let value = |values: &[f64], nth: usize| {
            let [first, second] = pairs[nth];
            values[second] - values[first]
        };
        Counted::of(numbers, &self.questions_of_pairs(&pairs), value)
    }

    /// The facts that are in both groups, one way in each.
    pub(super) fn pairs(&self, first: &Group, second: &Group) -> Vec<[usize; 2]> {
        let record = |&nth: &usize| (self.facts[nth].record, nth);
        let others: BTreeMap<usize, usize> = second.facts.iter().map(record).collect();
        let pair = |&nth: &usize| Some([nth, *others.get(&self.facts[nth].record)?]);
        first.facts.iter().filter_map(pair).collect()
    }
}

impl Counted {
    /// `value`: that of an item of the questions, from the values of all facts.
    fn of(numbers: &Numbers, questions: &[Question], value: impl Fn(&[f64], usize) -> f64) -> Self {
        let is_there = |values: &&Vec<f64>, nth: usize| !value(values, nth).is_nan();
        let n_of = |values: &Vec<f64>| {
            questions.iter().flatten().filter(|&&nth| is_there(&values, nth)).count()
        };
        let n_facts = numbers.values.iter().map(n_of).collect();
        Self { values: numbers.by_question(questions, value), n_facts }
    }
}

impl Shown {
    fn keeps(&self, fact: &Fact) -> bool {
        let is_known = match self.known {
            None => true,
            Some(KnownWay::Forward) => matches!(&*fact.known, "forward" | "both"),
            Some(KnownWay::Inverse) => matches!(&*fact.known, "inverse" | "both"),
            Some(KnownWay::Both) => fact.known == "both",
        };
        let relation = fact.relation.as_ref();
        let is_asked_so = self.direction.is_none_or(|it| direction_name(it) == fact.direction);
        is_known
            && is_asked_so
            && (self.relations.is_empty() || relation.is_some_and(|it| self.relations.contains(it)))
    }
}

/// The groups that have facts with a result, in the order in which they are shown.
pub(super) fn groups(facts: &[Fact], kept: &[usize], by: GroupBy) -> Vec<Group> {
    let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for &nth in kept.iter().filter(|&&nth| facts[nth].left_out.is_none()) {
        let fact = &facts[nth];
        let name = match by {
            GroupBy::Way => fact.direction.clone(),
            GroupBy::Known if fact.is_known() => "known".to_owned(),
            GroupBy::Known => "unknown".to_owned(),
            GroupBy::Relation => fact.relation.clone().unwrap_or_else(|| "none".to_owned()),
        };
        groups.entry(name).or_default().push(nth);
    }
    let mut groups: Vec<Group> =
        groups.into_iter().map(|(name, facts)| Group { name, facts }).collect();
    if by == GroupBy::Known {
        groups.reverse();
    }
    groups
}
