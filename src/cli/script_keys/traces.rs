//! Keys of traces: ROME's, and effects by every metric.

use serde::Serialize;
use serde_json::{Value, json};

use super::{Object, beside, by_metric, each, put, rename};
use crate::analysis::attribution_patching::AttributionPatching;
use crate::analysis::causal_trace::{CausalTrace, Map};
use crate::analysis::corruption::Corruption;
use crate::analysis::corruption_bench::{Compared, CorruptionBench};
use crate::analysis::effects::Effects;
use crate::analysis::trace_average::{Averages, Cause, TraceAverage};
use crate::analysis::trace_cell::TraceCell;
use crate::analysis::{AnalysisResult, Estimate, Grid, Measurement, Metric};
use crate::cli::flags::corruption::name as corruption_name;
use crate::cli::inquiry::Inquiry;
use crate::cli::json::{answer, pieces};

pub(super) fn add(result: &AnalysisResult, inquiry: &Inquiry, json: &mut Object) {
    match result {
        AnalysisResult::CausalTrace(it) => {
            let scores = it.restored.map(|runs| Measurement::mean(runs, Metric::Prob));
            trace(it, &scores, Metric::Prob, inquiry, json);
            put(json, "metrics", metrics(it));
        }
        AnalysisResult::AttributionPatching(it) => estimated_trace(it, inquiry, json),
        AnalysisResult::TraceCell(it) => cell(it, inquiry, json),
        AnalysisResult::CorruptionBench(it) => bench(it, json),
        AnalysisResult::TraceAverage(it) => average(it, json),
        _ => {}
    }
}

/// ROME's keys, and what is needed to do it again. `scores`: what the map shows, in terms of `metric`.
fn trace(
    it: &CausalTrace,
    scores: &Grid<Option<f32>>,
    metric: Metric,
    inquiry: &Inquiry,
    json: &mut Object,
) {
    let (spec, prompt, question) = (&it.spec, &it.prompt, &inquiry.question);
    let tokens = pieces(&prompt.ids, inquiry);
    let answered = prompt.answer.as_ref();
    // An inverse may have others than the fact's own.
    let mut right = question.right.iter().chain(&question.expected).peekable();
    let is_expected = right.peek().is_none()
        || answered.is_some_and(|answer| right.any(|it| it.trim() == answer.text.trim()));
    put(json, "scores", by_column(scores));
    put(json, "low_score", Measurement::mean(&it.corrupted, metric));
    put(json, "high_score", it.clean.get(metric));
    put(json, "input_ids", &prompt.ids);
    put(json, "input_tokens", &tokens);
    put(json, "answer", answered.map(|it| inquiry.engine.info.tokenizer.readable(it.first())));
    put(json, "whole_answer", answered.map(|it| answer(it, inquiry)));
    put(json, "window", spec.window);
    put(json, "correct_prediction", it.is_top_answer() && is_expected);
    put(json, "expected", &question.expected);
    put(json, "map", &spec.map);
    let (kind, columns) = match &spec.map {
        Map::Heads { .. } => (json!("head"), json!((0..scores.n_columns()).collect::<Vec<_>>())),
        Map::Tokens => (json!(spec.component), json!(tokens)),
        Map::Together { widths, .. } => (json!(spec.component), json!(widths)),
    };
    put(json, "kind", kind);
    // What a column stands for: a token's text, a width, or a head.
    put(json, "columns", columns);
    put(json, "sever", spec.sever);
    put(json, "sever_layers", spec.sever_layers);
    put(json, "direction", spec.direction);
    put(json, "samples", spec.n_samples);
    corruption(&spec.corruption, it.noise_std, json);
    put(json, "noise_rng", spec.rng);
    put(json, "seed", spec.seed);
}

/// `corrupted` is what the subject became, as scripts know it; the readings of those runs stand beside.
fn corruption(corruption: &Corruption, noise_std: f64, json: &mut Object) {
    rename(json, "corrupted", "corrupted_runs");
    rename(json, "corruptions", "corrupted");
    put(json, "corruption", corruption_name(corruption));
    put(json, "noise_std", corruption.has_noise().then_some(noise_std));
}

/// ROME's map is token × layer: what a column stands for, then layers.
fn by_column<T: Serialize>(grid: &Grid<T>) -> Vec<Vec<&T>> {
    let column = |nth: usize| grid.rows().map(|layer| &layer[nth]).collect();
    (0..grid.n_columns()).map(column).collect()
}

