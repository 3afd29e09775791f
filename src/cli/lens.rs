use std::fmt::Write as _;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::fact::FactArgs;
use super::output::{AnalysisOutput, with_tail_but};
use super::{Machine, ModelArgs};
use crate::analysis::AnalysisSpec;
use crate::analysis::logit_lens::{LensCell, LensScale, LogitLens, Spec};
use crate::analysis::prediction::Candidate;
use crate::tokens::visible;
use crate::worker::Engine;

#[derive(Args)]
pub(super) struct Lens {
    #[command(flatten)]
    model: ModelArgs,

    #[command(flatten)]
    fact: FactArgs,

    /// What each layer's residual stream is divided by in the final layer norm: its own standard
    /// deviation, or the one at the last layer, as in direct logit attribution
    #[arg(long, value_enum, default_value = "own")]
    scale: ScaleArg,

    /// How many of the likeliest tokens are listed for each layer and position
    #[arg(long, value_name = "N", default_value_t = 1)]
    top: usize,

    #[command(flatten)]
    output: AnalysisOutput,
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum ScaleArg {
    Own,
    Final,
}

impl From<ScaleArg> for LensScale {
    fn from(scale: ScaleArg) -> Self {
        match scale {
            ScaleArg::Own => Self::Own,
            ScaleArg::Final => Self::Final,
        }
    }
}

impl Lens {
    pub fn run(&self, machine: &Machine) -> anyhow::Result<()> {
        self.output.check()?;
        let session = self.model.ask(self.fact.source(), machine)?;
        let spec = Spec { scale: self.scale.into(), n_top: self.top };
        session.finish(AnalysisSpec::LogitLens(spec), &self.output, machine)
    }
}

pub(super) fn to_json(
    lens: &LogitLens,
    engine: &Engine,
    machine: &Machine,
) -> anyhow::Result<Value> {
    let tokenizer = &engine.info.tokenizer;
    let cell = |(it, candidates): (&LensCell, &Vec<Candidate>)| {
        let candidates = candidates
            .iter()
            .map(|it| json!({ "id": it.id, "token": tokenizer.piece(it.id), "prob": it.prob }));
        json!({
            "candidates": candidates.collect::<Vec<_>>(),
            "answer_prob": it.answer_prob,
            "answer_rank": it.answer_rank,
            "top": {
                "id": it.top_token,
                "token": tokenizer.piece(it.top_token),
                "prob": it.top_prob,
            },
        })
    };
    let layers = lens.cells.rows().zip(lens.top.rows()).enumerate().map(|(layer, (row, top))| {
        let cells: Vec<Value> = row.iter().zip(top).map(cell).collect();
        let mut last = cells.last().cloned().unwrap_or_default();
        last["layer"] = layer.into();
        last["positions"] = cells.into();
        last
    });
    let body = json!({ "layers": layers.collect::<Vec<_>>(), "scale": lens.spec.scale });
    with_tail_but(&["foil", "subject_range", "model"], body, &lens.prompt, engine, machine)
}

pub(super) fn to_text(lens: &LogitLens, engine: &Engine) -> String {
    let tokenizer = &engine.info.tokenizer;
    let answer = lens.prompt.answer.as_ref().map(|it| visible(&it.pieces[0])).unwrap_or_default();
    let mut text = format!("layer  p({answer})  rank  top token\n");
    for (layer, row) in lens.cells.rows().enumerate() {
        let Some(it) = row.last() else { continue };
        let token = |id, prob| format!("{} ({prob:.3})", visible(&tokenizer.piece(id)));
        let listed = lens.top.get(layer, row.len() - 1).filter(|it| !it.is_empty());
        let tokens: Vec<_> = match listed {
            Some(top) => top.iter().map(|it| token(it.id, it.prob)).collect(),
            None => vec![token(it.top_token, it.top_prob)],
        };
        _ = writeln!(
            text,
            "{layer:>5}  {:.5}  {:>5}  {}",
            it.answer_prob,
            it.answer_rank,
            tokens.join("  ")
        );
    }
    text
}
