use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::atp::MetricArg;
use super::corruption::NoiseArg;
use super::output::{AnalysisOutput, answer_json, with_tail};
use super::{Machine, ModelArgs};
use crate::analysis::causal_trace::Component;
use crate::analysis::comparison::{
    Comparison, Likeness, MapSpec, PValues, Peak, PeakOf, Recall, Second, Spec,
};
use crate::analysis::{AnalysisSpec, Metric, Positions, ablation, causal_trace};
use crate::experiment::{FactSource, RecordFact};
use crate::facts::{Dataset, Direction};
use crate::intervention::NoiseRng;
use crate::tokens::{TokenizedPrompt, visible};
use crate::worker::Engine;

#[derive(Args)]
pub(super) struct Compare {
    #[command(flatten)]
    model: ModelArgs,

    /// A dataset: JSON (CounterFact, `known_1000.json`, LRE), JSON Lines, CSV or Parquet
    #[arg(long, value_name = "FILE", default_value = Dataset::BUNDLED)]
    facts: PathBuf,

    /// The fact's `case_id` or `known_id` in the dataset
    #[arg(long, value_name = "ID")]
    case: String,

    /// Another fact of the dataset to compare it with, in place of its inverse
    #[arg(long, value_name = "ID")]
    other_case: Option<String>,

    /// What is compared: causal traces of hidden states, MLPs or attention; what each head's
    /// ablation (by zeros, at all tokens) changes; or what each head adds to the answer's logit
    #[arg(long, value_enum, default_value = "mlp")]
    map: MapArg,

    /// In terms of what, for a trace or an ablation
    #[arg(long, value_enum, default_value = "prob")]
    metric: MetricArg,

    /// Of a trace: as for `trace`; `3s` is measured on the subjects of the dataset
    #[arg(long, value_name = "NOISE", default_value = "3s")]
    noise: NoiseArg,

    /// Of a trace: noise draws averaged per cell
    #[arg(long, value_name = "N", default_value_t = 10)]
    samples: usize,

    /// Of a trace of MLPs or attention: layers restored together
    #[arg(long, value_name = "N", default_value_t = 10)]
    window: usize,

    /// Of a trace: seed of the noise
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u32,

    /// How many heads are called the most important
    #[arg(long, value_name = "K", default_value_t = 10)]
    top: usize,

    /// How often heads change places at random, for the p-values
    #[arg(long, value_name = "N", default_value_t = 9999)]
    permutations: usize,

    /// Seed of the permutations
    #[arg(long, value_name = "N", default_value_t = 1)]
    permutation_seed: u64,

    #[command(flatten)]
    output: AnalysisOutput,
}

#[derive(Clone, Copy, ValueEnum)]
enum MapArg {
    Hidden,
    Mlp,
    Attn,
    Ablation,
    Attribution,
}

impl Compare {
    pub fn run(&self, machine: &Machine) -> anyhow::Result<()> {
        self.output.check()?;
        let source = |direction| RecordFact {
            facts: self.facts.clone(),
            case: self.case.clone(),
            direction,
            answer: None,
            foil: None,
        };
        let fact = source(Direction::Forward);
        let inverse = match &self.other_case {
            Some(case) => RecordFact { case: case.clone(), ..source(Direction::Forward) },
            None => source(Direction::Inverse),
        };
        let (second, case) = (inverse.direction, inverse.case.clone());
        let inverse = FactSource::Record(inverse).question()?;
        // What is compared is how the right answers are recalled, whether or not they are.
        let expected = FactSource::Record(fact.clone()).question()?.expected;
        let session =
            self.model.ask(FactSource::Record(RecordFact { answer: expected, ..fact }), machine)?;
        let tokenizer = &session.engine.info.tokenizer;
        let dataset = Dataset::load(&self.facts)?;
        let right = |case: &str, direction| {
            let record = dataset.find(case).context("the case was just there")?;
            let answers = record.answers(direction).iter();
            let firsts = answers.map(|it| Ok(TokenizedPrompt::answer(tokenizer, it)?.first()));
            let mut firsts = firsts.collect::<anyhow::Result<Vec<u32>>>()?;
            firsts.sort_unstable();
            firsts.dedup();
            anyhow::Ok(firsts)
        };
        let mut asked_inversely = inverse.fact;
        asked_inversely.answer = inverse.expected;
        let spec = Spec {
            inverse: TokenizedPrompt::new(tokenizer, &asked_inversely, self.model.bos())?,
            second: if self.other_case.is_some() { Second::Fact } else { Second::Inverse },
            right: [right(&self.case, Direction::Forward)?, right(&case, second)?],
            map: self.map(&session.question.subjects, &session.engine)?,
            n_top: self.top,
            n_permutations: self.permutations,
            seed: self.permutation_seed,
        };
        session.finish(AnalysisSpec::Comparison(spec), &self.output, machine)
    }

