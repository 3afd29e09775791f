use std::fmt::Write as _;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::output::{AnalysisOutput, with_tail_but};
use super::{Machine, ModelArgs};
use crate::analysis::AnalysisSpec;
use crate::analysis::logit_attribution::{LogitAttribution, Parts, Spec};
use crate::experiment::{FactSource, TextFact};
use crate::worker::Engine;

#[derive(Args)]
pub(super) struct Attribute {
    #[command(flatten)]
    model: ModelArgs,

    /// The text up to the answer
    #[arg(long, value_name = "TEXT")]
    prompt: String,

    /// The answer whose logit is split, by its first token; its leading space is added [default:
    /// the model's own first guess]
    #[arg(long, value_name = "TEXT")]
    answer: Option<String>,

    /// A wrong answer, whose logit is taken off [default: the mean over the vocabulary]
    #[arg(long, value_name = "TEXT")]
    foil: Option<String>,

    /// What the logit is split into
    #[arg(long, value_enum, default_value = "layers")]
    by: By,

    #[command(flatten)]
    output: AnalysisOutput,
}

#[derive(Clone, Copy, ValueEnum)]
enum By {
    Layers,
    Heads,
}

impl Attribute {
    pub fn run(&self, machine: &Machine) -> anyhow::Result<()> {
        self.output.check()?;
        let fact = TextFact {
            prompt: self.prompt.clone(),
            answer: self.answer.clone(),
            foil: self.foil.clone(),
            ..TextFact::default()
        };
        let session = self.model.ask(FactSource::Text(fact), machine)?;
        let by = match self.by {
            By::Layers => Parts::Layers,
            By::Heads => Parts::Heads,
        };
        session.finish(AnalysisSpec::LogitAttribution(Spec { by }), &self.output, machine)
    }
}

pub(super) fn to_json(
    it: &LogitAttribution,
    engine: &Engine,
    machine: &Machine,
) -> anyhow::Result<Value> {
    let labels: Vec<_> = it.contributions.iter().map(|part| part.component.to_string()).collect();
    let values: Vec<_> = it.contributions.iter().map(|part| part.logit).collect();
    let body = json!({
        "labels": labels,
        "values": values,
        // What the final layer norm's bias adds: no component's, but part of the sum.
        "bias": it.unembed_bias,
        "sum": it.sum(),
        "logit": it.logit,
        "raw_logit": it.raw_logit,
        "unit": "logit",
        "minus": if it.prompt.foil.is_some() { "foil" } else { "vocabulary mean" },
    });
    with_tail_but(&["subject_range"], body, &it.prompt, engine, machine)
}

pub(super) fn to_text(it: &LogitAttribution) -> String {
    let mut parts: Vec<_> = it.contributions.iter().collect();
    parts.sort_by(|a, b| b.logit.abs().total_cmp(&a.logit.abs()));
    let mut text = String::from("   logit  component (largest first)\n");
    for part in parts.into_iter().take(20) {
        _ = writeln!(text, "{:>+8.4}  {}", part.logit, part.component);
    }
    _ = writeln!(text, "{:>+8.4}  bias of the final layer norm", it.unembed_bias);
    _ = writeln!(text, "\nsum {:.4}, logit {:.4}", it.sum(), it.logit);
    text
}