/// Every reading of the same runs, with what it says of the effects. (column × layer)
fn metrics(trace: &CausalTrace) -> Value {
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

/// The keys of a trace, and what makes it an estimate.
fn estimated_trace(it: &AttributionPatching, inquiry: &Inquiry, json: &mut Object) {
    let metric = it.spec.metric;
    if let Some(scores) = it.scores(metric) {
        let scores = scores.map(|&score| Some(score));
        trace(&it.unfilled_trace(), &scores, metric, inquiry, json);
    }
    put(json, "estimated_by", "attribution patching");
    put(json, "base", it.spec.base);
    put(json, "metric", metric.key());
    put(json, "windows", it.spec.windows);
    // Token × layer × head, as `scores` are token × layer.
    rename(json, "heads", "head_effects");
    each(json, "verified", |json| rename(json, "pos", "token"));
}

fn cell(it: &TraceCell, inquiry: &Inquiry, json: &mut Object) {
    let trace = &it.spec.trace;
    put(json, "pos", it.spec.pos);
    let token = it.prompt.ids[it.spec.pos];
    put(json, "token", inquiry.engine.info.tokenizer.readable(token));
    put(json, "layer", it.spec.layer);
    put(json, "layers", [it.layers.start, it.layers.end]);
    // The map's cell, by each reading.
    let means = by_metric(|metric| {
        Some(json!({
            "clean": it.clean.get(metric),
            "corrupted": Measurement::mean(&it.corrupted, metric),
            "patched": Measurement::mean(&it.patched, metric),
        }))
    });
    put(json, "means", means);
    if let Some(Value::Object(top)) = json.get_mut("top") {
        let runs = [&it.top.clean, &it.top.corrupted, &it.top.patched];
        for (key, tokens) in ["clean", "corrupted", "patched"].into_iter().zip(runs) {
            beside(top, key, tokens, |json, token| put(json, "change", it.change(token)));
        }
    }
    // A reading of each sample.
    put(json, "samples", json!({ "corrupted": it.corrupted, "patched": it.patched }));
    json.remove("patched");
    corruption(&trace.corruption, it.noise_std, json);
    json.remove("corrupted_runs");
    put(json, "noise_rng", trace.rng);
    put(json, "seed", trace.seed);
}

fn bench(it: &CorruptionBench, json: &mut Object) {
    beside(json, "maps", &it.maps, |json, map| {
        let spec = &map.trace.spec;
        put(json, "samples", spec.n_samples);
        put(json, "corrupted", &map.trace.corruptions);
        put(json, "corruption", corruption_name(&spec.corruption));
        put(json, "noise_std", spec.corruption.has_noise().then_some(map.trace.noise_std));
        put(json, "metrics", metrics(&map.trace));
    });
    let (mut n_cells, mut correlations) = (0, Object::new());
    for metric in Metric::ALL {
        let found = Compared::ALL.into_iter().filter_map(|compared| {
            let found = it.correlations(metric, compared)?;
            n_cells = n_cells.max(found.n_cells);
            Some((compared.key().to_owned(), json!(found.spearman)))
        });
        let found: Object = found.collect();
        if !found.is_empty() {
            put(&mut correlations, metric.key(), found);
        }
    }
    // Of the cells of the subject and of what comes after. Map × map.
    put(json, "spearman", correlations);
    put(json, "spearman_cells", n_cells);
}

fn average(it: &TraceAverage, json: &mut Object) {
    let estimate = |it: &Estimate| {
        let mut json = json!(it);
        json["standard_error"] = json!(it.standard_error());
        json
    };
    let averages = |it: &Averages| {
        let by = |value: fn(&Estimate) -> f64| it.indirect.map(value);
        json!({
            "clean": estimate(&it.clean),
            "corrupted": estimate(&it.corrupted),
            "total": estimate(&it.total),
            "roles": it.roles,
            "n_facts": it.n_facts,
            "n_tokens": it.n_tokens,
            // Role × layer.
            "indirect": by(|it| it.mean),
            "low": by(|it| it.low),
            "high": by(|it| it.high),
            "standard_error": by(Estimate::standard_error),
        })
    };
    let maps = it.spec.components.iter().enumerate().map(|(nth, component)| {
        let metrics = Metric::ALL.into_iter().filter_map(|metric| {
            let mut found = averages(&it.averages(nth, metric)?);
            found["rome"] = json!(it.as_rome(nth, metric));
            Some((metric.key().to_owned(), found))
        });
        json!({
            "kind": component,
            "window": it.spec.trace_window(*component),
            "metrics": metrics.collect::<Object>(),
        })
    });
    put(json, "maps", maps.collect::<Vec<_>>());
    put(json, "n_asked", it.n_asked());
    put(json, "n_facts", it.facts.len());
    put(json, "n_not_known", it.n_left_out(Cause::NotKnown));
    put(json, "n_not_traced", it.n_left_out(Cause::NotTraced));
    beside(json, "facts", &it.facts, |json, fact| {
        let asked = it.spec.facts.get(fact.nth);
        put(json, "prompt", asked.map(|it| &it.prompt.text));
        put(json, "seed", asked.map(|asked| it.spec.seed_of(asked)));
        beside(json, "readings", &fact.readings, |json, it| put(json, "metric", it.metric.key()));
    });
}