    fn map(&self, subjects: &[String], engine: &Engine) -> anyhow::Result<MapSpec> {
        let component = match self.map {
            MapArg::Hidden => Component::Hidden,
            MapArg::Mlp => Component::Mlp,
            MapArg::Attn => Component::Attn,
            MapArg::Attribution => return Ok(MapSpec::Attribution),
            MapArg::Ablation => {
                let spec = ablation::Spec {
                    part: ablation::Part::Heads,
                    positions: Positions::All,
                    replacement: ablation::Replacement::Zero,
                };
                return Ok(MapSpec::Ablation { spec, metric: self.metric.into() });
            }
        };
        // As ROME encodes them: no leading space, no BOS.
        let mut tokens = Vec::new();
        for subject in subjects {
            tokens.extend(engine.info.tokenizer.encode(subject)?.iter().map(|token| token.id));
        }
        let spec = causal_trace::Spec {
            component,
            window: self.window,
            noise: self.noise.level(&tokens),
            rng: NoiseRng::Numpy,
            seed: self.seed,
            n_samples: self.samples,
            direction: causal_trace::Direction::Denoise,
            sever: None,
            sever_layers: None,
            corruption: causal_trace::Corruption::default(),
            map: causal_trace::Map::Tokens,
        };
        Ok(MapSpec::Trace { spec, metric: self.metric.into() })
    }
}

pub(super) fn to_json(
    it: &Comparison,
    engine: &Engine,
    machine: &Machine,
) -> anyhow::Result<Value> {
    let tokenizer = &engine.info.tokenizer;
    let recall = it.recall.iter().map(|recall| {
        let token = |id| tokenizer.piece(id);
        json!({
            "is_right": recall.is_right(),
            "rank": recall.rank,
            "right": { "id": recall.right.id, "token": token(recall.right.id), "prob": recall.right.prob },
            "top": { "id": recall.top.id, "token": token(recall.top.id), "prob": recall.top.prob },
        })
    });
    let other = &it.prompts[1];
    let inverse = json!({
        "answer": other.answer.as_ref().map(answer_json),
        "foil": other.foil.as_ref().map(answer_json),
        "tokens": other.pieces,
        "ids": other.ids,
        "subject_range": other.subject.as_ref().map(|it| [it.start, it.end]),
    });
    let body = json!({
        "spec": it.spec,
        "recall": recall.collect::<Vec<_>>(),
        "inverse": inverse,
        // Role × layer, or layer × head.
        "roles": it.roles,
        "maps": it.maps.each_ref().map(|map| map.rows().map(<[_]>::to_vec).collect::<Vec<_>>()),
        "total_effects": it.total_effects,
        "difference": it.difference.rows().collect::<Vec<_>>(),
        "likeness": it.likeness,
        "overlap": it.overlap,
        "peaks": it.peaks,
    });
    with_tail(body, &it.prompts[0], engine, machine)
}

