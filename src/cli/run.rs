//! Carrying out an experiment: `run` from a file, every other analysis' command from its flags.

use std::path::{Path, PathBuf};

use anyhow::ensure;
use clap::Args;
use serde_json::Value;

use super::output::{AnalysisOutput, ResultOutput, save_spec, with_tail};
use super::progress::Bar;
use super::{
    Machine, ModelArgs, WeightArgs, ablate, ablate_neurons, atp, atp_star, attention, attribute,
    average, bench, cell, circuit, compare, compose, contributions, cut, eap, edit, generate,
    heads, knockout, lens, load, norms, patch, path_patch, predict, steer, trace,
};
use crate::analysis::{AnalysisResult, AnalysisSpec, ModelEdit};
use crate::experiment::{Experiment, FactSource, Question};
use crate::task::{CancelToken, TaskCtx};
use crate::tokens::{Bos, TokenizedPrompt};
use crate::worker::{Engine, Processing};

#[derive(Args)]
pub(super) struct Run {
    /// What to do, as the command of any analysis writes it with `--save-spec`; `-` for standard
    /// input
    #[arg(value_name = "SPEC.json")]
    spec: PathBuf,

    #[command(flatten)]
    output: ResultOutput,
}

/// A question put to a model that is open.
pub(super) struct Session {
    model: PathBuf,
    pub bos: Bos,
    source: FactSource,
    edits: Vec<ModelEdit>,
    pub question: Question,
    pub engine: Engine,
    pub prompt: TokenizedPrompt,
}

impl Run {
    pub fn run(&self, machine: &Machine) -> anyhow::Result<()> {
        self.output.check()?;
        let Experiment { model, bos, fact, edits, spec } = self.experiment()?;
        Session::open(&model, bos, fact, edits, machine)?.run(&spec, &self.output, machine)
    }
}

impl Run {
    fn experiment(&self) -> anyhow::Result<Experiment> {
        if self.spec == Path::new("-") {
            let text = std::io::read_to_string(std::io::stdin())?;
            return Ok(Experiment::parse(&text, &self.spec)?);
        }
        Ok(Experiment::load(&self.spec)?)
    }
}

impl ModelArgs {
    /// Opens the model, and asks it.
    pub fn ask(&self, source: FactSource, machine: &Machine) -> anyhow::Result<Session> {
        let edits = self.edit.iter().map(|path| Experiment::load_edits(path, &self.model));
        let mut edits = edits.collect::<Result<Vec<_>, _>>()?.concat();
        if self.process != Processing::default() {
            edits.push(ModelEdit::Processing(self.process.clone()));
        }
        Session::open(&self.model, self.bos(), source, edits, machine)
    }
}

impl WeightArgs {
    /// Opens the model, with nothing to ask it.
    pub fn open(&self, machine: &Machine) -> anyhow::Result<Session> {
        let edits = self.edit.iter().map(|path| Experiment::load_edits(path, &self.model));
        let edits = edits.collect::<Result<Vec<_>, _>>()?.concat();
        Session::open(&self.model, Bos::Off, FactSource::Nothing, edits, machine)
    }
}

impl Session {
    fn open(
        model: &Path,
        bos: Bos,
        source: FactSource,
        edits: Vec<ModelEdit>,
        machine: &Machine,
    ) -> anyhow::Result<Self> {
        let question = source.question()?;
        let mut engine = load(model, machine)?;
        if !edits.is_empty() {
            let bar = Bar::new(machine, "Editing the model");
            let report = |progress| bar.set(progress);
            let task = TaskCtx { cancel: CancelToken::default(), report: &report };
            engine = engine.edited(&edits, &machine.ctx(task))?;
            bar.finish();
        }
        let prompt = match source {
            FactSource::Nothing => TokenizedPrompt::nothing(),
            _ => TokenizedPrompt::new(&engine.info.tokenizer, &question.fact, bos)?,
        };
        Ok(Self { model: model.to_owned(), bos, source, edits, question, engine, prompt })
    }

