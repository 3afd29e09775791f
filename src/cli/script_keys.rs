//! Keys of a result's JSON that scripts read and the result does not have by that name: ROME's of a trace,
//! and what follows from what was found, such as sums and changes.
//!
//! A method needs none of them. Each is added to what the result says itself, or stands in its place.

use serde::Serialize;
use serde_json::{Value, json};

use super::flags::corruption::name as corruption_name;
use super::inquiry::Inquiry;
use super::json::{Object, about_prompt, answer};
use crate::analysis::ablation::Ablation;
use crate::analysis::activation_patching::ActivationPatching;
use crate::analysis::atp_star::{AtpStar, Effect};
use crate::analysis::attention::{Attention, Weighting};
use crate::analysis::attention_knockout::AttentionKnockout;
use crate::analysis::attribution_patching::AttributionPatching;
use crate::analysis::causal_trace::{CausalTrace, Map};
use crate::analysis::composition::Composition;
use crate::analysis::contribution_graph::{ContributionGraph, Edge, Node, Via};
use crate::analysis::corruption::Corruption;
use crate::analysis::corruption_bench::{Compared, CorruptionBench};
use crate::analysis::edge_attribution::{EdgeAttribution, EdgeBase};
use crate::analysis::effects::Effects;
use crate::analysis::generation::Generation;
use crate::analysis::head_scores::HeadSummary;
use crate::analysis::logit_attribution::Contribution;
use crate::analysis::logit_lens::LogitLens;
use crate::analysis::path_patching::PathPatching;
use crate::analysis::prediction::Prediction;
use crate::analysis::trace_average::{Averages, Cause, TraceAverage};
use crate::analysis::trace_cell::TraceCell;
use crate::analysis::{AnalysisResult, Contrast, Estimate, Grid, Measurement, Metric, Pair, Role};
use crate::tokens::TokenizedPrompt;

pub(super) fn add(result: &AnalysisResult, inquiry: &Inquiry, json: &mut Object) {
    match result {
        AnalysisResult::Prediction(it) => prediction(it, json),
        AnalysisResult::CausalTrace(it) => {
            let scores = it.restored.map(|runs| Measurement::mean(runs, Metric::Prob));
            trace(it, &scores, Metric::Prob, inquiry, json);
            put(json, "metrics", metrics(it));
        }
        AnalysisResult::AttributionPatching(it) => estimated_trace(it, inquiry, json),
        AnalysisResult::TraceCell(it) => cell(it, json),
        AnalysisResult::CorruptionBench(it) => bench(it, json),
        AnalysisResult::TraceAverage(it) => average(it, json),
        AnalysisResult::LogitAttribution(it) => {
            contributions(json, &it.contributions);
            put(json, "bias", it.unembed_bias);
            sum(json, it.sum(), &it.prompt);
        }
        AnalysisResult::NeuronAttribution(it) => {
            rename(json, "top", "neurons");
            put(json, "bias", it.unembed_bias);
            sum(json, it.sum(), &it.prompt);
        }
        AnalysisResult::SourceAttribution(it) => {
            let heads: Vec<&[f32]> = it.heads().map(|(_, _, values)| values).collect();
            // The axes are layer, head and source.
            put(json, "values", heads.chunks(it.n_heads).collect::<Vec<_>>());
            put(json, "sources", it.sources());
            put(json, "bias", it.unembed_bias);
            sum(json, it.sum(), &it.prompt);
        }
        AnalysisResult::AttributionDifference(it) => {
            contributions(json, &it.differences);
            put(json, "logit_difference", it.logit_difference());
            sum(json, it.sum(), &it.prompt);
        }
        AnalysisResult::ThroughHead(it) => {
            let n = it.components.len();
            put(json, "labels", it.components.iter().map(ToString::to_string).collect::<Vec<_>>());
            put(json, "weighted", (0..n).map(|nth| it.weighted(nth)).collect::<Vec<_>>());
            sum(json, it.sum(), &it.prompt);
        }
        AnalysisResult::AccumulatedResid(it) => unit(json, &it.prompt),
        AnalysisResult::LogitLens(it) => lens(it, json),
        AnalysisResult::Attention(it) => attention(it, json),
        AnalysisResult::HeadScores(it) => heads(it, json),
        AnalysisResult::ContributionGraph(it) => graph(it, json),
        AnalysisResult::Circuit(_) => each(json, "vectors", |vector| {
            rename(vector, "value", "singular_value");
        }),
        AnalysisResult::Composition(it) => composition(it, json),
        AnalysisResult::Ablation(it) => {
            put(json, "change", by_metric(|metric| ablation_change(it, metric)));
        }
        AnalysisResult::NeuronAblation(it) => {
            beside(json, "neurons", &it.neurons, |json, neuron| {
                rename(json, "index", "neuron");
                put(json, "change", by_metric(|metric| it.change(neuron, metric)));
            });
            put(json, "chosen_by", "first order");
            put(json, "base", "clean");
            put(json, "metric", it.spec.metric.key());
        }
        AnalysisResult::AttentionKnockout(it) => knockout(it, json),
        AnalysisResult::Comparison(it) => {
            beside(json, "recall", &it.recall, |json, it| put(json, "is_right", it.is_right()));
            let inverse = json.get("prompts").and_then(|it| it.get(1)).map(about_prompt);
            put(json, "inverse", inverse);
        }
        AnalysisResult::Generation(it) => generation(it, inquiry, json),
        AnalysisResult::ActivationPatching(it) => patching(it, json),
        AnalysisResult::PathPatching(it) => paths(it, json),
        AnalysisResult::AtpStar(it) => atp_star(it, json),
        AnalysisResult::EdgeAttribution(it) => edges(it, json),
        // Scripts read what these results say themselves.
        _ => {}
    }
}

