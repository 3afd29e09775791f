//! The same trace under several corruptions: small maps in one scale, and how alike they are.

use super::{Effect, Look, causal_trace, corruption};
use crate::analysis::Metric;
use crate::analysis::causal_trace::Direction;
use crate::analysis::corruption::Draws;
use crate::analysis::corruption_bench::{
    BenchMap, Compared, Correlations, CorruptionBench, Entry, LEAST_STEP,
};
use crate::analysis::effects::Effects;
use crate::figure::number::significant;
use crate::figure::words::{
    about_severed, joined, metric_name, metric_or_prob, no_effect, not_first_guess, reading,
    token_at, told,
};
use crate::figure::{Cell, Chart, Figure, Map, Pick, Row, Side, Table};

pub(super) fn figure(it: &CorruptionBench, look: &Look<'_>) -> Figure {
    let clean = it.maps.first().map(|map| map.trace.clean);
    let metric = clean.map_or_else(Metric::default, |clean| metric_or_prob(look.metric, &clean));
    let compared = match look.effect {
        Effect::Recovery => Compared::Recovery,
        Effect::Score | Effect::Indirect | Effect::Direct => Compared::Score,
    };
    let correlations = it.correlations(metric, compared).filter(|_| !it.maps.is_empty());
    let mut charts = maps(it, metric, look);
    if let Some(correlations) = &correlations {
        let windows = it.spec.windows.iter();
        charts.extend(windows.filter_map(|it_is| matrix(it, *it_is, correlations)).map(Chart::Map));
        charts.push(Chart::Table(summary(it, metric, correlations)));
    }
    if !it.left_out.is_empty() {
        charts.push(Chart::Table(left_out(it)));
    }
    let name = metric_name(metric, &it.prompt);
    let quantity = match look.effect {
        Effect::Score => name.clone(),
        Effect::Indirect => format!("indirect effect on {name}"),
        Effect::Direct => format!("direct effect on {name}"),
        Effect::Recovery => format!("recovery of {name}"),
    };
    let component = causal_trace::component_name(it.spec.trace.component);
    let does = match it.spec.trace.direction {
        Direction::Denoise => "restoring",
        Direction::Noise => "corrupting",
    };
    let names: Vec<&str> = it.left_out.iter().map(|it| it.name.as_str()).collect();
    let of_corruptions =
        (!names.is_empty()).then(|| format!("Left out, for reasons below: {}", names.join(", ")));
    let of_answer = clean.and_then(|clean| not_first_guess(&clean, &it.prompt));
    let without_effect = it.maps.iter().filter_map(|map| {
        let Effects { total, clean, .. } = Effects::of(&map.trace, metric)?;
        Some(format!("{}: {}", self::name(map), no_effect(&name, metric, total, Some(clean))?))
    });
    let without_effect: Vec<String> = without_effect.collect();
    Figure {
        title: format!("Corruption bench, {does} {component} — {quantity}"),
        charts,
        notes: notes(it, metric, correlations.as_ref(), look),
        warnings: of_corruptions.into_iter().chain(of_answer).chain(without_effect).collect(),
        ..Figure::default()
    }
}

/// Each map as the trace's own figure has it, but for the scale, which all share.
fn maps(it: &CorruptionBench, metric: Metric, look: &Look<'_>) -> Vec<Chart> {
    let look = Look { metric, estimate: None, ..*look };
    let own = |map: &BenchMap| {
        let charts = causal_trace::figure(&map.trace, &look).charts;
        charts.into_iter().find_map(|chart| match chart {
            Chart::Map(found) => Some(Map { name: name(map), is_small: true, ..found }),
            _ => None,
        })
    };
    let mut maps: Vec<Map> = it.maps.iter().filter_map(own).collect();
    let low = maps.iter().map(|map| map.range.0).fold(f32::INFINITY, f32::min);
    let high = maps.iter().map(|map| map.range.1).fold(f32::NEG_INFINITY, f32::max);
    let range = match look.effect {
        // One that loses next to nothing recovers many times as much, and would make all others pale.
        Effect::Recovery => (low.max(-1.0), high.min(1.0)),
        Effect::Score | Effect::Indirect | Effect::Direct => (low, high),
    };
    for map in &mut maps {
        map.range = range;
    }
    maps.into_iter().map(Chart::Map).collect()
}

fn name(map: &BenchMap) -> String {
    format!("{}, window {}", map.name, map.window)
}

/// How alike the maps of one window are. `None` before there are two.
fn matrix(it: &CorruptionBench, window: usize, found: &Correlations) -> Option<Map> {
    let shown: Vec<usize> =
        (0..it.maps.len()).filter(|&nth| it.maps[nth].window == window).collect();
    if shown.len() < 2 {
        return None;
    }
    let side = || {
        let labels = shown.iter().map(|&nth| it.maps[nth].name.clone()).collect();
        Side::named("Corruption", "corruption", labels)
    };
    let value = |a: usize, b: usize| {
        let value = found.spearman.get(a, b).copied().flatten();
        value.map_or(f32::NAN, |it| it as f32)
    };
    let values: Vec<f32> =
        shown.iter().flat_map(|&a| shown.iter().map(move |&b| value(a, b))).collect();
    let texts =
        values.iter().map(|it| if it.is_finite() { format!("{it:.2}") } else { "–".to_owned() });
    let texts = texts.collect();
    let name = match window {
        1 => "How alike they are, single layers".to_owned(),
        _ => format!("How alike they are, windows of {window}"),
    };
    let map = Map::new(&name, side(), side(), values, "Spearman's ρ").diverging();
    Some(Map { texts, ..map.in_range(-1.0, 1.0) })
}