    /// Another wrong answer: this one, or else that of the question as it has become.
    pub fn set_foil(&mut self, foil: Option<&str>) -> anyhow::Result<()> {
        let foil = foil.map(str::to_owned).or_else(|| self.question.fact.foil.clone());
        self.source = self.source.clone().with_foil(foil.as_deref());
        self.question.fact.foil = foil;
        let tokenizer = &self.engine.info.tokenizer;
        self.prompt = TokenizedPrompt::new(tokenizer, &self.question.fact, self.bos)?;
        Ok(())
    }

    /// Runs an analysis and writes what it found; or writes only what was asked, if that is wanted.
    pub fn finish(
        &self,
        spec: AnalysisSpec,
        output: &AnalysisOutput,
        machine: &Machine,
    ) -> anyhow::Result<()> {
        let Some(path) = &output.save_spec else {
            return self.run(&spec, &output.result, machine);
        };
        let (model, bos, fact) = (self.model.clone(), self.bos, self.source.clone());
        let edits = self.edits.clone();
        save_spec(path, &Experiment { model, bos, fact, edits, spec })
    }

    fn run(
        &self,
        spec: &AnalysisSpec,
        output: &ResultOutput,
        machine: &Machine,
    ) -> anyhow::Result<()> {
        let has_prompt = self.source != FactSource::Nothing;
        ensure!(has_prompt || !spec.needs_prompt(), "this asks about a prompt; name a fact");
        output.check_pick(spec, &self.engine.info.config, &self.prompt)?;
        let result = machine.run(&self.engine, &self.prompt, spec, spec.verb())?;
        let (json, mut text) = document(&result, self, machine)?;
        let processing = self.edits.iter().rev().find_map(|edit| match edit {
            ModelEdit::Processing(processing) => Some(processing),
            ModelEdit::RankOne(_) | ModelEdit::Steering(_) => None,
        });
        if let Some(processing) = processing {
            text.insert_str(0, &format!("The weights were processed: {processing}.\n\n"));
        }
        let is_change = |edit: &&ModelEdit| !matches!(edit, ModelEdit::Processing(_));
        match self.edits.iter().filter(is_change).count() {
            0 => {}
            1 => text.insert_str(0, "The model has been edited once.\n\n"),
            n => text.insert_str(0, &format!("The model has been edited {n} times.\n\n")),
        }
        output.write(&result, &self.engine, &json, &text)
    }
}

