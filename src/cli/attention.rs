use std::fmt::Write as _;

use clap::Args;
use serde_json::{Value, json};

use super::output::{AnalysisOutput, with_tail_but};
use super::{Machine, ModelArgs};
use crate::analysis::AnalysisSpec;
use crate::analysis::attention::{Attention as Patterns, Spec};
use crate::experiment::{FactSource, TextFact};
use crate::tokens::visible;
use crate::worker::Engine;

#[derive(Args)]
pub(super) struct Attention {
    #[command(flatten)]
    model: ModelArgs,

    /// The text to look at
    #[arg(long, value_name = "TEXT")]
    prompt: String,

    /// From 0
    #[arg(long, value_name = "L")]
    layer: usize,

    /// From 0
    #[arg(long, value_name = "H")]
    head: usize,

    #[command(flatten)]
    output: AnalysisOutput,
}

impl Attention {
    pub fn run(&self, machine: &Machine) -> anyhow::Result<()> {
        self.output.check()?;
        let fact = TextFact { prompt: self.prompt.clone(), ..TextFact::default() };
        let session = self.model.ask(FactSource::Text(fact), machine)?;
        let spec = Spec { layers: self.layer..self.layer + 1, head: Some(self.head) };
        session.finish(AnalysisSpec::Attention(spec), &self.output, machine)
    }
}

/// The rows of a pattern. `[query, key]`
fn rows(it: &Patterns, layer: usize, head: usize) -> Vec<&[f32]> {
    it.pattern(layer, head).unwrap_or_default().chunks(it.prompt.n_pos()).collect()
}

/// Of one head, or of all in the layers asked for.
pub(super) fn to_json(it: &Patterns, engine: &Engine, machine: &Machine) -> anyhow::Result<Value> {
    let one = |layer: usize, head: usize| json!({ "layer": layer, "head": head, "pattern": rows(it, layer, head) });
    let body = if let (Some(head), 1) = (it.spec.head, it.spec.layers.len()) {
        one(it.spec.layers.start, head)
    } else {
        let all = it.shown().map(|(layer, head)| one(layer, head));
        json!({ "patterns": all.collect::<Vec<_>>() })
    };
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
