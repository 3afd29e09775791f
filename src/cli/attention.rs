use std::fmt::Write as _;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::fact::FactArgs;
use super::output::{AnalysisOutput, with_tail_but};
use super::{Machine, ModelArgs};
use crate::analysis::AnalysisSpec;
use crate::analysis::attention::{Attention as Patterns, Spec, Weighting};
use crate::tokens::visible;
use crate::worker::Engine;

#[derive(Args)]
pub(super) struct Attention {
    #[command(flatten)]
    model: ModelArgs,

    #[command(flatten)]
    fact: FactArgs,

    /// From 0
    #[arg(long, value_name = "L")]
    layer: usize,

    /// From 0. A rollout has none [default: all]
    #[arg(long, value_name = "H")]
    head: Option<usize>,

    /// What is said of a query and a key: the attention weight, the weight times the norm of the
    /// value, or the norm of what is moved, the weighted value through `W_O` (Kobayashi et al. 2020)
    #[arg(long, value_enum, default_value = "pattern")]
    weighting: WeightingArg,

    /// Attention through this layer and all below, heads averaged (Abnar & Zuidema 2020)
    #[arg(long, conflicts_with_all = ["head", "weighting"])]
    rollout: bool,

    #[command(flatten)]
    output: AnalysisOutput,
}

#[derive(Clone, Copy, ValueEnum)]
enum WeightingArg {
    Pattern,
    Value,
    Norm,
}

impl Attention {
    pub fn run(&self, machine: &Machine) -> anyhow::Result<()> {
        self.output.check()?;
        let session = self.model.ask(self.fact.source(), machine)?;
        let weighting = match self.weighting {
            _ if self.rollout => Weighting::Rollout,
            WeightingArg::Pattern => Weighting::Pattern,
            WeightingArg::Value => Weighting::ValueWeighted,
            WeightingArg::Norm => Weighting::NormBased,
        };
        let layers = self.layer..self.layer.saturating_add(1);
        let spec = Spec { layers, head: self.head, weighting };
        session.finish(AnalysisSpec::Attention(spec), &self.output, machine)
    }
}

/// The rows of a pattern. `[query, key]`
fn rows(it: &Patterns, layer: usize, head: usize) -> Vec<&[f32]> {
    it.pattern(layer, head).unwrap_or_default().chunks(it.prompt.n_pos()).collect()
}

/// Of one head, or of all in the layers asked for.
pub(super) fn to_json(it: &Patterns, engine: &Engine, machine: &Machine) -> anyhow::Result<Value> {
    let mut body = match (it.spec.head, it.spec.layers.len()) {
        (Some(head), 1) => {
            let layer = it.spec.layers.start;
            json!({ "layer": layer, "head": head, "pattern": rows(it, layer, head) })
        }
        (None, 1) if it.spec.weighting == Weighting::Rollout => {
            let layer = it.spec.layers.start;
            json!({ "layer": layer, "pattern": rows(it, layer, 0) })
        }
        _ => {
            let patterns = it.shown().map(|(layer, head)| {
                json!({ "layer": layer, "head": head, "pattern": rows(it, layer, head) })
            });
            json!({ "patterns": patterns.collect::<Vec<_>>() })
        }
    };
    body["weighting"] = json!(it.spec.weighting);
    let left_out = ["answer", "foil", "subject_range", "model"];
    with_tail_but(&left_out, body, &it.prompt, engine, machine)
}

pub(super) fn to_text(it: &Patterns) -> String {
    let mut text = String::new();
    let is_one = it.shown().count() == 1;
    for (layer, head) in it.shown() {
        if !is_one {
            _ = writeln!(text, "L{layer}H{head}");
        }
        text.push_str("query                 looks at\n");
        for (query, row) in rows(it, layer, head).into_iter().enumerate() {
            let mut keys: Vec<_> = row.iter().enumerate().collect();
            keys.sort_by(|a, b| b.1.total_cmp(a.1));
            _ = write!(text, "{query:>4} {:<16}", visible(&it.prompt.pieces[query]));
            for (key, weight) in keys.into_iter().take(3).filter(|(_, weight)| **weight > 0.0) {
                _ = write!(text, "  {weight:.3} {}", visible(&it.prompt.pieces[key]));
            }
            text.push('\n');
        }
    }
    text
}
