use std::fmt::Write as _;

use clap::{Args, ValueEnum as _};
use serde_json::{Map as Object, Value, json};

use super::Machine;
use super::corruption::{self, DrawArgs, Kind as CorruptionKind};
use super::fact::MeasuredArgs;
use super::output::AnalysisOutput;
use super::trace::{Kind, WayArgs, metrics_json};
use crate::analysis::causal_trace::{Component, Corruption, Map};
use crate::analysis::corruption::Draws;
use crate::analysis::corruption_bench::{
    BenchMap, Compared, CorruptionBench, Entry, LeftOut, Spec,
};
use crate::analysis::effects::Effects;
use crate::analysis::{AnalysisSpec, Metric};
use crate::figure::words::answer_piece;
use crate::tokens::visible;

#[derive(Args)]
pub(super) struct Bench {
    #[command(flatten)]
    asked: MeasuredArgs,

    /// What is restored: the residual stream after a layer, or what MLPs or attention add to it
    #[arg(long, value_enum, default_value = "mlp")]
    kind: Kind,

    /// What the subject becomes, one map each
    #[arg(
        long,
        value_enum,
        value_name = "NAME,…",
        value_delimiter = ',',
        default_value = "gaussian,str,resample,random-tokens,mean,zero"
    )]
    corruptions: Vec<CorruptionKind>,

    #[command(flatten)]
    draws: DrawArgs,

    /// Layers restored together, for `mlp` and `attn`; single layers always stand beside
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "10")]
    window: Vec<usize>,

    #[command(flatten)]
    way: WayArgs,

    #[command(flatten)]
    output: AnalysisOutput,
}

impl Bench {
    pub fn run(&self, machine: &Machine) -> anyhow::Result<()> {
        self.output.check()?;
        // A file that is not there is no property of the prompt.
        self.draws.check()?;
        let mut session = self.asked.model.ask(self.asked.fact.source(), machine)?;
        let usual = self.draws.of(CorruptionKind::Gaussian, &mut session)?;
        let own_foil = session.question.fact.foil.clone();
        let (mut corruptions, mut left_out) = (Vec::new(), Vec::new());
        for kind in &self.corruptions {
            let name = kind.to_possible_value().expect("all have names").get_name().to_owned();
            match self.draws.of(*kind, &mut session) {
                Ok(Draws { corruption, n_samples: own, .. }) => {
                    let n_samples = match &corruption {
                        Corruption::NoiseFile(_) => own,
                        Corruption::OtherSubjects { ids, .. } => usual.n_samples.min(ids.len()),
                        it if it.is_drawn() => usual.n_samples,
                        _ => 1,
                    };
                    corruptions.push(Entry { name, corruption, n_samples });
                }
                Err(error) => left_out.push(LeftOut { name, reason: format!("{error:#}") }),
            }
        }
        if own_foil.is_some() {
            // That all maps are of one question goes before what would suit one of them.
            session.question.fact.foil = own_foil;
        }
        session.set_foil(self.asked.foil.as_deref())?;
        let component = Component::from(self.kind);
        let windows = if component == Component::Hidden {
            vec![1]
        } else {
            let more = self.window.iter().copied().filter(|it| *it != 1);
            [1].into_iter().chain(more).collect()
        };
        let window = windows[windows.len() - 1];
        let trace = self.way.trace(component, window, usual, Map::Tokens);
        let spec = Spec { trace, corruptions, windows, left_out };
        session.finish(AnalysisSpec::CorruptionBench(spec), &self.output, machine)
    }
}

pub(super) fn to_json(it: &CorruptionBench) -> Value {
    let map = |map: &BenchMap| {
        json!({
            "name": map.name,
            "corruption": corruption::name(&map.trace.spec.corruption),
            "window": map.window,
            "samples": map.trace.spec.n_samples,
            "noise_std": map.trace.spec.corruption.has_noise().then_some(map.trace.noise_std),
            "corrupted": map.trace.corruptions,
            "metrics": metrics_json(&map.trace),
        })
    };
    let mut n_cells = 0;
    let mut correlations = Object::new();
    for metric in Metric::ALL {
        let mut of_metric = Object::new();
        for compared in Compared::ALL {
            let Some(found) = it.correlations(metric, compared) else { continue };
            n_cells = n_cells.max(found.n_cells);
            let rows: Vec<&[Option<f64>]> = found.spearman.rows().collect();
            of_metric.insert(compared.key().to_owned(), json!(rows));
        }
        if !of_metric.is_empty() {
            correlations.insert(metric.key().to_owned(), Value::Object(of_metric));
        }
    }
    json!({
        "spec": it.spec,
        "maps": it.maps.iter().map(map).collect::<Vec<_>>(),
        "left_out": it.left_out,
        // Of the cells of the subject and of what comes after. Map × map.
        "spearman": correlations,
        "spearman_cells": n_cells,
    })
}

pub(super) fn to_text(it: &CorruptionBench) -> String {
    let mut text = String::new();
    for LeftOut { name, reason } in &it.left_out {
        _ = writeln!(text, "left out: {name}: {reason}");
    }
    let Some(first) = it.maps.first() else { return text };
    let answer = answer_piece(&it.prompt);
    _ = writeln!(
        text,
        "p({answer}) clean {:.5}\n\n     corruption        window  samples  corrupted  largest change",
        first.trace.clean.prob
    );
    for (nth, map) in it.maps.iter().enumerate() {
        let Some(effects) = Effects::of(&map.trace, Metric::Prob) else { continue };
        let peak = map.peak(Metric::Prob).map_or_else(String::new, |(layer, pos)| {
            let piece = visible(&it.prompt.pieces[pos]);
            let effect = effects.indirect.get(layer, pos).copied().flatten().unwrap_or(f32::NAN);
            format!("{effect:+.5} at layer {layer}, token {pos} {piece}")
        });
        _ = writeln!(
            text,
            "{:>3}  {:<16}  {:>6}  {:>7}  {:>9.5}  {peak}",
            nth + 1,
            map.name,
            map.window,
            map.trace.spec.n_samples,
            effects.corrupted
        );
    }
    let of = |compared| it.correlations(Metric::Prob, compared);
    let [score, recovery] = Compared::ALL.map(of);
    // They are the same unless a corruption raises the reading, or hardly changes it.
    let recovery = recovery.filter(|it| Some(it) != score.as_ref());
    for (what, found) in [("p", score), ("recovery of p", recovery)] {
        let Some(found) = found else { continue };
        let n = found.n_cells;
        _ = writeln!(text, "\nSpearman between maps, of {what}, over {n} cells");
        let head = (1..=it.maps.len()).map(|nth| format!("{nth:>7}"));
        _ = writeln!(text, "   {}", head.collect::<String>());
        for (nth, row) in found.spearman.rows().enumerate() {
            let row = row.iter().map(|it| match it {
                Some(it) => format!("{it:>+7.3}"),
                None => "   none".to_owned(),
            });
            _ = writeln!(text, "{:>3}{}", nth + 1, row.collect::<String>());
        }
    }
    text
}