/// A row for each map.
fn summary(it: &CorruptionBench, metric: Metric, found: &Correlations) -> Table {
    let row = |(nth, map): (usize, &BenchMap)| {
        let effects = Effects::of(&map.trace, metric);
        let number = |value: Option<f32>| Cell::Number(value.unwrap_or(f32::NAN));
        let peak = map.peak(metric);
        let effect = peak.and_then(|(layer, pos)| *effects.as_ref()?.indirect.get(layer, pos)?);
        let single = it.maps.iter().position(|other| other.name == map.name && other.window == 1);
        let likeness = single.and_then(|single| *found.spearman.get(nth, single)?);
        let at = peak.map_or_else(String::new, |(layer, pos)| {
            format!("L{layer}, {}", token_at(pos, &it.prompt))
        });
        Row::new([
            Cell::Text(map.name.clone()),
            Cell::Number(map.window as f32),
            Cell::Number(map.trace.spec.n_samples as f32),
            number(effects.as_ref().map(|it| told(metric, it.corrupted))),
            number(effects.as_ref().map(|it| it.total)),
            number(effect),
            Cell::Text(at),
            number(likeness.map(|it| it as f32)),
        ])
        .about(peak.map_or_else(Pick::default, |(layer, position)| Pick {
            layer: Some(layer),
            position: Some(position),
            head: None,
        }))
    };
    let columns = [
        "Corruption",
        "Window",
        "Samples",
        "Corrupted",
        "Total effect",
        "Largest effect",
        "There",
        "ρ with window 1",
    ];
    Table::new("Map by map", columns, it.maps.iter().enumerate().map(row))
}

fn left_out(it: &CorruptionBench) -> Table {
    let row = |it: &crate::analysis::corruption_bench::LeftOut| {
        Row::new([Cell::Text(it.name.clone()), Cell::Text(it.reason.clone())])
    };
    Table::new("Left out", ["Corruption", "Why"], it.left_out.iter().map(row))
}

fn notes(
    it: &CorruptionBench,
    metric: Metric,
    correlations: Option<&Correlations>,
    look: &Look<'_>,
) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(first) = it.maps.first() {
        let clean = reading(metric, first.trace.clean.get(metric));
        let windows: Vec<String> = it.spec.windows.iter().map(usize::to_string).collect();
        notes.push(format!(
            "Clean {clean}  ·  each map by its corruption and how many layers are restored together \
             ({}), tokens down and layers across, all in one scale",
            joined(&windows)
        ));
    }
    notes.extend(it.spec.corruptions.iter().map(|entry| {
        let Entry { name, corruption, n_samples } = entry;
        let noise_std = it.maps.iter().find(|map| map.name == *name);
        let noise_std = noise_std.map(|map| map.trace.noise_std);
        let (corruption, n_samples) = (corruption.clone(), *n_samples);
        let draws = Draws { corruption, n_samples, ..it.spec.trace.draws() };
        format!("{name}: {}", corruption::settings(&draws, noise_std, look))
    }));
    notes.extend(about_severed(&it.spec.trace));
    let n_asked = it.spec.corruptions.len() * it.spec.windows.len();
    let is_left_out = |name: &str| it.left_out.iter().any(|it| it.name == name);
    let n_left_out = it.spec.corruptions.iter().filter(|it| is_left_out(&it.name)).count();
    let n_asked = n_asked - n_left_out * it.spec.windows.len();
    if it.maps.len() < n_asked {
        notes.push(format!("{} of {n_asked} maps computed", it.maps.len()));
    }
    if look.effect == Effect::Recovery {
        let least = metric.least_total();
        notes.push(format!(
            "Recovery is the share of (clean − corrupted) that comes back: 0 is as corrupted, 1 as \
             clean; where the corruption changes less than {least}, none is defined. Colours end at 1"
        ));
    }
    if let Some(Correlations { n_cells, .. }) = correlations {
        let least = significant(LEAST_STEP as f32, 1);
        let step = match metric {
            Metric::Prob | Metric::AnswerProb => format!("{least} of the larger reading"),
            _ => least,
        };
        notes.push(format!(
            "Spearman's rank correlation over {n_cells} cells, from the subject on; differences below \
             {step}, which rounding may make, are ties"
        ));
    }
    notes.push(
        "What localises alike under all corruptions is not owed to one of them; noise may leave the \
         model's usual embeddings, other subjects do not (Zhang & Nanda 2024)"
            .to_owned(),
    );
    notes
}
