//! `factscope recall`: which facts of a dataset a model knows, in which words.

use std::path::PathBuf;

use anyhow::{Context as _, anyhow};
use clap::Args;

use crate::analysis::AnalysisError;

use crate::cli::flags::chosen::ChosenArgs;
use crate::cli::flags::model::ModelArgs;
use crate::cli::inquiry::{About as _, Inquiry};
use crate::cli::json::weights_sha256;
use crate::cli::machine::Machine;
use crate::cli::output::FigureOutput;
use crate::figure::words::counted;
use crate::population::{Journal, KnownBy, Selection, Survey, SurveyError, Ways, Wordings};
use crate::tokens::Bos;

#[derive(Args)]
pub struct Recall {
    #[command(flatten)]
    model: ModelArgs,

    #[command(flatten)]
    chosen: ChosenArgs,

    /// Ask facts in the dataset's words only [default: in each template of their relation, too]
    #[arg(long)]
    own_words: bool,

    /// Write what is found of each fact to this file as it is asked, a line of JSON each; the same command
    /// goes on with it where it was stopped
    #[arg(long, value_name = "FILE.jsonl")]
    journal: Option<PathBuf>,

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
        let bos = inquiry.bos;
        let mut journal = self.journal(&inquiry, (wordings, bos), machine)?;
        let survey = machine.watched("Asking", |task| {
            let (asked, ctx) = ((wordings, bos), machine.ctx(task));
            Survey::of(&inquiry.engine, &dataset, &selection, asked, journal.as_mut(), &ctx)
        });
        let survey = survey.map_err(|error| match (&self.journal, error) {
            (Some(path), SurveyError::Analysis(AnalysisError::Cancelled(_))) => anyhow!(
                "stopped; what is found is kept, and the same command goes on from there: {}",
                path.display()
            ),
            (_, error) => error.into(),
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

    /// The journal that is named, with what it holds.
    fn journal(
        &self,
        inquiry: &Inquiry,
        (wordings, bos): (Wordings, Bos),
        machine: &Machine,
    ) -> anyhow::Result<Option<Journal>> {
        let Some(path) = &self.journal else { return Ok(None) };
        let facts = machine.datasets.hash(&self.chosen.dataset.facts);
        let asked = serde_json::json!({
            "program": crate::figure::program(),
            "model_sha256": weights_sha256(&inquiry.engine.info, machine)?,
            "model_edits": inquiry.engine.edits,
            "facts_sha256": facts.context("the dataset was just there")?,
            "wordings": wordings,
            "bos": bos,
        });
        let journal = Journal::open(path, &asked)?;
        if !journal.is_empty() && !machine.quiet {
            let n = counted(journal.len(), "fact");
            machine.tell(&format!("{n}, each way counted, were asked before"));
        }
        Ok(Some(journal))
    }
}
