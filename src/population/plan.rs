//! What a sweep asks of which facts, whoever asks it. A command and the window open it here, so that both
//! give the same numbers, and each goes on with the folder of the other.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::folder::{FolderError, Manifest};
use super::recall::Choices;
use super::selection::{Selection, SelectionError, Task};
use super::shard::Shard;
use super::sweep::{AnswerOf, Sweep, SweepError, at_layer};
use crate::analysis::trace_average::FactDraws;
use crate::analysis::{AnalysisError, AnalysisSpec, Metric};
use crate::experiment::{Binding, BindingError, Datasets, ExperimentError, Library, Written};
use crate::figure::{AttributionForm, Effect, Look};
use crate::task::{Cancelled, TaskCtx};
use crate::tokens::Tokenizer;
use crate::worker::Engine;

/// One experiment, and the facts of a dataset that it is asked of.
#[derive(Clone, Debug)]
pub struct Plan {
    pub written: Written,

    /// The spec as a folder names it, and its hash.
    spec: Value,
    spec_sha256: String,

    /// The dataset's file, or `builtin`.
    pub facts: PathBuf,
    pub selection: Selection,
    pub settings: SweepSettings,
}

/// What a sweep measures and writes down of each fact.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SweepSettings {
    pub answer: AnswerOf,

    /// Whether all facts are given the draws of the spec's seed.
    pub shared_draws: bool,

    /// The layers at which each fact is asked, where the spec names one. Empty for the spec's own.
    #[serde(default)]
    pub layers: Vec<usize>,
    pub figure: FigureSettings,

    /// How facts and draws were chosen, as the folder notes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Value>,
}

/// What the figure of each fact shows of a result that has more than one can show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FigureSettings {
    pub metric: Metric,
    pub effect: Effect,
    pub attribution: AttributionForm,
}

/// A plan with its model and its dataset, ready to be carried out.
pub struct Ready<'a> {
    plan: &'a Plan,
    datasets: &'a Datasets,
    pub sweep: Sweep<'a>,

    /// All that is asked, in the order of the dataset.
    pub tasks: Vec<Task>,
}

/// Why a plan cannot be carried out.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    #[error(transparent)]
    Experiment(#[from] ExperimentError),

    #[error(transparent)]
    Binding(#[from] BindingError),

    #[error(transparent)]
    Selection(#[from] SelectionError),

    #[error("--layers {0}: the spec names no layer, so it cannot be asked at others")]
    NoLayer(usize),

    #[error(transparent)]
    Analysis(#[from] AnalysisError),

    #[error(transparent)]
    Folder(#[from] FolderError),

    #[error("{0}")]
    Pilot(String),

    #[error("the dataset is gone: {0}")]
    Gone(PathBuf),

    #[error(transparent)]
    Sweep(#[from] SweepError),

    #[error(transparent)]
    Cancelled(#[from] Cancelled),

    #[error("the sweep cannot be read again: {source}: {path}")]
    Settings { path: PathBuf, source: serde_json::Error },
}

impl PlanError {
    /// Whether nothing failed, but the work was stopped.
    pub fn is_cancelled(&self) -> bool {
        matches!(
            self,
            Self::Cancelled(_)
                | Self::Analysis(AnalysisError::Cancelled(_))
                | Self::Sweep(SweepError::Analysis(AnalysisError::Cancelled(_)))
        )
    }
}

impl Plan {
    /// `facts`: the dataset's file, or `builtin`.
    pub fn new(
        written: Written,
        facts: PathBuf,
        selection: Selection,
        settings: SweepSettings,
    ) -> Result<Self, PlanError> {
        let spec = serde_json::from_str(written.text()).map_err(BindingError::from)?;
        let spec_sha256 = sha256(written.text());
        Ok(Self { written, spec, spec_sha256, facts, selection, settings })
    }

    /// What a folder was begun with. Errors name `dir`.
    pub fn again(manifest: &Manifest, dir: &Path) -> Result<Self, PlanError> {
        let path = dir.join(Manifest::FILE);
        let written = Written::parse(&manifest.spec.to_string(), &path)?;
        let settings = serde_json::from_value(manifest.settings.clone());
        Ok(Self {
            written,
            spec: manifest.spec.clone(),
            spec_sha256: manifest.spec_sha256.clone(),
            facts: manifest.facts.clone(),
            selection: manifest.selection.clone(),
            settings: settings.map_err(|source| PlanError::Settings { path, source })?,
        })
    }

    /// Hands the sweep of an open model to `then`. Reads the dataset, if it has not been read.
    pub fn open<T>(
        &self,
        engine: &Engine,
        datasets: &Datasets,
        then: impl FnOnce(&Ready<'_>) -> T,
    ) -> Result<T, PlanError> {
        let dataset = datasets.get(&self.facts, None)?;
        let tokenizer = &engine.info.tokenizer;
        let library = Library::new(tokenizer).sharing(datasets);
        let draws = if self.settings.shared_draws { FactDraws::Shared } else { FactDraws::Anew };
        let mut binding = Binding::new(&self.written, &library, draws)?;
        binding.tell_of(&dataset);
        for &layer in &self.settings.layers {
            let spec = at_layer(&self.written.outline.spec, layer);
            let spec = spec.ok_or(PlanError::NoLayer(layer))?;
            binding.check_layer(&spec, layer, engine.info.config.n_layers)?;
        }
        let tasks = self.selection.check(&dataset, &self.facts)?;
        let sweep = Sweep {
            engine,
            binding: &binding,
            dataset: &dataset,
            choices: &Choices::new(&dataset),
            selection: &self.selection,
            answer: self.settings.answer,
            layers: &self.settings.layers,
            look: &|spec, tokenizer| self.settings.figure.look(spec, tokenizer),
        };
        Ok(then(&Ready { plan: self, datasets, sweep, tasks }))
    }
}

impl Ready<'_> {
    /// What the folder of the sweep, or of a share of it, begins with. Hashes the weights, if they have
    /// not been hashed.
    pub fn manifest(&self, shard: Option<Shard>, ctx: &TaskCtx<'_>) -> Result<Manifest, PlanError> {
        let Plan { written, spec, spec_sha256, facts, selection, settings } = self.plan;
        let info = &self.sweep.engine.info;
        let hashes = serde_json::to_string(info.hash.get(ctx)?).map_err(BindingError::from)?;
        let facts_sha256 = self.datasets.hash(facts);
        Ok(Manifest {
            spec: spec.clone(),
            spec_sha256: spec_sha256.clone(),
            method: written.outline.spec.name().to_owned(),
            model: info.name.clone(),
            model_sha256: sha256(&hashes),
            facts: facts.clone(),
            facts_sha256: facts_sha256.ok_or_else(|| PlanError::Gone(facts.clone()))?,
            selection: selection.clone(),
            settings: serde_json::to_value(settings).map_err(BindingError::from)?,
            bound: self.sweep.binding.told.clone(),
            n_asked: self.tasks.len(),
            shard: shard.map(|it| [it.index, it.count]),
        })
    }
}

impl FigureSettings {
    /// How the result of a spec is looked at.
    pub fn look<'a>(self, spec: &AnalysisSpec, tokenizer: &'a Tokenizer) -> Look<'a> {
        let Self { metric, effect, attribution } = self;
        Look { metric, effect, attribution, ..Look::listing(spec, tokenizer) }
    }
}

fn sha256(text: &str) -> String {
    let mut hash = String::new();
    for byte in Sha256::digest(text.as_bytes()) {
        _ = write!(hash, "{byte:02x}");
    }
    hash
}
