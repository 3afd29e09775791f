use std::fmt::Write as _;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::head::HeadArg;
use super::output::{AnalysisOutput, with_tail_of_weights};
use super::{Machine, WeightArgs};
use crate::analysis::AnalysisSpec;
use crate::analysis::circuit::{Circuit as Kind, CircuitReading, Ends, Spec, TokenScore};
use crate::tokens::visible;
use crate::worker::Engine;

#[derive(Args)]
pub(super) struct Circuit {
    #[command(flatten)]
    model: WeightArgs,

    /// Layer and head, both from 0, such as `9.1`
    #[arg(long, value_name = "LAYER.HEAD")]
    head: HeadArg,

    /// `ov`: what is written, given what is read; `qk`: what is looked at, given what looks
    #[arg(long = "circuit", value_enum, default_value = "ov")]
    kind: CircuitArg,

    /// How many singular vectors are read
    #[arg(long, value_name = "N", default_value_t = 5)]
    vectors: usize,

    /// How many tokens are listed at each end of one
    #[arg(long, value_name = "N", default_value_t = 8)]
    tokens: usize,

    #[command(flatten)]
    output: AnalysisOutput,
}

#[derive(Clone, Copy, ValueEnum)]
enum CircuitArg {
    Ov,
    Qk,
}

impl Circuit {
    pub fn run(&self, machine: &Machine) -> anyhow::Result<()> {
        self.output.check()?;
        let session = self.model.open(machine)?;
        let spec = AnalysisSpec::Circuit(Spec {
            layer: self.head.layer,
            head: self.head.head,
            circuit: match self.kind {
                CircuitArg::Ov => Kind::Ov,
                CircuitArg::Qk => Kind::Qk,
            },
            n_vectors: self.vectors,
            n_tokens: self.tokens,
            processing: self.model.process.clone(),
        });
        session.finish(spec, &self.output, machine)
    }
}

pub(super) fn to_json(
    it: &CircuitReading,
    engine: &Engine,
    machine: &Machine,
) -> anyhow::Result<Value> {
    let tokenizer = &engine.info.tokenizer;
    let list = |tokens: &[TokenScore]| {
        let tokens = tokens
            .iter()
            .map(|it| json!({ "id": it.id, "token": tokenizer.piece(it.id), "score": it.score }));
        tokens.collect::<Value>()
    };
    let ends =
        |it: &Ends| json!({ "positive": list(&it.positive), "negative": list(&it.negative) });
    let vectors = it.vectors.iter().map(|it| {
        json!({
            "singular_value": it.value,
            "reads": ends(&it.reads),
            "writes": ends(&it.writes),
        })
    });
    let body = json!({
        "spec": it.spec,
        "singular_values": it.singular_values,
        "vectors": vectors.collect::<Value>(),
        "copying": it.copying,
    });
    with_tail_of_weights(body, engine, machine)
}

pub(super) fn to_text(it: &CircuitReading, engine: &Engine) -> String {
    let tokenizer = &engine.info.tokenizer;
    let Spec { layer, head, circuit, processing, .. } = &it.spec;
    let (name, reads, writes) = match circuit {
        Kind::Ov => ("OV", "reads", "writes"),
        Kind::Qk => ("QK", "from", "to"),
    };
    let mut text = format!("{name} circuit of L{layer}H{head}, weights processed: {processing}\n");
    if let Some(copying) = &it.copying {
        _ = writeln!(text, "copying score {:+.3}", copying.score);
    }
    let list = |tokens: &[TokenScore]| {
        let tokens = tokens.iter().map(|it| visible(&tokenizer.piece(it.id)));
        tokens.collect::<Vec<_>>().join(" ")
    };
    for (nth, vector) in it.vectors.iter().enumerate() {
        _ = writeln!(text, "\nsingular value {nth}: {:.4}", vector.value);
        for (side, ends) in [(reads, &vector.reads), (writes, &vector.writes)] {
            _ = writeln!(text, "  {side:<6} +  {}", list(&ends.positive));
            _ = writeln!(text, "  {side:<6} -  {}", list(&ends.negative));
        }
    }
    text
}
