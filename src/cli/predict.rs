use std::fmt::Write as _;

use clap::Args;
use serde_json::{Value, json};

use super::output::Output;
use super::{Machine, ModelArgs};
use crate::analysis::prediction::{Prediction, Spec};
use crate::analysis::{AnalysisResult, AnalysisSpec, Measurement};
use crate::facts::Fact;
use crate::tokens::{Answer, TokenizedPrompt, Tokenizer, visible};

#[derive(Args)]
pub(super) struct Predict {
    #[command(flatten)]
    model: ModelArgs,

    /// The text to continue
    #[arg(long, value_name = "TEXT")]
    prompt: String,

    /// A continuation to score; its leading space is added
    #[arg(long, value_name = "TEXT")]
    answer: Option<String>,

    /// How many of the likeliest tokens to list
    #[arg(long, value_name = "N", default_value_t = 10)]
    top: usize,

    #[command(flatten)]
    output: Output,
}

impl Predict {
    pub fn run(&self, machine: &Machine) -> anyhow::Result<()> {
        self.output.check()?;
        let engine = self.model.load(machine)?;
        let tokenizer = &engine.info.tokenizer;
        let fact = Fact { answer: self.answer.clone(), ..Fact::from_text(&self.prompt, None)? };
        let prompt = TokenizedPrompt::new(tokenizer, &fact, self.model.bos())?;
        let spec = AnalysisSpec::Prediction(Spec { n_top: self.top });
        let result = machine.run(&engine, &prompt, &spec, "Predicting")?;
        let AnalysisResult::Prediction(prediction) = result else {
            unreachable!("a prediction was asked for");
        };
        self.output.write(&to_json(&prediction, tokenizer), &to_text(&prediction, tokenizer))
    }
}

fn to_json(prediction: &Prediction, tokenizer: &Tokenizer) -> Value {
    let top = prediction.top.iter().map(|it| {
        json!({
            "id": it.id,
            "token": tokenizer.piece(it.id),
            "prob": it.prob,
            "logit": it.logit,
        })
    });
    let mut json = json!({
        "tokens": prediction.prompt.pieces,
        "ids": prediction.prompt.ids,
        "bos": prediction.prompt.bos,
        "top": top.collect::<Vec<_>>(),
    });
    if let (Some(answer), Some(score)) = (&prediction.prompt.answer, &prediction.answer) {
        json["answer"] = score_json(answer, score);
    }
    json
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

fn to_text(prediction: &Prediction, tokenizer: &Tokenizer) -> String {
    let mut text = String::from("rank  prob     logit     token\n");
    for (rank, it) in prediction.top.iter().enumerate() {
        let token = visible(&tokenizer.piece(it.id));
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
