use std::fmt::Write as _;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::Machine;
use super::atp_star::words;
use super::contrast::{self, EstimateArgs, readings};
use super::output::{AnalysisOutput, with_tail};
use crate::analysis::AnalysisSpec;
use crate::analysis::edge_attribution::{EdgeAttribution, EdgeBase, Spec};
use crate::tokens::visible;
use crate::worker::Engine;

#[derive(Args)]
pub(super) struct Eap {
    #[command(flatten)]
    asked: EstimateArgs,

    /// `eap`: the gradient at the clean run (Syed et al. 2023); `eap-ig`: its mean between the
    /// corrupted and the clean embeddings (Hanna et al. 2024)
    #[arg(long, value_enum, default_value = "eap-ig")]
    method: Method,

    /// How many runs that mean is over
    #[arg(long, value_name = "M", default_value_t = 30)]
    steps: usize,

    /// How many edges to keep
    #[arg(long, value_name = "N", default_value_t = 100)]
    edges: usize,

    #[command(flatten)]
    output: AnalysisOutput,
}

#[derive(Clone, Copy, ValueEnum)]
enum Method {
    Eap,
    EapIg,
}

impl Eap {
    pub fn run(&self, machine: &Machine) -> anyhow::Result<()> {
        self.output.check()?;
        let (session, contrast, metric) = self.asked.ask(machine)?;
        let spec = AnalysisSpec::EdgeAttribution(Spec {
            contrast,
            metric,
            base: match self.method {
                Method::Eap => EdgeBase::Clean,
                Method::EapIg => EdgeBase::Between { n_steps: self.steps },
            },
            n_edges: self.edges,
            n_verified: self.asked.verify,
        });
        session.finish(spec, &self.output, machine)
    }
}

pub(super) fn to_json(
    it: &EdgeAttribution,
    engine: &Engine,
    machine: &Machine,
) -> anyhow::Result<Value> {
    let edges = it.edges.iter().enumerate().map(|(nth, edge)| {
        let patched = it.verified.get(nth);
        json!({ "from": edge.from, "to": edge.to, "score": edge.score, "patched": patched })
    });
    let (method, base) = match it.spec.base {
        EdgeBase::Clean => ("EAP", "clean".to_owned()),
        EdgeBase::Between { n_steps } => {
            ("EAP-IG", format!("{n_steps} runs from corrupted towards clean"))
        }
    };
    let body = json!({
        "spec": it.spec,
        "estimated_by": method,
        "base": base,
        "metric": it.spec.metric.key(),
        "corruption": contrast::name(&it.spec.contrast),
        "corruptions": it.corruptions,
        "noise_std": it.noise_std,
        "clean": it.clean,
        "corrupted": it.corrupted,
        "n_edges": it.n_edges,
        "edges": edges.collect::<Vec<_>>(),
        // Layer × head, and by layer.
        "nodes": {
            "embed": it.embed,
            "heads": it.heads.rows().collect::<Vec<_>>(),
            "mlps": it.mlps,
        },
        "agreement": it.agreement,
    });
    with_tail(body, &it.prompt, engine, machine)
}

/// How many edges are listed.
const N_LISTED: usize = 25;

pub(super) fn to_text(it: &EdgeAttribution) -> String {
    let answer = it.prompt.answer.as_ref().map(|it| visible(&it.pieces[0])).unwrap_or_default();
    let metric = it.spec.metric;
    let base = match it.spec.base {
        EdgeBase::Clean => "EAP: gradient at the clean run".to_owned(),
        EdgeBase::Between { n_steps } => {
            format!("EAP-IG: mean gradient of {n_steps} runs from the corrupted to the clean one")
        }
    };
    let mut text = format!(
        "{} of {answer}: {}\nestimated change when one edge is corrupted, of {} edges\n{base}\n",
        metric.key(),
        readings(
            &it.clean,
            &it.corrupted,
            metric,
            &it.spec.contrast,
            it.noise_std,
            &it.corruptions
        ),
        it.n_edges,
    );
    text.push_str(if it.verified.is_empty() { "   score\n" } else { "   score  patched\n" });
    for (nth, edge) in it.edges.iter().enumerate().take(N_LISTED.max(it.verified.len())) {
        let patched = match (it.verified.get(nth), it.verified.is_empty()) {
            (Some(patched), _) => format!(" {patched:>+8.4}"),
            (None, false) => " ".repeat(9),
            (None, true) => String::new(),
        };
        _ = writeln!(text, "{:>+8.4}{patched}  {} to {}", edge.score, edge.from, edge.to);
    }
    if let Some(agreement) = &it.agreement {
        _ = writeln!(text, "\nwith what was patched: {}", words(agreement));
    }
    text
}
