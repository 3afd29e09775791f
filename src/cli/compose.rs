use std::fmt::Write as _;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::output::{AnalysisOutput, with_tail_of_weights};
use super::{Machine, WeightArgs};
use crate::analysis::AnalysisSpec;
use crate::analysis::composition::{Composition, Mode, ModeScores, Spec};
use crate::worker::Engine;

#[derive(Args)]
pub(super) struct Compose {
    #[command(flatten)]
    model: WeightArgs,

    /// Where the later head takes in what the earlier one wrote: its queries, keys or values
    #[arg(long, value_enum, value_delimiter = ',', default_value = "q,k,v")]
    modes: Vec<ModeArg>,

    /// How many of the highest pairs are listed
    #[arg(long, value_name = "N", default_value_t = 20)]
    top: usize,

    #[command(flatten)]
    output: AnalysisOutput,
}

#[derive(Clone, Copy, ValueEnum)]
enum ModeArg {
    Q,
    K,
    V,
}

impl Compose {
    pub fn run(&self, machine: &Machine) -> anyhow::Result<()> {
        self.output.check()?;
        let session = self.model.open(machine)?;
        let mode = |mode: &ModeArg| match mode {
            ModeArg::Q => Mode::Q,
            ModeArg::K => Mode::K,
            ModeArg::V => Mode::V,
        };
        let spec = AnalysisSpec::Composition(Spec {
            modes: self.modes.iter().map(mode).collect(),
            n_top: self.top,
            processing: self.model.process.clone(),
        });
        session.finish(spec, &self.output, machine)
    }
}

pub(super) fn to_json(
    it: &Composition,
    engine: &Engine,
    machine: &Machine,
) -> anyhow::Result<Value> {
    let n_all = it.n_layers * it.n_heads;
    // Earlier layer × head × later layer × head.
    let scores = |of_mode: &ModeScores| -> Value {
        let heads: Vec<Vec<&[f32]>> =
            of_mode.scores.chunks(n_all).map(|row| row.chunks(it.n_heads).collect()).collect();
        heads.chunks(it.n_heads).map(|layer| json!(layer)).collect()
    };
    let scores = it.modes.iter().map(|of_mode| (key(of_mode.mode).to_owned(), scores(of_mode)));
    let body = json!({
        "spec": it.spec,
        "top": it.top(),
        "scores": scores.collect::<serde_json::Map<_, _>>(),
    });
    with_tail_of_weights(body, engine, machine)
}

fn key(mode: Mode) -> &'static str {
    match mode {
        Mode::Q => "q",
        Mode::K => "k",
        Mode::V => "v",
    }
}

pub(super) fn to_text(it: &Composition) -> String {
    let mut text = format!(
        "highest composition scores, weights processed: {}\n\n score  through  heads\n",
        it.spec.processing
    );
    for pair in it.top() {
        let ([layer, head], [later, later_head]) = (pair.earlier, pair.later);
        let through = key(pair.mode);
        _ = writeln!(
            text,
            "{:>6.3}  {through:<7}  L{layer}H{head} -> L{later}H{later_head}",
            pair.score
        );
    }
    text
}
