use std::fmt::Write as _;

use clap::Args;
use serde_json::{Value, json};

use super::fact::FactArgs;
use super::output::{AnalysisOutput, with_tail_but};
use super::{Machine, ModelArgs};
use crate::analysis::AnalysisSpec;
use crate::analysis::generation::{Choice, Generation, Spec, Stopped};
use crate::tokens::{Tokenizer, visible};
use crate::worker::Engine;

#[derive(Args)]
pub(super) struct Generate {
    #[command(flatten)]
    model: ModelArgs,

    #[command(flatten)]
    fact: FactArgs,

    /// The most tokens to write
    #[arg(long, value_name = "N", default_value_t = 20)]
    tokens: usize,

    /// Draw at random: logits are divided by this [default: no draw, the likeliest each time]
    #[arg(long, value_name = "T")]
    temperature: Option<f64>,

    /// Draw from the K likeliest tokens
    #[arg(long, value_name = "K")]
    top_k: Option<usize>,

    /// Draw from the likeliest tokens that hold this much of the probability, 0 to 1
    #[arg(long, value_name = "P")]
    top_p: Option<f64>,

    /// Draw with this seed: the same gives the same text
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// Write on after `<|endoftext|>`
    #[arg(long)]
    ignore_end: bool,

    #[command(flatten)]
    output: AnalysisOutput,
}

impl Generate {
    pub fn run(&self, machine: &Machine) -> anyhow::Result<()> {
        self.output.check()?;
        let session = self.model.ask(self.fact.source(), machine)?;
        let Self { temperature, top_k, top_p, seed, .. } = *self;
        let is_drawn =
            temperature.is_some() || top_k.is_some() || top_p.is_some() || seed.is_some();
        let choice = if is_drawn {
            let (temperature, seed) = (temperature.unwrap_or(1.0), seed.unwrap_or(0));
            Choice::Sample { temperature, top_k, top_p, seed }
        } else {
            Choice::Greedy
        };
        let end = session.engine.info.tokenizer.bos().filter(|_| !self.ignore_end);
        let spec = Spec { n_tokens: self.tokens, choice, end };
        session.finish(AnalysisSpec::Generation(spec), &self.output, machine)
    }
}

/// Characters may be split over tokens, so all are decoded together.
fn continuation(it: &Generation, tokenizer: &Tokenizer) -> String {
    let bytes: Vec<u8> = it.tokens.iter().flat_map(|token| tokenizer.bytes(token.id)).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

pub(super) fn to_json(
    it: &Generation,
    engine: &Engine,
    machine: &Machine,
) -> anyhow::Result<Value> {
    let tokenizer = &engine.info.tokenizer;
    let written = it.tokens.iter().map(|token| {
        json!({
            "id": token.id,
            "token": tokenizer.piece(token.id),
            "logit": token.logit,
            "prob": token.prob,
            "drawn_with": token.drawn_with,
            "n_candidates": token.n_candidates,
        })
    });
    let body = json!({
        "spec": it.spec,
        "text": it.prompt.text,
        "continuation": continuation(it, tokenizer),
        "written": written.collect::<Vec<_>>(),
        "stopped": it.stopped,
    });
    with_tail_but(&["answer", "foil", "subject_range"], body, &it.prompt, engine, machine)
}

pub(super) fn to_text(it: &Generation, engine: &Engine) -> String {
    let tokenizer = &engine.info.tokenizer;
    let mut text =
        format!("{}{}\n\n    prob  token\n", it.prompt.text, continuation(it, tokenizer));
    for token in &it.tokens {
        _ = writeln!(text, "{:>8.5}  {}", token.prob, visible(&tokenizer.piece(token.id)));
    }
    match it.stopped {
        Some(Stopped::Context) => text.push_str("\nThe model takes no more tokens.\n"),
        Some(Stopped::End) => text.push_str("\nThe text has ended.\n"),
        Some(Stopped::Length) | None => {}
    }
    text
}
