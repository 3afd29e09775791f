use std::fmt::Write as _;

use clap::Args;
use serde_json::{Value, json};

use super::output::{AnalysisOutput, with_tail_but};
use super::{Machine, ModelArgs};
use crate::analysis::AnalysisSpec;
use crate::analysis::logit_lens::{LensCell, LogitLens, Spec};
use crate::experiment::{FactSource, TextFact};
use crate::tokens::visible;
use crate::worker::Engine;

#[derive(Args)]
pub(super) struct Lens {
    #[command(flatten)]
    model: ModelArgs,

    /// The text up to the answer
    #[arg(long, value_name = "TEXT")]
    prompt: String,

    /// The answer, by its first token; its leading space is added [default: the model's own first
    /// guess]
    #[arg(long, value_name = "TEXT")]
    answer: Option<String>,

    #[command(flatten)]
    output: AnalysisOutput,
}

impl Lens {
    pub fn run(&self, machine: &Machine) -> anyhow::Result<()> {
        self.output.check()?;
        let fact = TextFact {
            prompt: self.prompt.clone(),
            answer: self.answer.clone(),
            ..TextFact::default()
        };
        let session = self.model.ask(FactSource::Text(fact), machine)?;
        session.finish(AnalysisSpec::LogitLens(Spec), &self.output, machine)
    }
}

pub(super) fn to_json(
    lens: &LogitLens,
    engine: &Engine,
    machine: &Machine,
) -> anyhow::Result<Value> {
    let tokenizer = &engine.info.tokenizer;
    let cell = |it: &LensCell| {
        json!({
            "answer_prob": it.answer_prob,
            "answer_rank": it.answer_rank,
            "top": {
                "id": it.top_token,
                "token": tokenizer.piece(it.top_token),
                "prob": it.top_prob,
            },
        })
    };
    let layers = lens.cells.rows().enumerate().map(|(layer, row)| {
        let mut last = row.last().map(cell).unwrap_or_default();
        last["layer"] = layer.into();
        last["positions"] = row.iter().map(cell).collect();
        last
    });
    let body = json!({ "layers": layers.collect::<Vec<_>>() });
    with_tail_but(&["foil", "subject_range", "model"], body, &lens.prompt, engine, machine)
}

pub(super) fn to_text(lens: &LogitLens, engine: &Engine) -> String {
    let tokenizer = &engine.info.tokenizer;
    let answer = lens.prompt.answer.as_ref().map(|it| visible(&it.pieces[0])).unwrap_or_default();
    let mut text = format!("layer  p({answer})  rank  top token\n");
    for (layer, row) in lens.cells.rows().enumerate() {
        let Some(it) = row.last() else { continue };
        let token = visible(&tokenizer.piece(it.top_token));
        _ = writeln!(
            text,
            "{layer:>5}  {:.5}  {:>5}  {token} ({:.3})",
            it.answer_prob, it.answer_rank, it.top_prob
        );
    }
    text
}
