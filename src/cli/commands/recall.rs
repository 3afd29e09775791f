//! `factscope recall`: which facts of a dataset a model knows, in which words.

use std::path::PathBuf;

use anyhow::ensure;
use clap::Args;

use crate::cli::flags::model::ModelArgs;
use crate::cli::inquiry::About as _;
use crate::cli::machine::Machine;
use crate::cli::output::FigureOutput;
use crate::facts::{Catalogue, Dataset};
use crate::population::{KnownBy, Selection, Survey, Ways, Wordings};

#[derive(Args)]
pub struct Recall {
    #[command(flatten)]
    model: ModelArgs,

    /// A dataset: JSON (CounterFact, `known_1000.json`, zsRE, LRE, …), JSON Lines, CSV or Parquet
    #[arg(long, value_name = "FILE", default_value = Dataset::BUNDLED)]
    facts: PathBuf,

    /// How many facts are drawn at random [default: all]
    #[arg(long, value_name = "N")]
    n: Option<usize>,

    /// Seed of which facts are drawn; more facts keep the first ones
    #[arg(long, value_name = "N", default_value_t = 1)]
    facts_seed: u32,

    /// Only facts of this relation: its Wikidata id, such as P36, or its name
    #[arg(long, value_name = "RELATION")]
    relation: Option<String>,

    /// Ask facts in the dataset's words only [default: in each template of their relation, too]
    #[arg(long)]
    own_words: bool,

    #[command(flatten)]
    output: FigureOutput,
}

impl Recall {
    pub fn run(&self, machine: &Machine) -> anyhow::Result<()> {
        self.output.check()?;
        ensure!(self.n != Some(0), "--n 0 draws no fact; draw at least 1");
        let inquiry = self.model.open(self.model.source(), machine)?;
        let dataset = machine.datasets.get(&self.facts, None)?;
        let selection = Selection {
            ways: Ways::Both,
            n: self.n,
            seed: self.facts_seed,
            relation: self.relation.as_ref().map(|it| Catalogue::bundled().id_of(it)),
            ..Selection::default()
        };
        if let Some(relation) = &self.relation {
            ensure!(
                !selection.tasks(&dataset).is_empty(),
                "no fact is of the relation “{relation}” that --relation names: {}",
                self.facts.display()
            );
        }
        let wordings = if self.own_words { Wordings::Own } else { Wordings::All };
        let survey = machine.watched("Asking", |task| {
            let ctx = machine.ctx(task);
            Survey::of(&inquiry.engine, &dataset, &selection, wordings, inquiry.bos, &ctx)
        })?;
        let figure = survey.figure();
        self.output.write(&figure, || {
            let known = |by| {
                let [forward, inverse, both] = survey.n_known(by);
                serde_json::json!({ "forward": forward, "inverse": inverse, "both": both })
            };
            Ok(serde_json::json!({
                "program": crate::figure::program(),
                "method": "recall",
                "model": crate::cli::json::provenance(&inquiry.engine.info, machine)?,
                "known_in_own_words": {
                    "first": known(KnownBy::First),
                    "ten": known(KnownBy::Ten),
                    "choice": known(KnownBy::Choice),
                },
                "facts": survey.entries,
                "left_out": survey.left_out,
            }))
        })
    }
}
