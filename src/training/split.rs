//! The split of the facts: which of them a model is taught, in which direction, and with which
//! templates.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::builtin;
use crate::facts::{Direction, Fact, Record, Records};

/// The directions of a fact that a model is taught.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Group {
    Both,
    Forward,
    Inverse,
    Never,
}

impl Group {
    pub const ALL: [Self; 4] = [Self::Both, Self::Forward, Self::Inverse, Self::Never];

    pub fn teaches(self, direction: Direction) -> bool {
        match self {
            Self::Both => true,
            Self::Forward => direction == Direction::Forward,
            Self::Inverse => direction == Direction::Inverse,
            Self::Never => false,
        }
    }
}

/// The training plan of every fact, made from a seed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    pub seed: u64,

    /// One plan for each record of the dataset, in order.
    pub facts: Vec<FactPlan>,
}

/// What a model is taught of one fact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FactPlan {
    /// The record's `case_id`.
    pub case: String,
    pub group: Group,

    /// The index of the template that is never used for this fact, nor for another fact with the
    /// same question, forward and inverse. It is used for other facts, so the model knows the
    /// template.
    pub held_out: [usize; 2],

    /// The layer whose MLP was taught this fact, forward and inverse, in a second stage of training
    /// that froze all other parameters. `None` if the fact was not planted.
    #[serde(default, skip_serializing_if = "is_not_planted")]
    pub planted: [Option<usize>; 2],
}

fn is_not_planted(planted: &[Option<usize>; 2]) -> bool {
    *planted == [None; 2]
}

/// How many of every twenty facts of a relation are taught in which directions. The rest are never
/// taught.
const SHARES: [(Group, usize); 3] = [(Group::Both, 12), (Group::Forward, 3), (Group::Inverse, 3)];

/// The split that a model was trained with cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read what the model was taught: {reason}: {path}")]
pub struct SplitError {
    pub path: PathBuf,
    pub reason: String,
}

impl Split {
    /// The split of a model that `factscope train` has made, which lies in its folder.
    pub fn of_model(dir: &Path) -> Result<Self, SplitError> {
        let path = dir.join("split.json");
        let wrong = |reason: String| SplitError { path: path.clone(), reason };
        let text = match builtin::find(dir) {
            Some(builtin) => (builtin.split)().to_owned(),
            None => fs::read_to_string(&path).map_err(|error| wrong(error.to_string()))?,
        };
        serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))
    }

    /// A split made from a seed. `n_templates` gives how many templates a record's relation has,
    /// forward and inverse.
    pub fn new(records: &Records, seed: u64, n_templates: impl Fn(&Record) -> [usize; 2]) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut groups = vec![Group::Never; records.len()];
        let mut relations: Vec<&Option<String>> = records.iter().map(|it| &it.relation).collect();
        relations.sort();
        relations.dedup();
        for relation in relations {
            let mut places: Vec<usize> =
                (0..records.len()).filter(|&nth| records[nth].relation == *relation).collect();
            places.shuffle(&mut rng);
            let n_facts = places.len();
            let mut rest = places.into_iter();
            for (group, share) in SHARES {
                for place in rest.by_ref().take((n_facts * share).div_ceil(20)) {
                    groups[place] = group;
                }
            }
        }
        // Facts that share a question hold out the same template. Otherwise the question would be
        // taught with one fact and asked for another.
        let mut held_out: BTreeMap<(Option<&str>, Direction, Option<&str>), usize> =
            BTreeMap::new();
        let mut facts = Vec::with_capacity(records.len());
        for (record, group) in records.iter().zip(groups) {
            let n_templates = n_templates(record);
            let held_out = Direction::ALL.map(|direction| {
                let subject = record.fact(direction).and_then(Fact::subject_text);
                let question = (record.relation.as_deref(), direction, subject);
                let n = n_templates[direction as usize].max(1);
                *held_out.entry(question).or_insert_with(|| rng.random_range(0..n))
            });
            facts.push(FactPlan { case: record.id.clone(), group, held_out, planted: [None; 2] });
        }
        Self { seed, facts }
    }

    /// Deals the directions that were not taught out to the layers in equal shares. One more share
    /// goes to no layer, to show what planting does to facts that are not planted. Both directions
    /// of a fact go to the same layer.
    ///
    /// Questions with several right answers are left out: another answer may already have been
    /// taught, and would have to be unlearned; if none was, a right guess shows little.
    pub fn plant(&mut self, records: &Records, n_layers: usize, seed: u64) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut places: Vec<usize> = (0..records.len()).collect();
        places.shuffle(&mut rng);
        places.sort_by_key(|&nth| (&records[nth].relation, self.facts[nth].group));
        let mut next = 0;
        for nth in places {
            let plan = &mut self.facts[nth];
            let is_planted = Direction::ALL.map(|direction| {
                !plan.group.teaches(direction) && records[nth].answers(direction).len() == 1
            });
            if is_planted == [false; 2] {
                continue;
            }
            let layer = Some(next % (n_layers + 1)).filter(|layer| *layer < n_layers);
            plan.planted = is_planted.map(|it| layer.filter(|_| it));
            next += 1;
        }
    }
}
