use std::fmt::Write as _;

use clap::Args;
use serde_json::{Value, json};

use super::fact::FactArgs;
use super::output::{AnalysisOutput, with_tail_but};
use super::{Machine, ModelArgs};
use crate::analysis::prediction::{Prediction, Spec};
use crate::analysis::{AnalysisSpec, Measurement};
use crate::tokens::{Answer, visible};
use crate::worker::Engine;

#[derive(Args)]
pub(super) struct Predict {
    #[command(flatten)]
    model: ModelArgs,

    #[command(flatten)]
    fact: FactArgs,

    /// How many of the likeliest tokens to list
    #[arg(long, value_name = "N", default_value_t = 10)]
    top: usize,

    #[command(flatten)]
    output: AnalysisOutput,
}

impl Predict {
    pub fn run(&self, machine: &Machine) -> anyhow::Result<()> {
        self.output.check()?;
        let session = self.model.ask(self.fact.source(), machine)?;
        let spec = AnalysisSpec::Prediction(Spec { n_top: self.top });
        session.finish(spec, &self.output, machine)
    }
}

pub(super) fn to_json(
    prediction: &Prediction,
    engine: &Engine,
    machine: &Machine,
) -> anyhow::Result<Value> {
    let top = prediction.top.iter().map(|it| {
        json!({
            "id": it.id,
            "token": engine.info.tokenizer.piece(it.id),
            "prob": it.prob,
            "logit": it.logit,
        })
    });
    let mut json = json!({ "top": top.collect::<Vec<_>>() });
    if let (Some(answer), Some(score)) = (&prediction.prompt.answer, &prediction.answer) {
        json["answer"] = score_json(answer, score);
    }
    let left_out = ["answer", "foil", "subject_range", "program", "model", "device"];
    with_tail_but(&left_out, json, &prediction.prompt, engine, machine)
}

/// By its first token, and as a whole.
fn score_json(answer: &Answer, score: &Measurement) -> Value {
    json!({
        "id": answer.first(),
        "ids": answer.ids,
        "tokens": answer.pieces,
        "prob": score.prob,
        "logit": score.logit,
        "log_prob": score.log_prob,
        "rank": score.rank,
        "whole": {
            "prob": score.answer_log_prob.exp(),
            "log_prob": score.answer_log_prob,
        },
    })
}

pub(super) fn to_text(prediction: &Prediction, engine: &Engine) -> String {
    let mut text = String::from("rank  prob     logit     token\n");
    for (rank, it) in prediction.top.iter().enumerate() {
        let token = visible(&engine.info.tokenizer.piece(it.id));
        _ = writeln!(text, "{rank:>4}  {:.5}  {:>8.3}  {token}", it.prob, it.logit);
    }
    if let (Some(answer), Some(score)) = (&prediction.prompt.answer, &prediction.answer) {
        let first = visible(&answer.pieces[0]);
        _ = writeln!(
            text,
            "\nanswer {}\n{:>4}  {:.5}  {:>8.3}  {first} (first token)",
            visible(&answer.text),
            score.rank,
            score.prob,
            score.logit
        );
        if answer.ids.len() > 1 {
            let (prob, n) = (score.answer_log_prob.exp(), answer.ids.len());
            _ = writeln!(text, "      {prob:.5}            all {n} tokens");
        }
    }
    text
}