pub(super) fn to_text(it: &Comparison, engine: &Engine) -> String {
    let mut text = String::new();
    let names = it.spec.second.names();
    for ((name, prompt), recall) in names.iter().zip(&it.prompts).zip(&it.recall) {
        _ = writeln!(text, "{name:<10} {} → {}", prompt.text, recall_text(prompt, recall, engine));
    }
    for (name, recall) in names.iter().zip(&it.recall) {
        if !recall.is_right() {
            _ = writeln!(
                text,
                "The model does not know the {name}: its map is of an answer that it does not give."
            );
        }
    }
    _ = writeln!(text, "\n{}", map_name(&it.spec.map));
    if let Some([fact, inverse]) = it.total_effects {
        _ = writeln!(text, "total effect  {fact:>+9.5}  {inverse:>+9.5}");
    }
    _ = writeln!(text, "{}", likeness_text("all", &it.likeness, "cells"));
    if let Some(overlap) = &it.overlap {
        let n_columns = it.maps[0].n_columns();
        for (name, top) in names.iter().zip(&overlap.top) {
            let heads = top.iter().map(|at| format!("L{}H{}", at / n_columns, at % n_columns));
            _ = writeln!(text, "top of {name:<10} {}", heads.collect::<Vec<_>>().join(" "));
        }
        let shared = overlap.n_shared;
        _ = writeln!(text, "{shared} of both: Jaccard {:.3}", overlap.jaccard);
        let n = it.spec.n_permutations;
        let tests = [
            ("any other", Some(&overlap.any_part)),
            ("others of its layer", overlap.within_layers.as_ref()),
        ];
        for (who, p) in tests.into_iter().filter_map(|(who, p)| Some((who, p?))) {
            _ = writeln!(text, "{}", p_text(who, p, n));
        }
    }
    if !it.peaks.is_empty() {
        let other = it.spec.second.text();
        _ = writeln!(
            text,
            "\npeaks (layer, value)                fact  {other:>15}  distance  depth  Pearson"
        );
    }
    for peaks in &it.peaks {
        let of = match peaks.of {
            PeakOf::Role(role) => role.to_string(),
            PeakOf::Part => "largest part".to_owned(),
            PeakOf::Layer => "sum over a layer".to_owned(),
        };
        let [fact, inverse] = peaks.at.each_ref().map(peak_text);
        _ = writeln!(
            text,
            "{of:<24}  {fact:>14}  {inverse:>15}  {:>+8}  {:>+5.2}  {:>7}",
            peaks.layers,
            peaks.depth,
            number(peaks.likeness.pearson)
        );
    }
    text
}

fn recall_text(prompt: &TokenizedPrompt, recall: &Recall, engine: &Engine) -> String {
    let token = |id| visible(&engine.info.tokenizer.piece(id));
    let answer = prompt.answer.as_ref().map(|it| visible(&it.text)).unwrap_or_default();
    let (right, top) = (&recall.right, &recall.top);
    if recall.is_right() {
        format!("{answer}: known, p({}) {:.5}", token(right.id), right.prob)
    } else {
        format!(
            "{answer}: not known, p({}) {:.5}, rank {}; the model says {} {:.5}",
            token(right.id),
            right.prob,
            recall.rank,
            token(top.id),
            top.prob
        )
    }
}

fn map_name(map: &MapSpec) -> String {
    let of = |metric: Metric| metric.key();
    match map {
        MapSpec::Trace { spec, metric } => {
            let what = match spec.component {
                Component::Hidden => "hidden states",
                Component::Mlp => "MLPs",
                Component::Attn => "attention",
            };
            format!(
                "effect of restoring {what}, in terms of {}; token roles by layers",
                of(*metric)
            )
        }
        MapSpec::Ablation { metric, .. } => {
            format!("change by ablation, in terms of {}; layers by heads", of(*metric))
        }
        MapSpec::Attribution => "what heads add to the answer's logit; layers by heads".to_owned(),
    }
}

fn likeness_text(of: &str, it: &Likeness, what: &str) -> String {
    format!(
        "{of:<12}  Pearson {}, Spearman {}, over {} {what}",
        number(it.pearson),
        number(it.spearman),
        it.n
    )
}

fn p_text(who: &str, p: &PValues, n: usize) -> String {
    let spearman = p.spearman.map_or_else(String::new, |it| format!(", Spearman p {it:.4}"));
    format!(
        "  against changing places with {who}: Jaccard p {:.4}{spearman} ({n} permutations)",
        p.jaccard
    )
}

fn peak_text(peak: &Peak) -> String {
    let head = peak.head.map_or_else(String::new, |head| format!("H{head}"));
    format!("L{}{head} {:+.4}", peak.layer, peak.value)
}

fn number(it: Option<f64>) -> String {
    it.map_or_else(|| "none".to_owned(), |it| format!("{it:+.3}"))
}
