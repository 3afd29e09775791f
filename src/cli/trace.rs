use std::fmt::Write as _;

use anyhow::Context as _;
use clap::{ArgGroup, Args, ValueEnum};
use serde_json::{Value, json};

use super::Machine;
use super::cell::CellArg;
use super::corruption::{self, CorruptionArgs};
use super::fact::MeasuredArgs;
use super::output::{AnalysisOutput, answer_json, with_tail_but};
use super::run::Session;
use crate::analysis::causal_trace::{CausalTrace, Component, Direction, Map, Severed, Spec};
use crate::analysis::corruption::Draws;
use crate::analysis::effects::Effects;
use crate::analysis::{AnalysisSpec, Grid, Measurement, Metric, Positions, trace_cell};
use crate::figure::words::severed;
use crate::tokens::{TokenizedPrompt, visible};

#[derive(Args)]
// What is corrupted is the subject.
#[command(group(ArgGroup::new("typed").arg("prompt").requires("subject")))]
pub(super) struct Trace {
    #[command(flatten)]
    what: TraceArgs,

    /// One cell instead of the map, a token and a layer, both counted from 0: what the model says in
    /// each run behind it
    #[arg(long, value_name = "TOKEN,LAYER")]
    cell: Option<CellArg>,

    /// With --cell: how many of the likeliest next tokens are listed
    #[arg(long, value_name = "N", default_value_t = 10, requires = "cell")]
    top: usize,

    #[command(flatten)]
    output: AnalysisOutput,
}

/// Which trace of which fact: for `trace`, which computes it, and for `atp`, which estimates it.
#[derive(Args)]
pub(super) struct TraceArgs {
    #[command(flatten)]
    asked: MeasuredArgs,

    /// What is restored: the residual stream after a layer, what MLPs or attention add to it, or the
    /// output `z` of each head
    #[arg(long, value_enum)]
    kind: Restored,

    /// Restore at these tokens together instead of at one at a time: `all`, `subject`,
    /// `non-subject`, `last`, a position such as `3`, or a range such as `3..6` without its end
    /// [default for heads: all]
    #[arg(long, value_name = "WHERE")]
    at: Option<Positions>,

    /// With --at: a column for each of these widths of windows, such as `1,3,10`; hidden states have
    /// windows here too [default: --window, or 1 for hidden states]
    #[arg(long, value_name = "N,…", value_delimiter = ',', requires = "at")]
    widths: Vec<usize>,

    #[command(flatten)]
    corruption: CorruptionArgs,

    /// Layers restored together, for `mlp`, `attn` and `head` [default: 10, for heads 1]
    #[arg(long, value_name = "N")]
    window: Option<usize>,

    #[command(flatten)]
    way: WayArgs,
}

/// What is put where, and what may react to it.
#[derive(Args)]
pub(super) struct WayArgs {
    /// Hold what MLPs or attention add at the restored token at their corrupted values, so that only
    /// the path around them is left (Meng et al. 2022, figure 3)
    #[arg(long, value_enum)]
    sever: Option<Sever>,

    /// With --sever: in how many layers, from the lowest on whose output could react [default: all,
    /// as ROME]
    #[arg(long, value_name = "N", requires = "sever")]
    sever_layers: Option<usize>,

    /// `denoise`: clean activations into the corrupted run, as ROME; `noise`: corrupted ones into the
    /// clean run
    #[arg(long, value_enum, default_value = "denoise")]
    direction: Way,
}

