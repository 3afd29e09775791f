use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::ensure;
use clap::Args;
use serde_json::{Value, json};

use super::corruption::{self, CorruptionArgs};
use super::output::{AnalysisOutput, with_tail_of_weights};
use super::trace::{Kind, WayArgs};
use super::{Machine, ModelArgs};
use crate::analysis::causal_trace::{Component, Map};
use crate::analysis::corruption::Corruption;
use crate::analysis::trace_average::{
    AskedFact, Averages, Cause, Kept, LeftOut, Sample, Spec, TraceAverage,
};
use crate::analysis::{AnalysisSpec, Estimate, Grid, Metric};
use crate::experiment::{FactSource, Question};
use crate::facts::{Catalogue, Dataset, Direction, Record};
use crate::worker::Engine;

#[derive(Args)]
pub(super) struct Average {
    #[command(flatten)]
    model: ModelArgs,

    /// A dataset: JSON (CounterFact, `known_1000.json`, LRE), JSON Lines, CSV or Parquet
    #[arg(long, value_name = "FILE", default_value = Dataset::BUNDLED)]
    facts: PathBuf,

    /// How many facts are drawn from it
    #[arg(long, value_name = "N", default_value_t = 100)]
    n: usize,

    /// Only facts of this relation: its Wikidata id, such as P36, or its name
    #[arg(long, value_name = "RELATION")]
    relation: Option<String>,

    /// Ask the facts from their answers
    #[arg(long)]
    inverse: bool,

    /// Seed of which facts are drawn; more facts keep the first ones
    #[arg(long, value_name = "N", default_value_t = 1)]
    facts_seed: u32,

    /// Average also facts whose answer is not the model's first guess
    #[arg(long)]
    keep_unknown: bool,

    /// What is restored, a map each: the residual stream after a layer, or what MLPs or attention
    /// add to it
    #[arg(
        long,
        value_enum,
        value_name = "KIND,…",
        value_delimiter = ',',
        default_value = "hidden,mlp,attn"
    )]
    kind: Vec<Kind>,

    #[command(flatten)]
    corruption: CorruptionArgs,

    /// Layers restored together, for `mlp` and `attn`
    #[arg(long, value_name = "N", default_value_t = 10)]
    window: usize,

    #[command(flatten)]
    way: WayArgs,

    #[command(flatten)]
    output: AnalysisOutput,
}

impl Average {
    pub fn run(&self, machine: &Machine) -> anyhow::Result<()> {
        self.output.check()?;
        let dataset = Dataset::load(&self.facts)?;
        let sample = self.sample();
        let records: Vec<Record> = sample.draw(&dataset.records).into_iter().cloned().collect();
        ensure!(!records.is_empty(), "no such fact in {}", self.facts.display());
        let session = self.model.ask(FactSource::Nothing, machine)?;
        let tokenizer = &session.engine.info.tokenizer;
        let mut question = Question {
            subjects: dataset.subjects().map(str::to_owned).collect(),
            direction: sample.direction,
            dataset: Some(dataset),
            ..session.question.clone()
        };
        let noise_tokens = self.corruption.noise_tokens(&question, tokenizer)?;
        let bos = session.bos;

        let (mut facts, mut left_out) = (Vec::new(), Vec::new());
        let mut draws = None;
        for record in &records {
            let Some(fact) = record.fact(sample.direction) else { continue };
            question.fact = fact.clone();
            question.expected.clone_from(&fact.answer);
            question.relation.clone_from(&record.relation);
            let mut own = None;
            if draws.is_none() || self.corruption.is_of_subject() {
                match self.corruption.draws_of(&mut question, tokenizer, bos, &noise_tokens) {
                    Ok(found) => {
                        own = self.corruption.is_of_subject().then(|| found.corruption.clone());
                        draws = draws.or(Some(found));
                    }
                    Err(error) if self.corruption.is_of_subject() => {
                        left_out.push(LeftOut::not_traced(fact, &format!("{error:#}")));
                        continue;
                    }
                    Err(error) => return Err(error),
                }
            }
            let answers = record.answers(sample.direction);
            match AskedFact::new(tokenizer, &question.fact, answers, bos) {
                Ok(asked) => facts.push(AskedFact { corruption: own, ..asked }),
                Err(reason) => left_out.push(reason),
            }
        }
        let reason = || left_out.first().map(|it| it.reason.clone()).unwrap_or_default();
        let Some(mut draws) = draws else {
            anyhow::bail!("no fact can be corrupted so: {}", reason());
        };
        if self.corruption.is_of_subject() {
            draws.corruption = Corruption::default();
        }
        let spec = Spec {
            trace: self.way.trace(self.kind[0].into(), self.window, draws, Map::Tokens),
            components: self.kind.iter().map(|kind| (*kind).into()).collect(),
            facts: facts.into(),
            kept: if self.keep_unknown { Kept::All } else { Kept::Known },
            left_out: left_out.into(),
        };
        session.finish(AnalysisSpec::TraceAverage(spec), &self.output, machine)
    }

    fn sample(&self) -> Sample {
        let known = |name: &String| Catalogue::bundled().find(name).map(|it| it.id.clone());
        Sample {
            relation: self.relation.as_ref().map(|it| known(it).unwrap_or_else(|| it.clone())),
            direction: if self.inverse { Direction::Inverse } else { Direction::Forward },
            n_facts: self.n,
            seed: self.facts_seed,
        }
    }
}

