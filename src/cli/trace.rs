use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::Context as _;
use clap::{ArgGroup, Args, ValueEnum};
use serde_json::{Value, json};

use super::fact::{FactArgs, Question};
use super::output::{Output, answer_json, program, provenance};
use super::{Machine, ModelArgs};
use crate::analysis::causal_trace::{CausalTrace, Component, Direction, NoiseLevel, Severed, Spec};
use crate::analysis::{AnalysisResult, AnalysisSpec, Grid, Measurement, Metric};
use crate::intervention::NoiseRng;
use crate::tokens::{TokenizedPrompt, Tokenizer, visible};
use crate::worker::Engine;

#[derive(Args)]
// What is corrupted is the subject.
#[command(group(ArgGroup::new("typed").arg("prompt").requires("subject")))]
pub(super) struct Trace {
    #[command(flatten)]
    what: TraceArgs,

    #[command(flatten)]
    output: Output,
}

/// Which trace of which fact: for `trace`, which computes it, and for `atp`, which estimates it.
#[derive(Args)]
pub(super) struct TraceArgs {
    #[command(flatten)]
    model: ModelArgs,

    #[command(flatten)]
    fact: FactArgs,

    /// What is restored: the residual stream after a layer, or what MLPs or attention add to it
    #[arg(long, value_enum)]
    kind: Kind,

    /// Standard deviation of the noise: a number, or as in `3s` a multiple of that of the subjects'
    /// token embeddings
    #[arg(long, value_name = "NOISE", default_value = "3s")]
    noise: NoiseArg,

    /// A text file with one subject a line, on which `3s` is measured [default: the subjects of
    /// --facts, else the prompt's own]
    #[arg(long, value_name = "FILE")]
    noise_subjects: Option<PathBuf>,

    /// Noise draws averaged per cell
    #[arg(long, value_name = "N", default_value_t = 10)]
    samples: usize,

    /// Layers restored together, for `mlp` and `attn`
    #[arg(long, value_name = "N", default_value_t = 10)]
    window: usize,

    /// Seed of the noise
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u32,

    /// `numpy` draws ROME's noise bit for bit; `chacha` gives each draw a stream of its own, so
    /// that more samples keep the first ones
    #[arg(long, value_enum, default_value = "numpy")]
    noise_rng: Rng,

    /// Hold what MLPs or attention add at the restored token at their corrupted values, so that only
    /// the path around them is left (Meng et al. 2022, figure 3)
    #[arg(long, value_enum)]
    sever: Option<Sever>,

    /// `denoise`: clean activations into the corrupted run, as ROME; `noise`: corrupted ones into the
    /// clean run
    #[arg(long, value_enum, default_value = "denoise")]
    direction: Way,
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Kind {
    Hidden,
    Mlp,
    Attn,
}

#[derive(Clone, Copy, ValueEnum)]
enum Rng {
    Numpy,
    Chacha,
}

#[derive(Clone, Copy, ValueEnum)]
enum Sever {
    Mlp,
    Attn,
}

#[derive(Clone, Copy, ValueEnum)]
enum Way {
    Denoise,
    Noise,
}

/// `3s` or `0.12`.
#[derive(Clone, Copy)]
enum NoiseArg {
    Std(f64),
    Multiple(f64),
}

/// A trace that can be run.
pub(super) struct Asked {
    question: Question,
    pub engine: Engine,
    pub prompt: TokenizedPrompt,
    pub spec: Spec,
}

impl Trace {
    pub fn run(&self, machine: &Machine) -> anyhow::Result<()> {
        self.output.check()?;
        let asked = self.what.ask(machine, None)?;
        let spec = AnalysisSpec::CausalTrace(asked.spec.clone());
        let result = machine.run(&asked.engine, &asked.prompt, &spec, "Tracing")?;
        let AnalysisResult::CausalTrace(trace) = result else {
            unreachable!("a causal trace was asked for");
        };
        let scores = trace.restored.map(|runs| Measurement::mean(runs, Metric::Prob));
        let json = to_json(&trace, &scores, Metric::Prob, &asked, machine)?;
        self.output.write(&json, &to_text(&trace))
    }
}

impl TraceArgs {
    /// `foil`: a wrong answer to compare with, instead of the dataset's.
    pub fn ask(&self, machine: &Machine, foil: Option<&str>) -> anyhow::Result<Asked> {
        let mut question = self.fact.question()?;
        if let Some(foil) = foil {
            question.fact.foil = Some(foil.to_owned());
        }
        let noise_subjects = self.noise_subjects(&question)?;
        let engine = self.model.load(machine)?;
        let tokenizer = &engine.info.tokenizer;
        let prompt = TokenizedPrompt::new(tokenizer, &question.fact, self.model.bos())?;
        let spec = Spec {
            component: self.kind.into(),
            window: self.window,
            noise: self.noise.level(tokenizer, &noise_subjects)?,
            rng: match self.noise_rng {
                Rng::Numpy => NoiseRng::Numpy,
                Rng::Chacha => NoiseRng::Chacha,
            },
            seed: self.seed,
            n_samples: self.samples,
            direction: match self.direction {
                Way::Denoise => Direction::Denoise,
                Way::Noise => Direction::Noise,
            },
            sever: self.sever.map(|sever| match sever {
                Sever::Mlp => Severed::Mlp,
                Sever::Attn => Severed::Attn,
            }),
        };
        Ok(Asked { question, engine, prompt, spec })
    }