impl WayArgs {
    /// With the draws of a corruption.
    pub fn trace(&self, component: Component, window: usize, draws: Draws, map: Map) -> Spec {
        let Draws { corruption, noise, rng, seed, n_samples } = draws;
        Spec {
            component,
            window,
            noise,
            rng,
            seed,
            n_samples,
            direction: self.direction.into(),
            sever: self.sever.map(Severed::from),
            sever_layers: self.sever_layers,
            corruption,
            map,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Kind {
    Hidden,
    Mlp,
    Attn,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Restored {
    Hidden,
    Mlp,
    Attn,
    Head,
}

#[derive(Clone, Copy, ValueEnum)]
enum Sever {
    Mlp,
    Attn,
}

#[derive(Clone, Copy, ValueEnum)]
enum Way {
    Denoise,
    Noise,
}

impl Trace {
    pub fn run(&self, machine: &Machine) -> anyhow::Result<()> {
        self.output.check()?;
        let (session, trace) = self.what.ask(machine)?;
        let spec = match self.cell {
            None => AnalysisSpec::CausalTrace(trace),
            Some(CellArg { pos, layer }) => {
                AnalysisSpec::TraceCell(trace_cell::Spec { trace, pos, layer, n_top: self.top })
            }
        };
        session.finish(spec, &self.output, machine)
    }
}

impl TraceArgs {
    pub fn ask(&self, machine: &Machine) -> anyhow::Result<(Session, Spec)> {
        let mut session = self.asked.model.ask(self.asked.fact.source(), machine)?;
        let draws = self.corruption.draws(&mut session)?;
        session.set_foil(self.asked.foil.as_deref())?;
        let window = self.window.unwrap_or(if self.kind == Restored::Head { 1 } else { 10 });
        let spec = self.way.trace(self.kind.into(), window, draws, self.map()?);
        Ok((session, spec))
    }

    fn map(&self) -> anyhow::Result<Map> {
        if self.kind == Restored::Head {
            anyhow::ensure!(self.widths.is_empty(), "--widths is for maps without heads");
            return Ok(Map::Heads { at: self.at.clone().unwrap_or(Positions::All) });
        }
        let Some(at) = self.at.clone() else { return Ok(Map::Tokens) };
        let widths = if self.widths.is_empty() {
            vec![self.window.unwrap_or(if self.kind == Restored::Hidden { 1 } else { 10 })]
        } else {
            self.widths.clone()
        };
        Ok(Map::Together { at, widths })
    }
}

impl From<Kind> for Component {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Hidden => Self::Hidden,
            Kind::Mlp => Self::Mlp,
            Kind::Attn => Self::Attn,
        }
    }
}

impl From<Sever> for Severed {
    fn from(sever: Sever) -> Self {
        match sever {
            Sever::Mlp => Self::Mlp,
            Sever::Attn => Self::Attn,
        }
    }
}

impl From<Way> for Direction {
    fn from(way: Way) -> Self {
        match way {
            Way::Denoise => Self::Denoise,
            Way::Noise => Self::Noise,
        }
    }
}

impl From<Restored> for Component {
    fn from(restored: Restored) -> Self {
        match restored {
            Restored::Hidden => Self::Hidden,
            Restored::Mlp => Self::Mlp,
            Restored::Attn | Restored::Head => Self::Attn,
        }
    }
}

pub(super) fn to_json(
    trace: &CausalTrace,
    session: &Session,
    machine: &Machine,
) -> anyhow::Result<Value> {
    let scores = trace.restored.map(|runs| Measurement::mean(runs, Metric::Prob));
    let mut json = map_json(trace, &scores, Metric::Prob, session, machine)?;
    json["metrics"] = metrics_json(trace);
    Ok(json)
}

/// ROME's key names, and what is needed to do it again.
///
/// `scores`: what the map shows, in terms of `metric`. (layer, column)
pub(super) fn map_json(
    trace: &CausalTrace,
    scores: &Grid<Option<f32>>,
    metric: Metric,
    session: &Session,
    machine: &Machine,
) -> anyhow::Result<Value> {
    let Session { question, engine, .. } = session;
    let prompt = &trace.prompt;
    let answer = prompt.answer.as_ref().context("a trace has an answer")?;
    let is_correct = match &question.expected {
        Some(expected) => trace.is_top_answer() && answer.text.trim() == expected.trim(),
        None => trace.is_top_answer(),
    };
    let body = json!({
        "scores": by_column(scores),
        "low_score": Measurement::mean(&trace.corrupted, metric),
        "high_score": trace.clean.get(metric),
        "input_ids": prompt.ids,
        "input_tokens": prompt.pieces,
        "answer": answer.pieces[0],
        "window": trace.spec.window,
        "correct_prediction": is_correct,
        "kind": match trace.spec.map {
            Map::Heads { .. } => json!("head"),
            Map::Tokens | Map::Together { .. } => json!(trace.spec.component),
        },
        "map": trace.spec.map,
        "columns": columns(&trace.spec, prompt, scores.n_columns()),
        "sever": trace.spec.sever,
        "sever_layers": trace.spec.sever_layers,
        "direction": trace.spec.direction,
        "expected": question.expected,
        "whole_answer": answer_json(answer),
        "corruption": corruption::name(&trace.spec.corruption),
        "corrupted": trace.corruptions,
        "noise_std": trace.spec.corruption.has_noise().then_some(trace.noise_std),
        "noise_rng": trace.spec.rng,
        "samples": trace.spec.n_samples,
        "seed": trace.spec.seed,
        "spec": trace.spec,
    });
    with_tail_but(&["tokens", "ids"], body, prompt, engine, machine)
}

/// ROME's map is token × layer: what a column stands for, then layers.
fn by_column<T: Copy>(grid: &Grid<T>) -> Vec<Vec<T>> {
    let column = |nth: usize| grid.rows().map(|layer| layer[nth]).collect();
    (0..grid.n_columns()).map(column).collect()
}

/// What each column stands for: a token's text, a width, or a head.
fn columns(spec: &Spec, prompt: &TokenizedPrompt, n_columns: usize) -> Value {
    match &spec.map {
        Map::Tokens => json!(prompt.pieces),
        Map::Together { widths, .. } => json!(widths),
        Map::Heads { .. } => json!((0..n_columns).collect::<Vec<_>>()),
    }
}

/// Every reading of the same runs, with what it says of the effects. (column × layer)
pub(super) fn metrics_json(trace: &CausalTrace) -> Value {
    let of = |metric: Metric| {
        let it = Effects::of(trace, metric)?;
        let effects = json!({
            "clean": it.clean,
            "corrupted": it.corrupted,
            "scores": by_column(&it.patched),
            "total": it.total,
            "indirect": by_column(&it.indirect),
            "direct": by_column(&it.direct),
            "recovery": by_column(&it.recovery),
            // Below it a recovery is not defined.
            "least_total": metric.least_total(),
        });
        Some((metric.key().to_owned(), effects))
    };
    Value::Object(Metric::ALL.into_iter().filter_map(of).collect())
}

pub(super) fn to_text(trace: &CausalTrace) -> String {
    let prompt = &trace.prompt;
    let answer = prompt.answer.as_ref().map(|it| visible(&it.pieces[0])).unwrap_or_default();
    let low = Measurement::mean(&trace.corrupted, Metric::Prob).unwrap_or(f32::NAN);
    let spec = &trace.spec;
    let held =
        severed(spec.sever, spec.sever_layers).map_or_else(String::new, |it| format!(", {it}"));
    let order = match trace.spec.direction {
        Direction::Denoise => "likeliest after restoring",
        Direction::Noise => "least likely after corrupting",
    };
    let mut text = format!(
        "p({answer}) clean {:.5}, corrupted {low:.5} ({})\n",
        trace.clean.prob,
        corruption::in_words(&trace.spec.draws(), trace.noise_std)
    );
    corruption::list_prompts(&mut text, &trace.corruptions);
    let at = match &trace.spec.map {
        Map::Tokens => String::new(),
        Map::Together { at, .. } | Map::Heads { at } => format!(", at tokens: {at}"),
    };
    _ = writeln!(text, "\n{order}{held}{at}");
    let means = trace.restored.map(|runs| Measurement::mean(runs, Metric::Prob));
    list_foremost(&mut text, &trace.spec, prompt, &means);
    text
}

/// The ten scores that say most, a line each: the largest after restoring, the smallest after
/// corrupting.
pub(super) fn list_foremost(
    text: &mut String,
    spec: &Spec,
    prompt: &TokenizedPrompt,
    scores: &Grid<Option<f32>>,
) {
    let n_columns = scores.n_columns();
    let scores = scores.values().iter().enumerate();
    let mut cells: Vec<(usize, f32)> =
        scores.filter_map(|(nth, score)| Some((nth, (*score)?))).collect();
    cells.sort_by(|a, b| match spec.direction {
        Direction::Denoise => b.1.total_cmp(&a.1),
        Direction::Noise => a.1.total_cmp(&b.1),
    });
    for (nth, score) in cells.into_iter().take(10) {
        let (layer, column) = (nth / n_columns, nth % n_columns);
        let what = match &spec.map {
            Map::Tokens => format!("token {column:>3} {}", visible(&prompt.pieces[column])),
            Map::Together { widths, .. } => format!("window of {}", widths[column]),
            Map::Heads { .. } => format!("head {column}"),
        };
        _ = writeln!(text, "  {score:.5}  layer {layer:>2}  {what}");
    }
}