/// # Panics
///
/// If `value` is no JSON, which numbers, text and lists of them are.
fn put(json: &mut Object, key: &str, value: impl Serialize) {
    let value = serde_json::to_value(value).expect("numbers and text are JSON");
    json.insert(key.to_owned(), value);
}

fn rename(json: &mut Object, from: &str, to: &str) {
    if let Some(value) = json.remove(from) {
        json.insert(to.to_owned(), value);
    }
}

/// Changes each object of a list.
fn each(json: &mut Object, key: &str, mut change: impl FnMut(&mut Object)) {
    let list = json.get_mut(key).and_then(Value::as_array_mut);
    list.into_iter().flatten().filter_map(Value::as_object_mut).for_each(&mut change);
}

/// Adds to each object of a list what is known of the same place in another list.
fn beside<T>(json: &mut Object, key: &str, of: &[T], mut add: impl FnMut(&mut Object, &T)) {
    let mut of = of.iter();
    each(json, key, |json| of.next().into_iter().for_each(|it| add(json, it)));
}

/// An object of all readings by the names that they have in files; null where there is none.
fn by_metric<T: Serialize>(value: impl Fn(Metric) -> Option<T>) -> Value {
    let of = |metric: Metric| (metric.key().to_owned(), json!(value(metric)));
    Value::Object(Metric::ALL.into_iter().map(of).collect())
}

/// Whether runs have this reading.
fn has(metric: Metric, prompt: &TokenizedPrompt) -> bool {
    metric != Metric::LogitDiff || prompt.foil.is_some()
}

/// The answer's readings by its first token, and as a whole.
fn prediction(it: &Prediction, json: &mut Object) {
    let (Some(asked), Some(score)) = (&it.prompt.answer, &it.answer) else { return };
    let whole = json!({ "prob": score.answer_log_prob.exp(), "log_prob": score.answer_log_prob });
    let Some(Value::Object(found)) = json.get_mut("answer") else { return };
    put(found, "id", asked.first());
    put(found, "token", &asked.pieces[0]);
    put(found, "whole", whole);
    if let Value::Object(asked) = answer(asked) {
        found.extend(asked);
    }
}

