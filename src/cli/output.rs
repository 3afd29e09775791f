//! Results as JSON or as text.

use std::io::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::Machine;
use super::progress::Bar;
use crate::analysis::{AnalysisResult, AnalysisSpec, Metric, ModelEdit};
use crate::experiment::Experiment;
use crate::figure::{AttributionForm, Effect, Figure, FileFormat, Look, Pick, Scale};
use crate::task::{CancelToken, TaskCtx};
use crate::tokens::{Answer, TokenizedPrompt};
use crate::whole_file::{self, folder_of};
use crate::worker::{Engine, Gpt2Config, ModelInfo};

/// Where a result goes.
#[derive(Args)]
pub(super) struct Output {
    /// Print JSON instead of text
    #[arg(long)]
    json: bool,

    /// Write JSON to a file
    #[arg(long, value_name = "FILE.json")]
    out: Option<PathBuf>,
}

/// Where the result of an analysis goes.
#[derive(Args)]
pub(super) struct AnalysisOutput {
    #[command(flatten)]
    pub result: ResultOutput,

    /// Run nothing; write what is asked to a file for `factscope run`
    #[arg(long, value_name = "FILE.json", conflicts_with_all = ["json", "out", "figure"])]
    pub save_spec: Option<PathBuf>,
}

/// The same for what is asked by a file.
#[derive(Args)]
pub(super) struct ResultOutput {
    #[command(flatten)]
    output: Output,

    /// Draw the result (FILE.svg, FILE.pdf, FILE.png), or write its numbers (FILE.csv, FILE.json,
    /// FILE.npz, FILE.parquet)
    #[arg(long, value_name = "FILE")]
    figure: Option<PathBuf>,

    /// How large a PNG is, in times its size on a screen: 1 to 4
    #[arg(long, value_name = "N", default_value = "2", requires = "figure", value_parser = figure_scale)]
    figure_scale: Scale,

    /// What the figure shows of an answer, where a result has more than its probability
    #[arg(long, value_enum, value_name = "METRIC", default_value = "prob", requires = "figure")]
    figure_metric: FigureMetric,

    /// What the figure of a trace shows of that
    #[arg(long, value_enum, value_name = "EFFECT", default_value = "score", requires = "figure")]
    figure_effect: FigureEffect,

    /// How the figure of an attribution by layers or heads draws the logit
    #[arg(long, value_enum, value_name = "FORM", default_value = "parts", requires = "figure")]
    figure_attribution: FigureAttribution,

    /// The layer that the figure looks at, where it shows one of several, as of attention
    #[arg(long, value_name = "L", requires = "figure")]
    figure_layer: Option<usize>,

    /// The same of heads
    #[arg(long, value_name = "H", requires = "figure")]
    figure_head: Option<usize>,

    /// The same of tokens, counted from 0: of a logit lens, say, the one that it starts from
    #[arg(long, value_name = "POS", requires = "figure")]
    figure_position: Option<usize>,
}

#[derive(Clone, Copy, ValueEnum)]
enum FigureMetric {
    Prob,
    AnswerProb,
    LogProb,
    Logit,
    LogitDiff,
    Rank,
    Kl,
}

#[derive(Clone, Copy, ValueEnum)]
enum FigureEffect {
    /// The metric in each patched run
    Score,

    /// What comes back, or is lost, through the cell
    Indirect,

    /// The rest of the total effect
    Direct,

    /// The share of the total effect that comes back
    Recovery,
}

#[derive(Clone, Copy, ValueEnum)]
enum FigureAttribution {
    /// What each part adds
    Parts,

    /// The sum of all parts up to each depth
    RunningSum,

    /// What each part adds, from where the one before ended
    Waterfall,
}

impl AnalysisOutput {
    /// As [`Output::check`].
    pub fn check(&self) -> anyhow::Result<()> {
        self.result.check()?;
        self.save_spec.as_deref().map_or(Ok(()), check_writable)
    }
}

pub(super) fn figure_scale(text: &str) -> Result<Scale, String> {
    let scale = text.parse().ok().and_then(Scale::new);
    scale.ok_or_else(|| "a whole number from 1 to 4".to_owned())
}

