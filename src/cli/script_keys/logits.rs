//! Keys of logits that are split up, and of what each layer would say.

use serde_json::{Value, json};

use super::{Object, put, rename};
use crate::analysis::AnalysisResult;
use crate::analysis::logit_attribution::Contribution;
use crate::analysis::logit_lens::LogitLens;
use crate::tokens::TokenizedPrompt;

pub(super) fn add(result: &AnalysisResult, json: &mut Object) {
    match result {
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
            if let Some(neurons) = &it.neurons {
                put(json, "neurons", neurons.rows().collect::<Vec<_>>());
                put(json, "largest_neurons", it.largest_neurons());
            }
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
        _ => {}
    }
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
                "answer_log_prob": cell.answer_log_prob,
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
