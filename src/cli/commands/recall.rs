//! `factscope recall`: which facts of a dataset a model knows, in which words.

use clap::Args;

use crate::cli::flags::chosen::ChosenArgs;
use crate::cli::flags::model::ModelArgs;
use crate::cli::inquiry::About as _;
use crate::cli::machine::Machine;
use crate::cli::output::FigureOutput;
use crate::population::{KnownBy, Selection, Survey, Ways, Wordings};

#[derive(Args)]
pub struct Recall {
    #[command(flatten)]
    model: ModelArgs,

    #[command(flatten)]
    chosen: ChosenArgs,

    /// Ask facts in the dataset's words only [default: in each template of their relation, too]
    #[arg(long)]
    own_words: bool,

    #[command(flatten)]
    output: FigureOutput,
}

impl Recall {
    pub fn run(&self, machine: &Machine) -> anyhow::Result<()> {
        self.output.check()?;
        self.chosen.check()?;
        let inquiry = self.model.open(self.model.source(), machine)?;
        let facts = &self.chosen.dataset.facts;
        let dataset = machine.datasets.get(facts, None)?;
        let selection = Selection { ways: Ways::Both, ..self.chosen.selection()? };
        selection.check(&dataset, facts)?;
        let wordings = if self.own_words { Wordings::Own } else { Wordings::All };
        let survey = machine.watched("Asking", |task| {
            let ctx = machine.ctx(task);
            Survey::of(&inquiry.engine, &dataset, &selection, wordings, inquiry.bos, &ctx)
        })?;
        let figure = survey.figure();
        self.output.write(machine, &figure, || {
            let known = |by| {
                let [forward, inverse, both] = survey.n_known(by);
                serde_json::json!({ "forward": forward, "inverse": inverse, "both": both })
            };
            Ok(serde_json::json!({
                "program": crate::figure::program(),
                "method": "recall",
                "model": crate::cli::json::provenance(&inquiry.engine.info, machine)?,
                "known_in_own_words": {
                    "first": known(KnownBy::FIRST),
                    "ten": known(KnownBy::TEN),
                    "choice": known(KnownBy::Choice),
                },
                "facts": survey.entries,
                "left_out": survey.left_out,
            }))
        })
    }
}
