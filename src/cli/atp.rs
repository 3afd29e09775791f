use std::fmt::Write as _;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::Machine;
use super::corruption;
use super::output::AnalysisOutput;
use super::run::Session;
use super::trace::{TraceArgs, list_foremost, map_json};
use crate::analysis::attribution_patching::{AttributionPatching, BasePoint, Spec, Windows};
use crate::analysis::{AnalysisSpec, Grid, Measurement, Metric};
use crate::tokens::visible;

#[derive(Args)]
pub(super) struct Atp {
    #[command(flatten)]
    what: TraceArgs,

    /// The run at which the gradient is taken: Nanda 2023 takes the corrupted one, Kramár et al.
    /// 2024 the clean one
    #[arg(long, value_enum, default_value = "corrupted")]
    base: Base,

    /// What is estimated to first order
    #[arg(long, value_enum, default_value = "prob")]
    metric: MetricArg,

    /// How the layers of a window are taken together: `held`, as outputs that do not react to each
    /// other at the restored token, or `added`, as the sum of their own estimates
    #[arg(long, value_enum, default_value = "held")]
    windows: WindowsArg,

    /// Patch the N cells with the largest estimated effects for real
    #[arg(long, value_name = "N", default_value_t = 0)]
    verify: usize,

    #[command(flatten)]
    output: AnalysisOutput,
}

#[derive(Clone, Copy, ValueEnum)]
enum Base {
    Corrupted,
    Clean,
}

#[derive(Clone, Copy, ValueEnum)]
enum WindowsArg {
    Held,
    Added,
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum MetricArg {
    Prob,
    AnswerProb,
    LogProb,
    Logit,
    LogitDiff,
}

impl Atp {
    pub fn run(&self, machine: &Machine) -> anyhow::Result<()> {
        self.output.check()?;
        let (session, trace) = self.what.ask(machine)?;
        let spec = Spec {
            trace,
            base: match self.base {
                Base::Corrupted => BasePoint::Corrupted,
                Base::Clean => BasePoint::Clean,
            },
            metric: self.metric.into(),
            windows: match self.windows {
                WindowsArg::Held => Windows::Held,
                WindowsArg::Added => Windows::Added,
            },
            n_verified: self.verify,
        };
        session.finish(AnalysisSpec::AttributionPatching(spec), &self.output, machine)
    }
}

impl From<MetricArg> for Metric {
    fn from(metric: MetricArg) -> Self {
        match metric {
            MetricArg::Prob => Self::Prob,
            MetricArg::AnswerProb => Self::AnswerProb,
            MetricArg::LogProb => Self::LogProb,
            MetricArg::Logit => Self::Logit,
            MetricArg::LogitDiff => Self::LogitDiff,
        }
    }
}

/// The estimated map. (layer, position)
fn scores(found: &AttributionPatching) -> anyhow::Result<Grid<Option<f32>>> {
    let scores = found.scores(found.spec.metric).context("this metric was estimated")?;
    Ok(scores.map(|&score| Some(score)))
}

/// The keys of a trace, and what makes it an estimate.
pub(super) fn to_json(
    found: &AttributionPatching,
    session: &Session,
    machine: &Machine,
) -> anyhow::Result<Value> {
    let metric = found.spec.metric;
    let mut json = map_json(&found.unfilled_trace(), &scores(found)?, metric, session, machine)?;
    // Token × layer × head, as `scores` are token × layer.
    let heads: Vec<Vec<&[f32]>> =
        found.heads.iter().map(|layers| layers.rows().collect()).collect();
    let verified: Vec<Value> = found
        .verified
        .iter()
        .map(|it| {
            json!({
                "layer": it.layer,
                "token": it.pos,
                "estimate": it.estimate,
                "patched": it.patched,
            })
        })
        .collect();
    json["estimated_by"] = json!("attribution patching");
    json["base"] = json!(found.spec.base);
    json["metric"] = json!(metric.key());
    json["windows"] = json!(found.spec.windows);
    json["head_effects"] = json!(heads);
    json["verified"] = json!(verified);
    Ok(json)
}

pub(super) fn to_text(found: &AttributionPatching) -> anyhow::Result<String> {
    let scores = scores(found)?;
    let (prompt, metric) = (&found.prompt, found.spec.metric);
    let answer = prompt.answer.as_ref().map(|it| visible(&it.pieces[0])).unwrap_or_default();
    let low = Measurement::mean(&found.corrupted, metric).unwrap_or(f32::NAN);
    let high = found.clean.get(metric).unwrap_or(f32::NAN);
    let base = match found.spec.base {
        BasePoint::Corrupted => "corrupted runs",
        BasePoint::Clean => "clean run",
    };
    let mut text = format!(
        "{} of {answer}: clean {high:.5}, corrupted {low:.5} ({})\n\n\
         estimated after restoring, from the gradient at the {base}\n",
        metric.key(),
        corruption::in_words(&found.spec.trace.draws(), found.noise_std),
    );
    list_foremost(&mut text, &found.spec.trace, prompt, &scores);
    if !found.verified.is_empty() {
        _ = writeln!(text, "\nlargest effects, patched for real\n  estimate   patched");
    }
    for it in &found.verified {
        let token = visible(&prompt.pieces[it.pos]);
        _ = writeln!(
            text,
            "  {:>8.5}  {:>8.5}  layer {:>2}  token {:>3} {token}",
            it.estimate, it.patched, it.layer, it.pos
        );
    }
    Ok(text)
}
