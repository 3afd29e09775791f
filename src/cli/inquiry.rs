//! A question put to a model: the model opened and edited, the prompt as tokens, the analysis run, and its
//! result written.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use clap::Args;
use serde_json::Value;

use super::complain;
use super::flags::fact::AskedArgs;
use super::json::{self, weights_sha256};
use super::machine::Machine;
use super::output::{AnalysisOutput, ResultOutput, save_spec};
use super::serve::Want;
use crate::analysis::reach::Asked;
use crate::analysis::{AnalysisResult, AnalysisSpec, ModelEdit};
use crate::experiment::{
    Changed, Experiment, FactSource, Library, Question, RecordFact, Written, subject_tokens,
};
use crate::facts::{Fact, Record};
use crate::figure::{Looked, Record as PictureRecord};
use crate::hub;
use crate::session::{DatasetIdentity, Found, ModelIdentity, Origin, Session, StoredFact, Typed};
use crate::tokens::{Bos, TokenizedPrompt};
use crate::worker::{Engine, Which};

/// What is asked, of a model that is open.
pub(super) struct Inquiry {
    model: PathBuf,
    pub bos: Bos,
    source: FactSource,

    /// The wrong answer that the source itself gives.
    source_foil: Option<String>,
    edits: Vec<ModelEdit>,
    pub question: Question,
    pub engine: Engine,
    pub prompt: TokenizedPrompt,
    pub machine: Machine,
}

/// The flags that say what a command asks about: a model, and mostly a fact.
pub(super) trait About: Args {
    /// The fact.
    fn source(&self) -> FactSource;

    /// Opens the model for a question about a fact.
    fn open(&self, source: FactSource, machine: &Machine) -> anyhow::Result<Inquiry>;
}

/// The flags of a command that asks a model one question, beside those that say what about.
pub(super) trait Asks: Args {
    type About: About;

    /// The fact that is asked about.
    fn source(&self, about: &Self::About, _: &Machine) -> anyhow::Result<FactSource> {
        Ok(about.source())
    }

    /// What is asked. What it is measured by, such as a foil, may follow from it.
    fn spec(&self, about: &Self::About, inquiry: &mut Inquiry) -> anyhow::Result<AnalysisSpec>;
}

/// All flags of such a command, with where its result goes.
#[derive(Args)]
pub(super) struct Asking<T: Asks> {
    #[command(flatten)]
    about: T::About,

    #[command(flatten)]
    what: T,

    #[command(flatten)]
    output: AnalysisOutput,
}

impl<T: Asks> Asking<T> {
    /// Runs the analysis and writes what it found, or writes only what was asked if that is wanted.
    pub fn run(&self, machine: &Machine) -> anyhow::Result<()> {
        self.output.check()?;
        let mut inquiry = self.about.open(self.what.source(&self.about, machine)?, machine)?;
        let spec = self.what.spec(&self.about, &mut inquiry)?;
        match &self.output.save_spec {
            Some(path) => save_spec(path, &inquiry.experiment(spec), &inquiry.library()),
            None => inquiry.run(&spec, &self.output.result),
        }
    }
}

/// Reads what is asked from a file, or from standard input for `-`.
pub(super) fn read_spec(path: &Path, machine: &Machine) -> anyhow::Result<Written> {
    if path == Path::new("-") {
        return Ok(Written::parse(&machine.input()?, path)?);
    }
    Ok(Written::load(path)?)
}

impl Inquiry {
    /// The prompts of the dataset that show what a change of the fact reaches. `None` for a fact of no
    /// dataset.
    pub fn changed(
        &self,
        about: &AskedArgs,
        target: Option<&str>,
    ) -> anyhow::Result<Option<Vec<Asked>>> {
        let (Some(dataset), Some(case)) = (&self.question.dataset, &about.fact.case) else {
            return Ok(None);
        };
        let record = dataset.find(case).context("the case was just there")?;
        let direction = self.question.direction;
        let changed = Changed { dataset, record, direction, target };
        Ok(Some(changed.asked(&self.engine.info.tokenizer, self.bos)?))
    }

    /// `bos`: `None` leaves it to the tokenizer.
    pub fn open(
        model: &Path,
        bos: Option<Bos>,
        source: FactSource,
        edits: Vec<ModelEdit>,
        machine: &Machine,
    ) -> anyhow::Result<Self> {
        // A fact that is not there is told before a model is opened for it.
        source.question(&machine.datasets)?;
        let engine = machine.opened(model, &edits)?;
        let bos = bos.unwrap_or_else(|| engine.info.tokenizer.default_bos());
        Self::of(engine, model, bos, source, edits, machine)
    }

    /// Asks a model that is open, with these edits made.
    pub fn of(
        engine: Engine,
        model: &Path,
        bos: Bos,
        source: FactSource,
        edits: Vec<ModelEdit>,
        machine: &Machine,
    ) -> anyhow::Result<Self> {
        let question = source.question(&machine.datasets)?;
        let prompt = match source {
            FactSource::NoFact => TokenizedPrompt::empty(),
            _ => TokenizedPrompt::new(&engine.info.tokenizer, &question.fact, bos)?,
        };
        let (model, source_foil) = (model.to_owned(), question.fact.foil.clone());
        let machine = machine.clone();
        let it = Self { model, bos, source, source_foil, edits, question, engine, prompt, machine };
        it.tell_doubts(&[]);
        Ok(it)
    }

