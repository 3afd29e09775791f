use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, bail, ensure};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::Machine;
use super::atp::MetricArg;
use super::fact::MeasuredArgs;
use super::output::{AnalysisOutput, with_tail};
use crate::analysis::ablation::{Ablation, Part, Replacement, Spec};
use crate::analysis::{AnalysisSpec, Metric, Positions, neuron_ablation};
use crate::facts::{Dataset, Fact};
use crate::tokens::{TokenizedPrompt, visible};
use crate::worker::Engine;

#[derive(Args)]
pub(super) struct Ablate {
    #[command(flatten)]
    asked: MeasuredArgs,

    /// What is replaced, one at a time: each head; all that a layer's attention, its MLP, or both add
    /// to the residual stream; or the neurons that are estimated to matter most
    #[arg(long, value_enum, default_value = "heads")]
    part: PartArg,

    /// How many neurons, those with the largest estimates: first order, from the gradient at the clean
    /// run [default: 20]
    #[arg(long, value_name = "N")]
    top: Option<usize>,

    /// Choose neurons of these layers only, such as `3,5` [default: all]
    #[arg(long, value_name = "L,L", value_delimiter = ',')]
    layers: Vec<usize>,

    /// What is estimated of neurons [default: log-prob]
    #[arg(long, value_enum)]
    metric: Option<MetricArg>,

    /// At which tokens: `all`, `subject`, `non-subject`, `last`, a position such as `3`, or a range
    /// such as `3..6` without its end
    #[arg(long, value_name = "WHERE", default_value = "all")]
    positions: Positions,

    /// By what: zeros, the mean over other prompts, or the same part of another prompt
    #[arg(long, value_enum, default_value = "zero")]
    with: With,

    /// Prompts to take the mean of, one a line [default: those of --facts]
    #[arg(long, value_name = "FILE")]
    mean_prompts: Option<PathBuf>,

    /// At most so many of them, evenly spaced
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..))]
    mean_count: u32,

    /// The prompt to resample from, of as many tokens
    #[arg(long, value_name = "TEXT", conflicts_with = "other_case")]
    other: Option<String>,

    /// The same, by its `case_id` or `known_id` in the dataset
    #[arg(long, value_name = "ID", requires = "facts")]
    other_case: Option<String>,

    #[command(flatten)]
    output: AnalysisOutput,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum PartArg {
    Heads,
    Attn,
    Mlp,
    Layers,

    #[value(alias = "neuron")]
    Neurons,
}

#[derive(Clone, Copy, ValueEnum)]
enum With {
    Zero,
    Mean,
    Resample,
}

impl Ablate {
    pub fn run(&self, machine: &Machine) -> anyhow::Result<()> {
        self.output.check()?;
        let chooses = self.top.is_some() || !self.layers.is_empty() || self.metric.is_some();
        let is_of_neurons = self.part == PartArg::Neurons;
        ensure!(
            is_of_neurons || !chooses,
            "--top, --layers and --metric choose neurons: say --part neurons"
        );
        let others = self.others()?;
        let session = self.asked.ask(machine)?;
        let tokenizer = &session.engine.info.tokenizer;
        let mut ids = Vec::new();
        for other in &others {
            let fact = Fact::from_text(other, None)?;
            ids.push(TokenizedPrompt::new(tokenizer, &fact, self.asked.model.bos())?.ids);
        }
        let positions = self.positions.clone();
        let replacement = match self.with {
            With::Zero => Replacement::Zero,
            With::Mean => Replacement::Mean { prompts: ids.into() },
            With::Resample => Replacement::Resample { ids: ids.into_iter().flatten().collect() },
        };
        let part = match self.part {
            PartArg::Heads => Some(Part::Heads),
            PartArg::Attn => Some(Part::Attn),
            PartArg::Mlp => Some(Part::Mlp),
            PartArg::Layers => Some(Part::Layers),
            PartArg::Neurons => None,
        };
        let spec = match part {
            Some(part) => AnalysisSpec::Ablation(Spec { part, positions, replacement }),
            None => AnalysisSpec::NeuronAblation(neuron_ablation::Spec {
                n_top: self.top.unwrap_or(20),
                layers: self.layers.clone(),
                metric: self.metric.map_or(Metric::LogProb, Metric::from),
                positions,
                replacement,
            }),
        };
        session.finish(spec, &self.output, machine)
    }

