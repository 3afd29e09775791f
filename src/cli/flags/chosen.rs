//! Which facts of a dataset are asked, and what a model must know of them, as flags.

use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use clap::Args;

use super::choice;
use super::dataset::DatasetArgs;
use crate::facts::Dataset;
use crate::population::{KnownBy, KnownWay, Selection, cases_of};

/// Facts of a dataset.
#[derive(Args)]
pub struct ChosenArgs {
    #[command(flatten)]
    pub dataset: DatasetArgs,

    /// How many facts are drawn at random [default: all, in file order]
    #[arg(long, value_name = "N")]
    n: Option<usize>,

    /// Only the fact with this id; may be given again
    #[arg(long, value_name = "ID")]
    case: Vec<String>,

    /// Only the facts that have a result in the folder of another sweep of the same dataset, whichever way
    /// they were asked there
    #[arg(long, value_name = "DIR", conflicts_with = "case")]
    facts_of: Option<PathBuf>,

    /// Only facts that the model knows `forward`, as an `inverse`, or `both` ways; the others are
    /// counted [default: all, known or not]
    #[arg(long, value_name = "WAY", value_parser = choice::<KnownWay>())]
    known: Option<KnownWay>,

    /// When an answer counts as known: a right answer is the model's `first` guess; it is among the
    /// first `ten`, or another number of guesses; or it is the likeliest by `choice` among the answers
    /// of the relation
    #[arg(long, value_name = "HOW", default_value_t = KnownBy::FIRST)]
    known_by: KnownBy,
}

impl ChosenArgs {
    /// Refuses what chooses no fact.
    pub fn check(&self) -> anyhow::Result<()> {
        ensure!(self.n != Some(0), "--n 0 draws no fact; draw at least 1");
        Ok(())
    }

    /// The facts that are chosen, asked forward in their own words.
    pub fn selection(&self) -> anyhow::Result<Selection> {
        let cases = match &self.facts_of {
            Some(dir) => {
                let (sweep, cases) = cases_of(dir)?;
                // A dataset may have moved, and another may stand under its name.
                let facts = &self.dataset.facts;
                let hash = Dataset::sha256(facts).with_context(|| facts.display().to_string())?;
                ensure!(
                    hash == sweep.facts_sha256,
                    "that sweep is of other facts than {}; give those of {} with --facts, as they were \
                     then: {}",
                    facts.display(),
                    sweep.facts.display(),
                    dir.display()
                );
                Some(cases)
            }
            None => (!self.case.is_empty()).then(|| self.case.iter().cloned().collect()),
        };
        Ok(Selection {
            n: self.n,
            seed: self.dataset.facts_seed,
            relation: self.dataset.relation(),
            cases,
            known: self.known,
            known_by: self.known_by,
            ..Selection::default()
        })
    }
}