/// As `factscope run` takes it.
pub(super) fn save_spec(path: &Path, experiment: &Experiment) -> anyhow::Result<()> {
    whole_file::write(path, experiment.to_json()?.as_bytes())
        .with_context(|| format!("cannot write {}", path.display()))
}

impl ResultOutput {
    /// As [`Output::check`].
    pub fn check(&self) -> anyhow::Result<()> {
        self.output.check()?;
        let Some(path) = &self.figure else { return Ok(()) };
        FileFormat::of(path)?;
        check_writable(path)
    }

    /// That there is what the figure is to look at.
    pub fn check_pick(
        &self,
        spec: &AnalysisSpec,
        config: &Gpt2Config,
        prompt: &TokenizedPrompt,
    ) -> anyhow::Result<()> {
        let within = |flag: &str, index: Option<usize>, of: Range<usize>| {
            let is_there = index.is_none_or(|index| of.contains(&index));
            ensure!(is_there, "{flag} is not among {}..{} of this result", of.start, of.end);
            Ok(())
        };
        let (mut layers, mut heads) = (0..config.n_layers, 0..config.n_heads);
        if let AnalysisSpec::Attention(spec) = spec {
            layers = spec.layers.clone();
            heads = spec.head.map_or(heads, |head| head..head + 1);
        }
        within("--figure-layer", self.figure_layer, layers)?;
        within("--figure-head", self.figure_head, heads)?;
        within("--figure-position", self.figure_position, 0..prompt.n_pos())
    }