    /// The texts of the prompts that what is put in comes from.
    fn others(&self) -> anyhow::Result<Vec<String>> {
        match self.with {
            With::Zero => Ok(Vec::new()),
            With::Mean => {
                let all = self.mean_prompts()?;
                let n = all.len().min(self.mean_count as usize);
                Ok((0..n).map(|nth| all[nth * all.len() / n].clone()).collect())
            }
            With::Resample => match (&self.other, &self.other_case, &self.asked.fact.facts) {
                (Some(text), _, _) => Ok(vec![text.clone()]),
                (None, Some(case), Some(path)) => {
                    let dataset = Dataset::load(path)?;
                    let Some(record) = dataset.find(case) else {
                        bail!("there is no case {case} in {}", path.display());
                    };
                    let Some(fact) = record.fact(self.asked.fact.direction()) else {
                        bail!("case {case} is not asked inversely: {}", path.display());
                    };
                    Ok(vec![fact.prompt.clone()])
                }
                _ => bail!("name the prompt to resample from with --other or --other-case"),
            },
        }
    }

    fn mean_prompts(&self) -> anyhow::Result<Vec<String>> {
        let (path, prompts): (_, Vec<String>) = match (&self.mean_prompts, &self.asked.fact.facts) {
            (Some(path), _) => {
                let text = fs::read_to_string(path)
                    .with_context(|| format!("cannot read {}", path.display()))?;
                let lines = text.lines().filter(|line| !line.is_empty());
                (path, lines.map(str::to_owned).collect())
            }
            (None, Some(path)) => {
                let dataset = Dataset::load(path)?;
                let facts =
                    dataset.records.iter().filter_map(|it| it.fact(self.asked.fact.direction()));
                (path, facts.map(|fact| fact.prompt.clone()).collect())
            }
            (None, None) => bail!("name the prompts to take the mean of with --mean-prompts"),
        };
        ensure!(!prompts.is_empty(), "no prompt in {}", path.display());
        Ok(prompts)
    }
}

pub(super) fn to_json(it: &Ablation, engine: &Engine, machine: &Machine) -> anyhow::Result<Value> {
    let change = |metric: Metric| -> Vec<Vec<_>> {
        let (n_layers, n_columns) = (it.ablated.n_rows(), it.ablated.n_columns());
        let row = |layer| (0..n_columns).map(|column| it.change(layer, column, metric)).collect();
        (0..n_layers).map(row).collect()
    };
    let has_foil = it.prompt.foil.is_some();
    let body = json!({
        "spec": it.spec,
        "clean": it.clean,
        // Layer × head, or layer × 1.
        "ablated": it.ablated.rows().collect::<Vec<_>>(),
        "change": {
            "prob": change(Metric::Prob),
            "answer_prob": change(Metric::AnswerProb),
            "log_prob": change(Metric::LogProb),
            "logit": change(Metric::Logit),
            "logit_diff": has_foil.then(|| change(Metric::LogitDiff)),
            "rank": change(Metric::Rank),
            "kl": change(Metric::Kl),
        },
    });
    with_tail(body, &it.prompt, engine, machine)
}

/// How many parts are listed.
const N_LISTED: usize = 20;

pub(super) fn to_text(it: &Ablation) -> String {
    let answer = it.prompt.answer.as_ref().map(|it| visible(&it.pieces[0])).unwrap_or_default();
    let (what, by) = (part_name(it.spec.part), replacement_name(&it.spec.replacement));
    let mut text = format!(
        "p({answer}) {:.5}; change with {what} replaced by {by}, at tokens: {}\n\n  change  \
         p({answer})   logit\n",
        it.clean.prob, it.spec.positions
    );
    let n_columns = it.ablated.n_columns();
    let mut found: Vec<_> = it
        .ablated
        .values()
        .iter()
        .enumerate()
        .filter_map(|(nth, measured)| Some((nth / n_columns, nth % n_columns, measured.as_ref()?)))
        .collect();
    if it.spec.part == Part::Heads {
        let distance = |prob: f32| (prob - it.clean.prob).abs();
        found.sort_by(|a, b| distance(b.2.prob).total_cmp(&distance(a.2.prob)));
        found.truncate(N_LISTED);
    }
    for (layer, head, measured) in found {
        let name = match it.spec.part {
            Part::Heads => format!("L{layer}H{head}"),
            Part::Attn | Part::Mlp | Part::Layers => format!("layer {layer}"),
        };
        let (change, logit) = (measured.prob - it.clean.prob, measured.logit - it.clean.logit);
        _ = writeln!(text, "{change:>+8.5}  {:>8.5}  {logit:>+7.3}  {name}", measured.prob);
    }
    text
}

fn part_name(part: Part) -> &'static str {
    match part {
        Part::Heads => "each head",
        Part::Attn => "each layer's attention",
        Part::Mlp => "each layer's MLP",
        Part::Layers => "each layer",
    }
}

pub(super) fn replacement_name(replacement: &Replacement) -> String {
    match replacement {
        Replacement::Zero => "zeros".to_owned(),
        Replacement::Mean { prompts } => format!("its mean over {} prompts", prompts.len()),
        Replacement::Resample { .. } => "that of another prompt".to_owned(),
    }
}