/// Of every analysis: its JSON, and what a person reads instead.
#[expect(clippy::too_many_lines, reason = "an arm for each analysis")]
fn document(
    result: &AnalysisResult,
    session: &Session,
    machine: &Machine,
) -> anyhow::Result<(Value, String)> {
    let engine = &session.engine;
    Ok(match result {
        AnalysisResult::Prediction(it) => {
            (predict::to_json(it, engine, machine)?, predict::to_text(it, engine))
        }
        AnalysisResult::CausalTrace(it) => {
            (trace::to_json(it, session, machine)?, trace::to_text(it))
        }
        AnalysisResult::CorruptionBench(it) => {
            (with_tail(bench::to_json(it), &it.prompt, engine, machine)?, bench::to_text(it))
        }
        AnalysisResult::TraceCell(it) => {
            (cell::to_json(it, engine, machine)?, cell::to_text(it, engine))
        }
        AnalysisResult::TraceAverage(it) => {
            (average::to_json(it, engine, machine)?, average::to_text(it))
        }
        AnalysisResult::AttributionPatching(it) => {
            (atp::to_json(it, session, machine)?, atp::to_text(it)?)
        }
        AnalysisResult::LogitAttribution(it) => {
            (attribute::to_json(it, engine, machine)?, attribute::to_text(it))
        }
        AnalysisResult::LogitLens(it) => {
            (lens::to_json(it, engine, machine)?, lens::to_text(it, engine))
        }
        AnalysisResult::Attention(it) => {
            (attention::to_json(it, engine, machine)?, attention::to_text(it))
        }
        AnalysisResult::Ablation(it) => {
            (ablate::to_json(it, engine, machine)?, ablate::to_text(it))
        }
        AnalysisResult::NeuronAblation(it) => {
            let json = with_tail(ablate_neurons::to_json(it), &it.prompt, engine, machine)?;
            (json, ablate_neurons::to_text(it))
        }
        AnalysisResult::AttentionKnockout(it) => {
            (knockout::to_json(it, engine, machine)?, knockout::to_text(it))
        }
        AnalysisResult::EdgeCut(it) => {
            (cut::to_json(it, engine, machine)?, cut::to_text(it, engine))
        }
        AnalysisResult::Comparison(it) => {
            (compare::to_json(it, engine, machine)?, compare::to_text(it, engine))
        }
        AnalysisResult::Generation(it) => {
            (generate::to_json(it, engine, machine)?, generate::to_text(it, engine))
        }
        AnalysisResult::RankOneEdit(it) => {
            (edit::to_json(it, engine, machine)?, edit::to_text(it, engine))
        }
        AnalysisResult::Steering(it) => {
            (steer::to_json(it, engine, machine)?, steer::to_text(it, engine))
        }
        AnalysisResult::ActivationPatching(it) => {
            (patch::to_json(it, engine, machine)?, patch::to_text(it))
        }
        AnalysisResult::PathPatching(it) => {
            (path_patch::to_json(it, engine, machine)?, path_patch::to_text(it))
        }
        AnalysisResult::AtpStar(it) => {
            (atp_star::to_json(it, engine, machine)?, atp_star::to_text(it))
        }
        AnalysisResult::EdgeAttribution(it) => {
            (eap::to_json(it, engine, machine)?, eap::to_text(it))
        }
        AnalysisResult::NeuronAttribution(it) => {
            let body = attribute::neurons::to_json(it);
            let json = with_tail(body, &it.prompt, engine, machine)?;
            (json, attribute::neurons::to_text(it))
        }
        AnalysisResult::SourceAttribution(it) => {
            let body = attribute::sources::to_json(it);
            let json = with_tail(body, &it.prompt, engine, machine)?;
            (json, attribute::sources::to_text(it))
        }
        AnalysisResult::AttributionDifference(it) => {
            let body = attribute::difference::to_json(it);
            let json = with_tail(body, &it.prompt, engine, machine)?;
            (json, attribute::difference::to_text(it))
        }
        AnalysisResult::ThroughHead(it) => {
            let body = attribute::through::to_json(it);
            let json = with_tail(body, &it.prompt, engine, machine)?;
            (json, attribute::through::to_text(it))
        }
        AnalysisResult::AccumulatedResid(it) => {
            let body = attribute::accumulated::to_json(it);
            let json = with_tail(body, &it.prompt, engine, machine)?;
            (json, attribute::accumulated::to_text(it))
        }
        AnalysisResult::ResidualNorms(it) => {
            (with_tail(norms::to_json(it), &it.prompt, engine, machine)?, norms::to_text(it))
        }
        AnalysisResult::ContributionGraph(it) => {
            let json = with_tail(contributions::to_json(it), &it.prompt, engine, machine)?;
            (json, contributions::to_text(it))
        }
        AnalysisResult::HeadScores(it) => {
            (with_tail(heads::to_json(it), &it.prompt, engine, machine)?, heads::to_text(it))
        }
        AnalysisResult::Circuit(it) => {
            (circuit::to_json(it, engine, machine)?, circuit::to_text(it, engine))
        }
        AnalysisResult::Composition(it) => {
            (compose::to_json(it, engine, machine)?, compose::to_text(it))
        }
    })
}