    /// As [`Output::write`], and the figure.
    pub fn write(
        &self,
        result: &AnalysisResult,
        engine: &Engine,
        json: &Value,
        text: &str,
    ) -> anyhow::Result<()> {
        if let Some(path) = &self.figure {
            let look = Look {
                metric: self.figure_metric.into(),
                effect: self.figure_effect.into(),
                attribution: self.figure_attribution.into(),
                pick: Pick {
                    layer: self.figure_layer,
                    position: self.figure_position,
                    head: self.figure_head,
                },
                ..Look::new(&engine.info.tokenizer)
            };
            let mut figure = Figure::of(result, &look);
            let is_change = |edit: &&ModelEdit| !matches!(edit, ModelEdit::Processing(_));
            let edited = match engine.edits.iter().filter(is_change).count() {
                0 => String::new(),
                1 => ", edited once".to_owned(),
                n => format!(", edited {n} times"),
            };
            for edit in &engine.edits {
                if let ModelEdit::Processing(it) = edit {
                    figure.notes.push(format!("The weights were processed: {it}"));
                }
            }
            figure.notes.push(format!("Model {}{edited}  ·  {}", engine.info.name, program()));
            whole_file::write(path, &FileFormat::of(path)?.bytes(&figure, self.figure_scale))
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        self.output.write(json, text)
    }
}

impl From<FigureMetric> for Metric {
    fn from(metric: FigureMetric) -> Self {
        match metric {
            FigureMetric::Prob => Self::Prob,
            FigureMetric::AnswerProb => Self::AnswerProb,
            FigureMetric::LogProb => Self::LogProb,
            FigureMetric::Logit => Self::Logit,
            FigureMetric::LogitDiff => Self::LogitDiff,
            FigureMetric::Rank => Self::Rank,
            FigureMetric::Kl => Self::Kl,
        }
    }
}

impl From<FigureEffect> for Effect {
    fn from(effect: FigureEffect) -> Self {
        match effect {
            FigureEffect::Score => Self::Score,
            FigureEffect::Indirect => Self::Indirect,
            FigureEffect::Direct => Self::Direct,
            FigureEffect::Recovery => Self::Recovery,
        }
    }
}

impl From<FigureAttribution> for AttributionForm {
    fn from(form: FigureAttribution) -> Self {
        match form {
            FigureAttribution::Parts => Self::Parts,
            FigureAttribution::RunningSum => Self::RunningSum,
            FigureAttribution::Waterfall => Self::Waterfall,
        }
    }
}

impl Output {
    /// `text` is what a person reads where no JSON was asked for.
    pub fn write(&self, json: &Value, text: &str) -> anyhow::Result<()> {
        if let Some(path) = &self.out {
            whole_file::write(path, format!("{json}\n").as_bytes())
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        if self.json {
            print(&format!("{json}\n"))
        } else if self.out.is_none() {
            print(text)
        } else {
            Ok(())
        }
    }

    /// Refuses a place that cannot be written to before hours are spent on what goes there.
    pub fn check(&self) -> anyhow::Result<()> {
        self.out.as_deref().map_or(Ok(()), check_writable)
    }
}

fn check_writable(path: &Path) -> anyhow::Result<()> {
    anyhow::ensure!(!path.is_dir(), "cannot write {}: it is a folder", path.display());
    let dir = folder_of(path);
    tempfile::NamedTempFile::new_in(dir)
        .map(drop)
        .with_context(|| format!("cannot write to the folder {}", dir.display()))
}

/// An analysis' own numbers, and what every result says beside them: of the prompt, and where the
/// numbers come from.
///
/// # Panics
///
/// If `body` is no object.
pub(super) fn with_tail(
    body: Value,
    prompt: &TokenizedPrompt,
    engine: &Engine,
    machine: &Machine,
) -> anyhow::Result<Value> {
    with_tail_but(&[], body, prompt, engine, machine)
}

/// The same for a result that says less. What `body` has already stays.
pub(super) fn with_tail_but(
    left_out: &[&str],
    mut body: Value,
    prompt: &TokenizedPrompt,
    engine: &Engine,
    machine: &Machine,
) -> anyhow::Result<Value> {
    let mut tail = json!({
        "answer": prompt.answer.as_ref().map(answer_json),
        "foil": prompt.foil.as_ref().map(answer_json),
        "tokens": prompt.pieces,
        "ids": prompt.ids,
        "subject_range": prompt.subject.as_ref().map(|it| [it.start, it.end]),
        "bos": prompt.bos,
        "program": program(),
        "device": engine.info.device,
    });
    if !engine.edits.is_empty() {
        tail["edits"] = json!(engine.edits);
    }
    // Weights of some gigabytes take a while to hash.
    if !left_out.contains(&"model") {
        tail["model"] = provenance(&engine.info, machine)?;
    }
    let body_keys = body.as_object_mut().expect("a result is an object");
    let tail = tail.as_object_mut().expect("it was just made");
    for (key, value) in std::mem::take(tail) {
        if !left_out.contains(&key.as_str()) {
            body_keys.entry(key).or_insert(value);
        }
    }
    Ok(body)
}

/// The same for a result that is of no prompt.
pub(super) fn with_tail_of_weights(
    body: Value,
    engine: &Engine,
    machine: &Machine,
) -> anyhow::Result<Value> {
    let of_prompt = ["answer", "foil", "tokens", "ids", "subject_range", "bos"];
    with_tail_but(&of_prompt, body, &TokenizedPrompt::nothing(), engine, machine)
}

/// What a logit is measured against.
pub(super) fn minus(prompt: &TokenizedPrompt) -> &'static str {
    if prompt.foil.is_some() { "foil" } else { "vocabulary mean" }
}

/// Where the numbers come from, for every JSON file.
pub(super) fn provenance(info: &ModelInfo, machine: &Machine) -> anyhow::Result<Value> {
    let bar = Bar::new(machine, "Hashing the weights");
    let report = |progress| bar.set(progress);
    let ctx = TaskCtx { cancel: CancelToken::default(), report: &report };
    let hashes = info.hash.get(&ctx)?;
    bar.finish();
    Ok(json!({ "name": info.name, "weights_sha256": hashes }))
}

/// The program that made a file.
pub(super) fn program() -> String {
    format!("factscope {}", env!("CARGO_PKG_VERSION"))
}

/// The text of all tokens of an answer.
pub(super) fn answer_json(answer: &Answer) -> Value {
    json!({ "text": answer.text, "ids": answer.ids, "tokens": answer.pieces })
}

pub(super) fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    Ok(stdout.flush()?)
}
