use std::fmt::Write as _;

use clap::Args;
use serde_json::{Value, json};

use super::Machine;
use super::contrast::{self, EstimateArgs, readings};
use super::output::{AnalysisOutput, with_tail};
use crate::analysis::atp_star::{AtpStar, Effect, Node, Spec, Verified};
use crate::analysis::{Agreement, AnalysisSpec};
use crate::tokens::visible;
use crate::worker::Engine;

#[derive(Args)]
pub(super) struct AtpStarCommand {
    #[command(flatten)]
    asked: EstimateArgs,

    #[command(flatten)]
    output: AnalysisOutput,
}

impl AtpStarCommand {
    pub fn run(&self, machine: &Machine) -> anyhow::Result<()> {
        self.output.check()?;
        let (session, contrast, metric) = self.asked.ask(machine)?;
        let n_verified = self.asked.verify;
        let spec = AnalysisSpec::AtpStar(Spec { contrast, metric, n_verified });
        session.finish(spec, &self.output, machine)
    }
}

pub(super) fn to_json(it: &AtpStar, engine: &Engine, machine: &Machine) -> anyhow::Result<Value> {
    let maps = |read: fn(&Effect) -> f32| -> Value {
        let named = Node::ALL.into_iter().zip(&it.effects).map(|(node, grids)| {
            let grids = grids.iter().map(|grid| grid.map(read));
            let maps: Vec<Value> =
                grids.map(|grid| json!(grid.rows().collect::<Vec<_>>())).collect();
            // Token × layer × head; for MLPs layer × token.
            let maps = if node == Node::Mlp { maps[0].clone() } else { json!(maps) };
            (node_key(node).to_owned(), maps)
        });
        Value::Object(named.collect())
    };
    let body = json!({
        "spec": it.spec,
        "estimated_by": "AtP*",
        "base": it.base,
        "metric": it.spec.metric.key(),
        "corruption": contrast::name(&it.spec.contrast),
        "corruptions": it.corruptions,
        "noise_std": it.noise_std,
        "clean": it.clean,
        "corrupted": it.corrupted,
        "atp": maps(|it| it.plain),
        "atp_fixed": maps(|it| it.fixed),
        "atp_star": maps(|it| it.size),
        "verified": it.verified,
        "agreement": it.agreement.map(|[fixed, plain]| json!({ "atp_fixed": fixed, "atp": plain })),
    });
    with_tail(body, &it.prompt, engine, machine)
}

fn node_key(node: Node) -> &'static str {
    match node {
        Node::Query => "q",
        Node::Key => "k",
        Node::Value => "v",
        Node::Z => "z",
        Node::Mlp => "mlp_out",
    }
}

/// How many parts are listed.
const N_LISTED: usize = 20;

pub(super) fn to_text(it: &AtpStar) -> String {
    let answer = it.prompt.answer.as_ref().map(|it| visible(&it.pieces[0])).unwrap_or_default();
    let metric = it.spec.metric;
    let mut text = format!(
        "{} of {answer}: {}\nestimated change when one part is corrupted, gradients at the clean \
         run\n    AtP*    fixed    plain",
        metric.key(),
        readings(
            &it.clean,
            &it.corrupted,
            metric,
            &it.spec.contrast,
            it.noise_std,
            &it.corruptions
        ),
    );
    text.push_str(if it.verified.is_empty() { "\n" } else { "  patched\n" });
    let ranked = if it.verified.is_empty() { it.ranked() } else { it.verified.clone() };
    for part in ranked.iter().take(N_LISTED.max(it.verified.len())) {
        let Effect { plain, fixed, size } = part.estimate;
        let patched =
            if it.verified.is_empty() { String::new() } else { format!(" {:>+8.4}", part.patched) };
        let token = visible(&it.prompt.pieces[part.pos]);
        _ = writeln!(
            text,
            "{size:>8.4} {fixed:>+8.4} {plain:>+8.4}{patched}  {:<8} token {:>3} {token}",
            name(part),
            part.pos
        );
    }
    if let Some([fixed, plain]) = &it.agreement {
        _ = writeln!(
            text,
            "\nwith what was patched: fixed {}; plain {}",
            words(fixed),
            words(plain)
        );
    }
    text
}

fn name(part: &Verified) -> String {
    match part.head {
        Some(head) => format!("L{}H{head}.{}", part.layer, node_key(part.node)),
        None => format!("MLP{}", part.layer),
    }
}

/// Correlations in words.
pub(super) fn words(agreement: &Agreement) -> String {
    let number =
        |it: Option<f64>| it.map_or_else(|| "undefined".to_owned(), |it| format!("{it:.3}"));
    format!(
        "Pearson {}, Spearman {} (n = {})",
        number(agreement.pearson),
        number(agreement.spearman),
        agreement.n
    )
}