/// ROME's keys, and what is needed to do it again. `scores`: what the map shows, in terms of `metric`.
fn trace(
    it: &CausalTrace,
    scores: &Grid<Option<f32>>,
    metric: Metric,
    Inquiry { question, .. }: &Inquiry,
    json: &mut Object,
) {
    let (spec, prompt) = (&it.spec, &it.prompt);
    let answered = prompt.answer.as_ref();
    let is_expected = question.expected.as_ref().is_none_or(|expected| {
        answered.is_some_and(|answer| answer.text.trim() == expected.trim())
    });
    put(json, "scores", by_column(scores));
    put(json, "low_score", Measurement::mean(&it.corrupted, metric));
    put(json, "high_score", it.clean.get(metric));
    put(json, "input_ids", &prompt.ids);
    put(json, "input_tokens", &prompt.pieces);
    put(json, "answer", answered.map(|it| &it.pieces[0]));
    put(json, "whole_answer", answered.map(answer));
    put(json, "window", spec.window);
    put(json, "correct_prediction", it.is_top_answer() && is_expected);
    put(json, "expected", &question.expected);
    put(json, "map", &spec.map);
    let (kind, columns) = match &spec.map {
        Map::Heads { .. } => (json!("head"), json!((0..scores.n_columns()).collect::<Vec<_>>())),
        Map::Tokens => (json!(spec.component), json!(prompt.pieces)),
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

fn cell(it: &TraceCell, json: &mut Object) {
    let trace = &it.spec.trace;
    put(json, "pos", it.spec.pos);
    put(json, "token", &it.prompt.pieces[it.spec.pos]);
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
        put(json, "prompt", it.spec.facts.get(fact.nth).map(|it| &it.prompt.text));
        beside(json, "readings", &fact.readings, |json, it| put(json, "metric", it.metric.key()));
    });
}

/// Parts by TransformerLens' labels, and what each adds.
fn contributions(json: &mut Object, parts: &[Contribution]) {
    put(json, "labels", parts.iter().map(|it| it.component.to_string()).collect::<Vec<_>>());
    put(json, "values", parts.iter().map(|it| it.logit).collect::<Vec<_>>());
}

fn sum(json: &mut Object, sum: f32, prompt: &TokenizedPrompt) {
    put(json, "sum", sum);
    unit(json, prompt);
}

/// The unit of what is added up, and what it is measured against.
fn unit(json: &mut Object, prompt: &TokenizedPrompt) {
    put(json, "unit", "logit");
    put(json, "minus", if prompt.foil.is_some() { "foil" } else { "vocabulary mean" });
}

/// The layers one by one, each with its positions and, once more, the last position.
fn lens(it: &LogitLens, json: &mut Object) {
    let layers = it.cells.rows().zip(it.top.rows()).enumerate().map(|(layer, (row, top))| {
        let cells = row.iter().zip(top).map(|(cell, candidates)| {
            json!({
                "candidates": candidates,
                "answer_prob": cell.answer_prob,
                "answer_rank": cell.answer_rank,
                "top": { "id": cell.top_token, "prob": cell.top_prob },
            })
        });
        let cells: Vec<Value> = cells.collect();
        let mut last = cells.last().cloned().unwrap_or_default();
        last["layer"] = layer.into();
        last["positions"] = cells.into();
        last
    });
    let layers: Vec<Value> = layers.collect();
    put(json, "layers", layers);
    put(json, "scale", it.spec.scale);
    json.remove("cells");
    json.remove("top");
}

/// The pattern of one head, or of all heads in the layers asked for.
fn attention(it: &Attention, json: &mut Object) {
    let is_rollout = it.spec.weighting == Weighting::Rollout;
    let pattern = |(layer, head): (usize, usize)| {
        let rows = it.pattern(layer, head).unwrap_or_default().chunks(it.prompt.n_pos());
        let mut json = Object::new();
        put(&mut json, "layer", layer);
        if !is_rollout {
            put(&mut json, "head", head);
        }
        put(&mut json, "pattern", rows.collect::<Vec<_>>());
        json
    };
    let mut patterns: Vec<Object> = it.shown().map(pattern).collect();
    json.remove("weights");
    put(json, "weighting", it.spec.weighting);
    let is_one = it.spec.layers.len() == 1 && (is_rollout || it.spec.head.is_some());
    match patterns.pop() {
        Some(pattern) if is_one => json.extend(pattern),
        last => {
            patterns.extend(last);
            put(json, "patterns", patterns);
        }
    }
}