    /// Says what makes the numbers of the prompt say less than they seem to, but for what was said already.
    fn tell_doubts(&self, told: &[String]) {
        if !self.machine.quiet {
            let doubts = self.prompt.doubts(&self.engine.info.tokenizer);
            doubts.iter().filter(|it| !told.contains(it)).for_each(|it| complain(it));
        }
    }

    /// Measures another wrong answer: this one, or else that of the question as it has become.
    pub fn set_foil(&mut self, foil: Option<&str>) -> anyhow::Result<()> {
        let foil = foil.map(str::to_owned).or_else(|| self.question.fact.foil.clone());
        if foil != self.source_foil {
            self.source = self.source.clone().with_foil(foil.as_deref());
        }
        self.question.fact.foil = foil;
        let told = self.prompt.doubts(&self.engine.info.tokenizer);
        self.prompt = self.tokenized(&self.question.fact)?;
        self.tell_doubts(&told);
        Ok(())
    }

    /// The ids of another text, with BOS before it if the prompt has that.
    pub fn ids(&self, text: &str) -> anyhow::Result<Vec<u32>> {
        Ok(self.tokenized(&Fact::from_text(text, None)?)?.ids)
    }

    /// What is asked, as a file says it.
    fn experiment(&self, spec: AnalysisSpec) -> Experiment {
        let (model, bos, fact) = (hub::called(&self.model), self.bos, self.source.clone());
        Experiment { model, bos, fact, edits: self.edits.clone(), spec }
    }

    /// What is needed to tell what was meant by token ids.
    pub fn library(&self) -> Library<'_> {
        Library::new(&self.engine.info.tokenizer).sharing(&self.machine.datasets)
    }

    /// Another prompt, which begins as this one does.
    pub fn tokenized(&self, fact: &Fact) -> anyhow::Result<TokenizedPrompt> {
        Ok(TokenizedPrompt::new(&self.engine.info.tokenizer, fact, self.bos)?)
    }

    pub fn run(&self, spec: &AnalysisSpec, output: &ResultOutput) -> anyhow::Result<()> {
        let has_prompt = self.source != FactSource::NoFact;
        ensure!(has_prompt || !spec.needs_prompt(), "this asks about a prompt; name a fact");
        output.check_pick(spec, &self.engine.info.config, &self.prompt)?;
        let result = self.result(spec)?;
        let json = || json::document(&result, spec, self);
        let record = |look| self.record(spec, look);
        if let Some(request) = self.machine.request.as_ref().filter(|it| it.wants(Want::Spec)) {
            let asked = self.experiment(spec.clone()).to_json_as_meant(&self.library())?;
            request.give("spec", asked.replace('\n', " "));
        }
        if let Some(path) = &output.save_session {
            self.session(spec, &result)?.save(path)?;
        }
        output.write((spec, &result), (&self.engine, &self.machine), json, record)
    }

    /// The JSON of what the model says to what is asked.
    pub fn document(&self, spec: &AnalysisSpec) -> anyhow::Result<Value> {
        json::document(&self.result(spec)?, spec, self)
    }

    /// What the model says to what is asked.
    pub fn result(&self, spec: &AnalysisSpec) -> anyhow::Result<AnalysisResult> {
        self.machine.run(&self.engine, &self.prompt, spec, spec.verb())
    }

    /// A session with the result alone. What is asked of no fact is what was typed last.
    fn session(&self, spec: &AnalysisSpec, result: &AnalysisResult) -> anyhow::Result<Session> {
        let info = &self.engine.info;
        let datasets = &self.machine.datasets;
        let mut session =
            Session::new(ModelIdentity::of(info, weights_sha256(info, &self.machine)?));
        session.edits.clone_from(&self.engine.edits);
        if session.model.path.exists() {
            session.model.path = std::path::absolute(&session.model.path)?;
        }
        let (which, prompt, result) = (Which::Main, self.prompt.clone(), Arc::new(result.clone()));
        let (nth, record) = match &self.source {
            FactSource::NoFact => {
                let experiment = self.experiment(spec.clone());
                session.typed =
                    Some(Typed { which, experiment, prompt, is_complete: true, result });
                return Ok(session);
            }
            FactSource::Text(_) => (None, Record::new("", None, self.question.fact.clone())),
            FactSource::Record(RecordFact { facts, case, .. }) => {
                let dataset = datasets.get(facts, None)?;
                let nth = dataset.records.position(case);
                let nth = nth.context("the case was just there")?;
                let tokens = subject_tokens(&info.tokenizer, dataset.subjects());
                session.subjects = tokens.ids.into();
                session.dataset = Some(DatasetIdentity {
                    path: if facts.exists() { std::path::absolute(facts)? } else { facts.clone() },
                    sha256: datasets.hash(facts).context("the dataset was just there")?,
                    n_facts: dataset.records.len(),
                });
                (Some(nth), dataset.records[nth].clone())
            }
        };
        session.facts.push(StoredFact { nth, record });
        session.found.push(Found {
            which,
            changed: None,
            fact: 0,
            direction: self.question.direction,
            prompt,
            origin: Origin::Asked,
            spec: spec.clone(),
            is_complete: true,
            result,
        });
        Ok(session)
    }

    /// What a picture of the result carries, so that it can be verified.
    fn record(&self, spec: &AnalysisSpec, look: Looked) -> anyhow::Result<PictureRecord> {
        let info = &self.engine.info;
        let experiment = self.experiment(spec.clone()).to_json_as_meant(&self.library())?;
        let hashes = weights_sha256(info, &self.machine)?;
        let experiment = serde_json::from_str(&experiment)?;
        Ok(PictureRecord::new(&info.name, hashes, &info.device, experiment, look))
    }
}
