//! Facts of the dataset beside the chosen one, for studies to take means and samples from.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::drawn::{DrawnFacts, Draws};
use super::{FactId, FactKey, FactList};
use crate::analysis::corruption::SubjectsOf;
use crate::analysis::trace_average::{Sample, StandIns};
use crate::experiment::{N_MEAN_PROMPTS, N_SUBJECTS_TRIED, spaced_facts};
use crate::facts::{Direction, Fact, Record, Records};
use crate::tokens::{Bos, TokenizedPrompt, Tokenizer, substitutes};
use crate::worker::Which;

/// Found when first asked for, the same every time; to be asked every frame. What is missing is said
/// to the user.
#[derive(Debug, Default)]
pub struct Others {
    many: RefCell<BTreeMap<(Which, Direction, bool), Many>>,
    alike: RefCell<BTreeMap<FactKey, Alike>>,
    substitutes: RefCell<Substitutes>,
    draws: RefCell<Draws>,
}

type Many = Result<Arc<[Vec<u32>]>, String>;
type Alike = Result<Arc<[u32]>, String>;

/// By fact, and whether they are of the same relation.
type Substitutes = BTreeMap<(FactKey, bool), Arc<[Vec<u32>]>>;

impl Others {
    /// The prompts that a mean is taken over.
    pub fn many(&self, key: FactKey, facts: &FactList, tokenizer: &Tokenizer) -> Many {
        let mut known = self.many.borrow_mut();
        let at = (key.which, key.direction, key.has_bos);
        known.entry(at).or_insert_with(|| find_many(key, facts, tokenizer)).clone()
    }

    /// Facts to be averaged over, asked of the model and with or without BOS as `key` is.
    pub fn drawn(
        &self,
        sample: &Sample,
        stand_ins: Option<StandIns>,
        key: FactKey,
        facts: &FactList,
        tokenizer: &Tokenizer,
    ) -> Result<DrawnFacts, String> {
        self.draws.borrow_mut().get(sample, stand_ins, key, facts, tokenizer)
    }

    /// Another prompt of as many tokens.
    pub fn alike(
        &self,
        key: FactKey,
        n_pos: usize,
        facts: &FactList,
        tokenizer: &Tokenizer,
    ) -> Alike {
        let mut known = self.alike.borrow_mut();
        known.entry(key).or_insert_with(|| find_alike(key, n_pos, facts, tokenizer)).clone()
    }

    /// The tokens of other subjects that can stand in a prompt, of facts of the same relation or of any.
    pub fn substitutes(
        &self,
        key: FactKey,
        of: SubjectsOf,
        record: &Record,
        facts: &FactList,
        tokenizer: &Tokenizer,
    ) -> Arc<[Vec<u32>]> {
        let at = (key, of == SubjectsOf::Relation);
        if let Some(found) = self.substitutes.borrow().get(&at) {
            return Arc::clone(found);
        }
        let bos = if key.has_bos { Bos::On } else { Bos::Off };
        let records = facts.dataset.as_ref().map_or_else(Records::none, |dataset| &dataset.records);
        let is_meant = |other: &&Record| match of {
            SubjectsOf::Relation => record.relation.is_some() && other.relation == record.relation,
            SubjectsOf::All => true,
        };
        let others = records
            .iter()
            .filter(is_meant)
            .take(N_SUBJECTS_TRIED)
            .filter_map(|other| other.fact(key.direction))
            .filter_map(|fact| Some((fact.subject_text()?, fact.answer.as_deref())));
        let found = record
            .fact(key.direction)
            .and_then(|fact| substitutes(tokenizer, fact, bos, others).ok())
            .unwrap_or_default();
        let found: Arc<[Vec<u32>]> = found.into_iter().map(|it| it.ids).collect();
        self.substitutes.borrow_mut().insert(at, Arc::clone(&found));
        found
    }
}

/// Evenly spaced over the dataset, asked in the direction of `key`.
fn find_many(key: FactKey, facts: &FactList, tokenizer: &Tokenizer) -> Many {
    let facts = facts.dataset.as_ref().into_iter();
    let facts = facts.flat_map(|it| spaced_facts(it, key.direction, N_MEAN_PROMPTS));
    let prompts: Vec<Vec<u32>> = facts.filter_map(|fact| fact_ids(fact, key, tokenizer)).collect();
    if prompts.is_empty() {
        return Err(
            "The mean is taken over the prompts of a dataset: open one, or replace by zeros"
                .to_owned(),
        );
    }
    Ok(prompts.into())
}

/// The first after the chosen one, of the same relation if there is one.
fn find_alike(key: FactKey, n_pos: usize, facts: &FactList, tokenizer: &Tokenizer) -> Alike {
    let records = facts.dataset.as_ref().map_or_else(Records::none, |dataset| &dataset.records);
    let chosen = facts.get(key.fact);
    let start = match key.fact {
        FactId::Record(nth) => nth + 1,
        FactId::Typed(_) | FactId::Experiment => 0,
    };
    let following = || records.iter().cycle().skip(start).take(records.len());
    let is_other = |record: &&Record| {
        let text = |record: &Record| record.fact(key.direction).map(|it| it.prompt.clone());
        chosen.is_none_or(|chosen| text(record) != text(chosen))
    };
    let is_related = |record: &&Record| {
        chosen.is_some_and(|it| it.relation.is_some() && it.relation == record.relation)
    };
    let of_length = |record: &Record| ids(record, key, tokenizer).filter(|ids| ids.len() == n_pos);
    let others = following().filter(is_other);
    let found = others.clone().filter(is_related).take(N_SUBJECTS_TRIED).find_map(of_length);
    let found = found.or_else(|| others.take(N_SUBJECTS_TRIED).find_map(of_length));
    found.map(Arc::from).ok_or_else(|| {
        format!(
            "No other fact of the dataset has {n_pos} tokens to resample from; replace by zeros or \
             by the mean"
        )
    })
}

fn ids(record: &Record, key: FactKey, tokenizer: &Tokenizer) -> Option<Vec<u32>> {
    fact_ids(record.fact(key.direction)?, key, tokenizer)
}

fn fact_ids(fact: &Fact, key: FactKey, tokenizer: &Tokenizer) -> Option<Vec<u32>> {
    let bos = if key.has_bos { Bos::On } else { Bos::Off };
    Some(TokenizedPrompt::new(tokenizer, fact, bos).ok()?.ids)
}