pub(super) fn to_json(
    it: &TraceAverage,
    engine: &Engine,
    machine: &Machine,
) -> anyhow::Result<Value> {
    let maps = it.spec.components.iter().enumerate().map(|(nth, component)| {
        let metrics = Metric::ALL.into_iter().filter_map(|metric| {
            let mut found = averages_json(&it.averages(nth, metric)?);
            found["rome"] = rome_json(it, nth, metric);
            Some((metric.key().to_owned(), found))
        });
        json!({
            "kind": component,
            "window": it.spec.trace_window(*component),
            "metrics": metrics.collect::<serde_json::Map<_, _>>(),
        })
    });
    let facts = it.facts.iter().map(|fact| {
        let prompt = it.spec.facts.get(fact.nth).map(|it| &it.prompt);
        json!({
            "prompt": prompt.map(|it| &it.text),
            "answer": fact.answer,
            "is_known": fact.is_known,
            "tokens": fact.tokens,
            "readings": fact.readings.iter().map(|readings| {
                json!({
                    "metric": readings.metric.key(),
                    "clean": readings.clean,
                    "corrupted": readings.corrupted,
                    "patched": readings.patched.iter().map(rows).collect::<Vec<_>>(),
                })
            }).collect::<Vec<_>>(),
        })
    });
    let body = json!({
        "n_asked": it.n_asked(),
        "n_facts": it.facts.len(),
        "n_not_known": it.n_left_out(Cause::NotKnown),
        "n_not_traced": it.n_left_out(Cause::NotTraced),
        "left_out": it.left_out,
        "maps": maps.collect::<Vec<_>>(),
        "facts": facts.collect::<Vec<_>>(),
        "spec": it.spec,
    });
    with_tail_of_weights(body, engine, machine)
}

fn averages_json(it: &Averages) -> Value {
    let by = |value: fn(&Estimate) -> f64| rows(&it.indirect.map(value));
    json!({
        "clean": estimate_json(&it.clean),
        "corrupted": estimate_json(&it.corrupted),
        "total": estimate_json(&it.total),
        "roles": it.roles,
        "n_facts": it.n_facts,
        "n_tokens": it.n_tokens,
        // Role × layer.
        "indirect": by(|it| it.mean),
        "low": by(|it| it.low),
        "high": by(|it| it.high),
        "standard_error": by(Estimate::standard_error),
    })
}

fn estimate_json(it: &Estimate) -> Value {
    let Estimate { n, mean, low, high } = it;
    let standard_error = it.standard_error();
    json!({ "n": n, "mean": mean, "low": low, "high": high, "standard_error": standard_error })
}

fn rome_json(it: &TraceAverage, component: usize, metric: Metric) -> Value {
    it.as_rome(component, metric).map_or(Value::Null, |it| {
        json!({
            "size": it.size,
            "low_score": it.low_score,
            "high_score": it.high_score,
            "result": rows(&it.result),
        })
    })
}

fn rows<T: Clone>(grid: &Grid<T>) -> Vec<Vec<T>> {
    grid.rows().map(<[T]>::to_vec).collect()
}

pub(super) fn to_text(it: &TraceAverage) -> String {
    let mut text = format!("{}\n", it.count());
    for (nth, component) in it.spec.components.iter().enumerate() {
        let Some(averages) = it.averages(nth, Metric::Prob) else { continue };
        if nth == 0 {
            let Averages { clean, corrupted, total, .. } = &averages;
            let [clean, corrupted, total] = [clean, corrupted, total].map(interval);
            _ = writeln!(
                text,
                "p(answer), means with 95 % intervals over facts\n  clean {clean}\n  corrupted \
                 {corrupted} ({})\n  total effect {total}",
                corruption::name(it.spec.corruption()),
            );
        }
        let name = name(*component);
        let window = it.spec.trace_window(*component);
        let window = if window == 1 { String::new() } else { format!(", window {window}") };
        _ = writeln!(text, "\nlargest mean effect of restoring {name}{window}");
        for (row, role) in averages.roles.iter().enumerate() {
            let Some((layer, effect)) = averages.peak(row) else { continue };
            let (effect, n) = (interval(&effect), averages.n_facts[row]);
            _ = writeln!(text, "  {role:<24} layer {layer:>2}  {effect}  {n} facts");
        }
    }
    if !it.left_out.is_empty() {
        _ = writeln!(text, "\nleft out");
    }
    for LeftOut { prompt, reason, .. } in it.left_out.iter().take(N_LISTED) {
        _ = writeln!(text, "  {prompt}: {reason}");
    }
    if it.left_out.len() > N_LISTED {
        _ = writeln!(text, "  … and {} more", it.left_out.len() - N_LISTED);
    }
    text
}

fn name(component: Component) -> &'static str {
    match component {
        Component::Hidden => "hidden states",
        Component::Mlp => "MLPs",
        Component::Attn => "attention",
    }
}

/// How many of the facts that are left out.
const N_LISTED: usize = 10;

fn interval(it: &Estimate) -> String {
    if it.low.is_nan() {
        return format!("{:.5}", it.mean);
    }
    format!("{:.5} [{:.5}, {:.5}]", it.mean, it.low, it.high)
}