/// A map of each score, layer × head.
fn heads(it: &HeadSummary, json: &mut Object) {
    let heads: Vec<Vec<Value>> =
        it.heads.rows().map(|row| row.iter().map(|it| json!(it)).collect()).collect();
    let names = heads.first().and_then(|row| row.first()?.as_object());
    for name in names.into_iter().flat_map(|it| it.keys()) {
        let row = |row: &Vec<Value>| row.iter().map(|it| it[name].clone()).collect();
        put(json, name, heads.iter().map(row).collect::<Vec<Vec<Value>>>());
    }
    json.remove("heads");
}

/// The nodes as TransformerLens would call them, each with its token.
fn graph(it: &ContributionGraph, json: &mut Object) {
    let name = |node: Node| match node {
        Node::Embed { pos } => format!("embed@{pos}"),
        Node::ResidMid { layer, pos } => format!("{layer}_resid_mid@{pos}"),
        Node::Mlp { layer, pos } => format!("{layer}_mlp@{pos}"),
        Node::ResidPost { layer, pos } => format!("{layer}_resid_post@{pos}"),
    };
    let via = |via: Via| match via {
        Via::Residual => "residual".to_owned(),
        Via::Mlp => "mlp".to_owned(),
        Via::Attention => "attention".to_owned(),
        Via::Head(head) => format!("head {head}"),
    };
    let edge = |&Edge { from, to, via: through, weight }: &Edge| json!({ "from": name(from), "to": name(to), "via": via(through), "weight": weight });
    put(json, "root", name(it.root));
    put(json, "nodes", it.nodes.iter().map(|node| name(*node)).collect::<Vec<_>>());
    put(json, "edges", it.edges.iter().map(edge).collect::<Vec<_>>());
    rename(json, "n_edges", "n_edges_in_all");
}

fn composition(it: &Composition, json: &mut Object) {
    let n_all = it.n_layers * it.n_heads;
    let mut scores = Object::new();
    for of in &it.modes {
        // Earlier layer × head × later layer × head.
        let heads: Vec<Vec<&[f32]>> =
            of.scores.chunks(n_all).map(|row| row.chunks(it.n_heads).collect()).collect();
        let mode = json!(of.mode);
        let mode = mode.as_str().unwrap_or_default().to_lowercase();
        put(&mut scores, &mode, heads.chunks(it.n_heads).collect::<Vec<_>>());
    }
    put(json, "top", it.top());
    put(json, "scores", scores);
    json.remove("modes");
}

/// Layer × head, or layer × 1; null where there is no such reading.
fn ablation_change(it: &Ablation, metric: Metric) -> Option<Vec<Vec<Option<f32>>>> {
    has(metric, &it.prompt).then(|| {
        let row = |layer| {
            (0..it.ablated.n_columns()).map(|column| it.change(layer, column, metric)).collect()
        };
        (0..it.ablated.n_rows()).map(row).collect()
    })
}

fn knockout(it: &AttentionKnockout, json: &mut Object) {
    let n_layers = it.cut.n_columns();
    let sets = it.spec.edges.iter().zip(it.cut.rows()).enumerate().map(|(nth, (edges, row))| {
        let change = |metric| -> Vec<_> {
            (0..n_layers).map(|layer| it.relative_change(nth, layer, metric)).collect()
        };
        json!({
            "from": edges.from.to_string(),
            "to": edges.to.to_string(),
            // By layer.
            "scores": row.iter().map(|it| it.as_ref().map(|it| it.prob)).collect::<Vec<_>>(),
            "relative_change": change(Metric::Prob),
            "relative_change_of_whole_answer": change(Metric::AnswerProb),
            "measured": row,
        })
    });
    put(json, "edges", sets.collect::<Vec<_>>());
    put(json, "base_score", it.clean.prob);
    put(json, "window", it.spec.window);
    json.remove("cut");
}

/// The text of all tokens together, since characters may be split over tokens.
fn generation(it: &Generation, inquiry: &Inquiry, json: &mut Object) {
    let tokenizer = &inquiry.engine.info.tokenizer;
    let bytes: Vec<u8> = it.tokens.iter().flat_map(|token| tokenizer.bytes(token.id)).collect();
    put(json, "text", &it.prompt.text);
    put(json, "continuation", String::from_utf8_lossy(&bytes));
    rename(json, "tokens", "written");
}

