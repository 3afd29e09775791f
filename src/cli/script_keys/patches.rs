//! Keys of what parts are worth, measured without them or with those of another prompt, or estimated.

use serde_json::json;

use super::{Object, beside, by_metric, each, has, put, rename};
use crate::analysis::ablation::Ablation;
use crate::analysis::activation_patching::ActivationPatching;
use crate::analysis::atp_star::{AtpStar, Effect};
use crate::analysis::attention_knockout::AttentionKnockout;
use crate::analysis::edge_attribution::{EdgeAttribution, EdgeBase};
use crate::analysis::path_patching::PathPatching;
use crate::analysis::{AnalysisResult, Contrast, Grid, Measurement, Metric, Pair, Role};
use crate::cli::flags::corruption::name as corruption_name;
use crate::cli::inquiry::Inquiry;
use crate::cli::json::pieces;
use crate::tokens::TokenizedPrompt;

pub(super) fn add(result: &AnalysisResult, inquiry: &Inquiry, json: &mut Object) {
    match result {
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
        AnalysisResult::ActivationPatching(it) => patching(it, inquiry, json),
        AnalysisResult::PathPatching(it) => paths(it, inquiry, json),
        AnalysisResult::AtpStar(it) => atp_star(it, json),
        AnalysisResult::EdgeAttribution(it) => edges(it, json),
        _ => {}
    }
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

fn patching(it: &ActivationPatching, inquiry: &Inquiry, json: &mut Object) {
    // One map of layer × pair, or for heads one of layer × head for each pair.
    let each = |read: &dyn Fn(&Measurement) -> Option<f32>| -> Vec<Grid<Option<f32>>> {
        let cell = |cell: &Option<Measurement>| cell.as_ref().and_then(read);
        it.patched.iter().map(|map| map.map(cell)).collect()
    };
    put(json, "prob", each(&|it| Some(it.prob)));
    put(json, "foil_prob", each(&ActivationPatching::foil_prob));
    put(json, "logit_diff", each(&|it| it.logit_diff));
    put(json, "recovery", each(&|cell| it.recovery(cell, Metric::LogitDiff)));
    donor(&it.spec.pairs, &it.spec.donor, &it.prompt, inquiry, json);
}

/// Pairs with the tokens at both ends, and what these are to their prompts.
fn donor(
    pairs: &[Pair],
    donor: &TokenizedPrompt,
    recipient: &TokenizedPrompt,
    inquiry: &Inquiry,
    json: &mut Object,
) {
    let end = |prompt: &TokenizedPrompt, pos: usize| {
        let token = inquiry.engine.info.tokenizer.readable(prompt.ids[pos]);
        json!({ "pos": pos, "token": token, "role": Role::of(prompt, pos) })
    };
    let pair =
        |it: &Pair| json!({ "from": end(donor, it.donor), "to": end(recipient, it.recipient) });
    put(json, "pairs", pairs.iter().map(pair).collect::<Vec<_>>());
    put(json, "donor_tokens", pieces(&donor.ids, inquiry));
    put(json, "donor_ids", &donor.ids);
}

/// Layer × head; null where there is no path, or no such reading.
fn paths(it: &PathPatching, inquiry: &Inquiry, json: &mut Object) {
    let change = by_metric(|metric| {
        has(metric, &it.prompt).then_some(())?;
        let of = |cell: &Option<Measurement>| it.change(cell.as_ref(), metric);
        let mlps: Vec<Option<f32>> = it.mlps.iter().map(of).collect();
        Some(json!({ "heads": it.heads.map(of), "mlps": mlps }))
    });
    put(json, "change", change);
    donor(&it.spec.pairs, &it.spec.donor, &it.prompt, inquiry, json);
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
