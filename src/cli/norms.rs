use std::fmt::Write as _;

use clap::Args;
use serde_json::{Value, json};

use super::fact::FactArgs;
use super::output::AnalysisOutput;
use super::{Machine, ModelArgs};
use crate::analysis::residual_norms::{ResidualNorms, Spec};
use crate::analysis::{AnalysisSpec, Grid};

#[derive(Args)]
pub(super) struct Norms {
    #[command(flatten)]
    model: ModelArgs,

    #[command(flatten)]
    fact: FactArgs,

    #[command(flatten)]
    output: AnalysisOutput,
}

impl Norms {
    pub fn run(&self, machine: &Machine) -> anyhow::Result<()> {
        self.output.check()?;
        let session = self.model.ask(self.fact.source(), machine)?;
        let spec = AnalysisSpec::ResidualNorms(Spec);
        session.finish(spec, &self.output, machine)
    }
}

pub(super) fn to_json(it: &ResidualNorms) -> Value {
    // Layer × position.
    let rows = |grid: &Grid<f32>| json!(grid.rows().collect::<Vec<_>>());
    json!({
        "unit": "euclidean norm",
        "embed": it.embed,
        "pos_embed": it.pos_embed,
        "resid_pre": rows(&it.resid_pre),
        "attn_out": rows(&it.attn_out),
        "resid_mid": rows(&it.resid_mid),
        "mlp_out": rows(&it.mlp_out),
        "resid_post": rows(&it.resid_post),
    })
}

pub(super) fn to_text(it: &ResidualNorms) -> String {
    let last = it.prompt.last();
    let mut text = format!(
        "norms at the last token: embed {:.3}, pos_embed {:.3}\n\nlayer  resid_pre  attn_out  \
         resid_mid   mlp_out  resid_post\n",
        it.embed[last], it.pos_embed[last]
    );
    for layer in 0..it.resid_pre.n_rows() {
        let at = |grid: &Grid<f32>| grid.get(layer, last).copied().unwrap_or(f32::NAN);
        _ = writeln!(
            text,
            "{layer:>5}  {:>9.3}  {:>8.3}  {:>9.3}  {:>8.3}  {:>10.3}",
            at(&it.resid_pre),
            at(&it.attn_out),
            at(&it.resid_mid),
            at(&it.mlp_out),
            at(&it.resid_post)
        );
    }
    text
}