fn patching(it: &ActivationPatching, json: &mut Object) {
    // One map of layer × pair, or for heads one of layer × head for each pair.
    let each = |read: &dyn Fn(&Measurement) -> Option<f32>| -> Vec<Grid<Option<f32>>> {
        let cell = |cell: &Option<Measurement>| cell.as_ref().and_then(read);
        it.patched.iter().map(|map| map.map(cell)).collect()
    };
    put(json, "prob", each(&|it| Some(it.prob)));
    put(json, "foil_prob", each(&ActivationPatching::foil_prob));
    put(json, "logit_diff", each(&|it| it.logit_diff));
    put(json, "recovery", each(&|cell| it.recovery(cell, Metric::LogitDiff)));
    donor(&it.spec.pairs, &it.spec.donor, &it.prompt, json);
}

/// Pairs with the tokens at both ends, and what these are to their prompts.
fn donor(pairs: &[Pair], donor: &TokenizedPrompt, recipient: &TokenizedPrompt, json: &mut Object) {
    let end = |prompt: &TokenizedPrompt, pos: usize| json!({ "pos": pos, "token": prompt.pieces[pos], "role": Role::of(prompt, pos) });
    let pair =
        |it: &Pair| json!({ "from": end(donor, it.donor), "to": end(recipient, it.recipient) });
    put(json, "pairs", pairs.iter().map(pair).collect::<Vec<_>>());
    put(json, "donor_tokens", &donor.pieces);
    put(json, "donor_ids", &donor.ids);
}

/// Layer × head; null where there is no path, or no such reading.
fn paths(it: &PathPatching, json: &mut Object) {
    let change = by_metric(|metric| {
        has(metric, &it.prompt).then_some(())?;
        let of = |cell: &Option<Measurement>| it.change(cell.as_ref(), metric);
        let mlps: Vec<Option<f32>> = it.mlps.iter().map(of).collect();
        Some(json!({ "heads": it.heads.map(of), "mlps": mlps }))
    });
    put(json, "change", change);
    donor(&it.spec.pairs, &it.spec.donor, &it.prompt, json);
}

fn atp_star(it: &AtpStar, json: &mut Object) {
    // Token × layer × head; for MLPs layer × token.
    let maps = |read: fn(&Effect) -> f32| -> Object {
        let named = it.effects.iter().zip(["q", "k", "v", "z", "mlp_out"]);
        let named = named.map(|(grids, name)| {
            let maps: Vec<Grid<f32>> = grids.iter().map(|grid| grid.map(read)).collect();
            (name.to_owned(), if name == "mlp_out" { json!(maps[0]) } else { json!(maps) })
        });
        named.collect()
    };
    put(json, "atp", maps(|it| it.plain));
    put(json, "atp_fixed", maps(|it| it.fixed));
    put(json, "atp_star", maps(|it| it.size));
    let agreement = it.agreement.as_ref();
    put(
        json,
        "agreement",
        agreement.map(|[fixed, plain]| json!({ "atp_fixed": fixed, "atp": plain })),
    );
    put(json, "estimated_by", "AtP*");
    contrast(&it.spec.contrast, it.spec.metric, json);
    json.remove("effects");
}

fn edges(it: &EdgeAttribution, json: &mut Object) {
    let mut verified = it.verified.iter();
    each(json, "edges", |json| put(json, "patched", verified.next()));
    let (method, base) = match it.spec.base {
        EdgeBase::Clean => ("EAP", "clean".to_owned()),
        EdgeBase::Between { n_steps } => {
            ("EAP-IG", format!("{n_steps} runs from corrupted towards clean"))
        }
    };
    put(json, "estimated_by", method);
    put(json, "base", base);
    contrast(&it.spec.contrast, it.spec.metric, json);
    // Layer × head, and by layer.
    let nodes: Object =
        ["embed", "heads", "mlps"].into_iter().filter_map(|key| json.remove_entry(key)).collect();
    put(json, "nodes", nodes);
}

/// The corruption of the runs that an estimate compares, as it is asked for.
fn contrast(contrast: &Contrast, metric: Metric, json: &mut Object) {
    let name = match contrast {
        Contrast::Prompt { .. } => "prompt",
        Contrast::Subject(draws) => corruption_name(&draws.corruption),
    };
    put(json, "metric", metric.key());
    put(json, "corruption", name);
}