    fn noise_subjects(&self, question: &Question) -> anyhow::Result<Vec<String>> {
        if let Some(path) = &self.noise_subjects {
            let text = fs::read_to_string(path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            let lines = text.lines().filter(|line| !line.is_empty());
            let subjects: Vec<_> = lines.map(str::to_owned).collect();
            anyhow::ensure!(!subjects.is_empty(), "no subject in {}", path.display());
            return Ok(subjects);
        }
        if question.subjects.is_empty() {
            let own = question.fact.subject_text().map(str::to_owned);
            return Ok(own.into_iter().collect());
        }
        Ok(question.subjects.clone())
    }
}

impl NoiseArg {
    fn level(self, tokenizer: &Tokenizer, subjects: &[String]) -> anyhow::Result<NoiseLevel> {
        let factor = match self {
            Self::Std(std) => return Ok(NoiseLevel::Std(std)),
            Self::Multiple(factor) => factor,
        };
        // As ROME encodes them: no leading space, no BOS.
        let mut tokens = Vec::new();
        for subject in subjects {
            tokens.extend(tokenizer.encode(subject)?.iter().map(|token| token.id));
        }
        Ok(NoiseLevel::Multiple { factor, tokens: tokens.into() })
    }
}

impl FromStr for NoiseArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| {
            let number: Option<f64> = text.parse().ok();
            number.filter(|it| it.is_finite() && *it >= 0.0).ok_or_else(|| {
                "a number such as 0.12, or a multiple of the subjects' spread such as 3s".to_owned()
            })
        };
        match text.strip_suffix('s') {
            Some(factor) => Ok(Self::Multiple(number(factor)?)),
            None => Ok(Self::Std(number(text)?)),
        }
    }
}

impl From<Kind> for Component {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Hidden => Self::Hidden,
            Kind::Mlp => Self::Mlp,
            Kind::Attn => Self::Attn,
        }
    }
}

/// ROME's key names, and what is needed to do it again.
///
/// `scores`: what the map shows, in terms of `metric`. (layer, position)
pub(super) fn to_json(
    trace: &CausalTrace,
    scores: &Grid<Option<f32>>,
    metric: Metric,
    asked: &Asked,
    machine: &Machine,
) -> anyhow::Result<Value> {
    let Asked { question, engine, .. } = asked;
    let prompt = &trace.prompt;
    let answer = prompt.answer.as_ref().context("a trace has an answer")?;
    // ROME's map is token × layer.
    let scores: Vec<Vec<_>> =
        (0..prompt.n_pos()).map(|pos| scores.rows().map(|layer| layer[pos]).collect()).collect();
    let is_correct = match &question.expected {
        Some(expected) => trace.is_top_answer() && answer.text.trim() == expected.trim(),
        None => trace.is_top_answer(),
    };
    let subject = prompt.subject.as_ref().map(|it| [it.start, it.end]);
    Ok(json!({
        "scores": scores,
        "low_score": Measurement::mean(&trace.corrupted, metric),
        "high_score": trace.clean.get(metric),
        "input_ids": prompt.ids,
        "input_tokens": prompt.pieces,
        "subject_range": subject,
        "answer": answer.pieces[0],
        "window": trace.spec.window,
        "correct_prediction": is_correct,
        "kind": trace.spec.component,
        "sever": trace.spec.sever,
        "direction": trace.spec.direction,
        "expected": question.expected,
        "whole_answer": answer_json(answer),
        "bos": prompt.bos,
        "noise_std": trace.noise_std,
        "noise_rng": trace.spec.rng,
        "samples": trace.spec.n_samples,
        "seed": trace.spec.seed,
        "program": program(),
        "model": provenance(&engine.info, machine)?,
        "device": engine.info.device,
    }))
}

fn to_text(trace: &CausalTrace) -> String {
    let prompt = &trace.prompt;
    let answer = prompt.answer.as_ref().map(|it| visible(&it.pieces[0])).unwrap_or_default();
    let low = Measurement::mean(&trace.corrupted, Metric::Prob).unwrap_or(f32::NAN);
    let held = match trace.spec.sever {
        None => "",
        Some(Severed::Mlp) => ", MLPs severed",
        Some(Severed::Attn) => ", attention severed",
    };
    let order = match trace.spec.direction {
        Direction::Denoise => "likeliest after restoring",
        Direction::Noise => "least likely after corrupting",
    };
    let mut text = format!(
        "p({answer}) clean {:.5}, corrupted {low:.5} (noise {:.5}, {} samples)\n\n{order}{held}\n",
        trace.clean.prob, trace.noise_std, trace.spec.n_samples
    );
    let means = trace.restored.map(|runs| Measurement::mean(runs, Metric::Prob));
    list_foremost(&mut text, prompt, &means, trace.spec.direction);
    text
}

/// The ten scores that say most, a line each: the largest after restoring, the smallest after
/// corrupting.
pub(super) fn list_foremost(
    text: &mut String,
    prompt: &TokenizedPrompt,
    scores: &Grid<Option<f32>>,
    direction: Direction,
) {
    let n_pos = prompt.n_pos();
    let scores = scores.values().iter().enumerate();
    let mut cells: Vec<(usize, f32)> =
        scores.filter_map(|(nth, score)| Some((nth, (*score)?))).collect();
    cells.sort_by(|a, b| match direction {
        Direction::Denoise => b.1.total_cmp(&a.1),
        Direction::Noise => a.1.total_cmp(&b.1),
    });
    for (nth, score) in cells.into_iter().take(10) {
        let (layer, pos) = (nth / n_pos, nth % n_pos);
        let token = visible(&prompt.pieces[pos]);
        _ = writeln!(text, "  {score:.5}  layer {layer:>2}  token {pos:>3} {token}");
    }
}
