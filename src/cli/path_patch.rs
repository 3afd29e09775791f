use std::fmt::Write as _;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::Machine;
use super::output::{AnalysisOutput, with_tail};
use super::patch::{Paired, PairedArgs, pairs_json};
use crate::analysis::path_patching::{Between, PathPatching, Spec};
use crate::analysis::{AnalysisSpec, Measurement, Metric, Positions, Receiver, Sender};
use crate::tokens::visible;
use crate::worker::Engine;

#[derive(Args)]
pub(super) struct PathPatch {
    #[command(flatten)]
    asked: PairedArgs,

    /// What is told: `logits`, what heads read for queries, keys or values such as `L9H6.q`, or an
    /// MLP such as `MLP3`; several are told together
    #[arg(long = "to", value_name = "PART", required = true)]
    receivers: Vec<Receiver>,

    /// At which tokens it is told, for heads and MLPs: `all`, `subject`, `non-subject`, `last`, a
    /// position such as `3`, or a range such as `3..6` without its end
    #[arg(long, value_name = "WHERE", default_value = "all")]
    positions: Positions,

    /// What MLPs on the way do: react, as in Wang et al. 2022, or keep their clean outputs
    #[arg(long, value_enum, default_value = "recomputed")]
    mlps: MlpsArg,

    /// A wrong answer, for the logit difference [default: the dataset's, if it has one, else that of
    /// --from-answer]
    #[arg(long, value_name = "TEXT")]
    foil: Option<String>,

    #[command(flatten)]
    output: AnalysisOutput,
}

#[derive(Clone, Copy, ValueEnum)]
enum MlpsArg {
    Recomputed,
    Frozen,
}

impl PathPatch {
    pub fn run(&self, machine: &Machine) -> anyhow::Result<()> {
        self.output.check()?;
        let Paired { session, donor, pairs } = self.asked.ask(self.foil.as_deref(), machine)?;
        let spec = AnalysisSpec::PathPatching(Spec {
            pairs,
            donor: donor.into(),
            receivers: self.receivers.clone(),
            receiver_positions: self.positions.clone(),
            between: match self.mlps {
                MlpsArg::Recomputed => Between::Recomputed,
                MlpsArg::Frozen => Between::Frozen,
            },
        });
        session.finish(spec, &self.output, machine)
    }
}

pub(super) fn to_json(
    it: &PathPatching,
    engine: &Engine,
    machine: &Machine,
) -> anyhow::Result<Value> {
    let donor = &it.spec.donor;
    let change = |metric: Metric| {
        let of = |cell: &Option<Measurement>| it.change(cell.as_ref(), metric);
        let heads = it.heads.map(of);
        let heads: Vec<Vec<_>> = heads.rows().map(<[_]>::to_vec).collect();
        json!({ "heads": heads, "mlps": it.mlps.iter().map(of).collect::<Vec<_>>() })
    };
    let has_foil = it.prompt.foil.is_some();
    let body = json!({
        "spec": it.spec,
        "pairs": pairs_json(&it.spec.pairs, donor, &it.prompt),
        "clean": it.clean,
        // Layer × head; null where there is no path.
        "heads": it.heads.rows().collect::<Vec<_>>(),
        "mlps": it.mlps,
        "change": {
            "prob": change(Metric::Prob),
            "log_prob": change(Metric::LogProb),
            "logit": change(Metric::Logit),
            "logit_diff": has_foil.then(|| change(Metric::LogitDiff)),
        },
        "donor_tokens": donor.pieces,
        "donor_ids": donor.ids,
    });
    with_tail(body, &it.prompt, engine, machine)
}

/// How many senders are listed.
const N_LISTED: usize = 20;

pub(super) fn to_text(it: &PathPatching) -> String {
    let answer = it.prompt.answer.as_ref().map(|it| visible(&it.pieces[0])).unwrap_or_default();
    let metric = if it.prompt.foil.is_some() { Metric::LogitDiff } else { Metric::Logit };
    let reading = match &it.prompt.foil {
        Some(foil) => format!("logit of {answer} less that of {}", visible(&foil.pieces[0])),
        None => format!("logit of {answer}"),
    };
    let to: Vec<String> = it.spec.receivers.iter().map(ToString::to_string).collect();
    let mlps = match it.spec.between {
        Between::Recomputed => "recomputed",
        Between::Frozen => "frozen",
    };
    let mut text = format!(
        "{reading}: {:.4}\nchange with the direct paths to {} patched from “{}”, MLPs between {mlps}\n",
        it.clean.get(metric).unwrap_or(f32::NAN),
        to.join(", "),
        it.spec.donor.text,
    );
    let n_heads = it.heads.n_columns();
    let heads = it
        .heads
        .values()
        .iter()
        .enumerate()
        .map(|(nth, cell)| (Sender::Head { layer: nth / n_heads, head: nth % n_heads }, cell));
    let mlps = it.mlps.iter().enumerate().map(|(layer, cell)| (Sender::Mlp { layer }, cell));
    let mut found: Vec<(Sender, f32)> = heads
        .chain(mlps)
        .filter_map(|(sender, cell)| Some((sender, it.change(cell.as_ref(), metric)?)))
        .collect();
    found.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
    for (sender, change) in found.into_iter().take(N_LISTED) {
        _ = writeln!(text, "{change:>+9.4}  {sender}");
    }
    text
}
