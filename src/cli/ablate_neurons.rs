use std::fmt::Write as _;

use serde_json::{Value, json};

use super::ablate::replacement_name;
use super::atp_star::words;
use crate::analysis::Metric;
use crate::analysis::neuron_ablation::{Neuron, NeuronAblation};
use crate::tokens::visible;

pub(super) fn to_json(it: &NeuronAblation) -> Value {
    let change = |neuron: &Neuron| -> Value {
        let of = |metric: Metric| (metric.key().to_owned(), json!(it.change(neuron, metric)));
        Value::Object(Metric::ALL.into_iter().map(of).collect())
    };
    let neurons = it.neurons.iter().map(|neuron| {
        json!({
            "layer": neuron.layer,
            "neuron": neuron.index,
            // One for each token where it is replaced.
            "activations": neuron.activations,
            "replacements": neuron.replacements,
            "estimate": neuron.estimate,
            "ablated": neuron.ablated,
            "change": change(neuron),
        })
    });
    json!({
        "spec": it.spec,
        "chosen_by": "first order",
        "base": "clean",
        "metric": it.spec.metric.key(),
        "n_neurons": it.n_neurons,
        "clean": it.clean,
        "neurons": neurons.collect::<Vec<_>>(),
        "agreement": it.agreement,
    })
}

pub(super) fn to_text(it: &NeuronAblation) -> String {
    let answer = it.prompt.answer.as_ref().map(|it| visible(&it.pieces[0])).unwrap_or_default();
    let (metric, by) = (it.spec.metric, replacement_name(&it.spec.replacement));
    let mut text = format!(
        "p({answer}) {:.5}; change with each neuron replaced by {by}, at tokens: {}\n{} of {} neurons, \
         chosen by the estimated change of {}: first order, gradient at the clean run\n\n\
         estimate   change  change p({answer})   p({answer})   logit\n",
        it.clean.prob,
        it.spec.positions,
        it.neurons.len(),
        it.n_neurons,
        metric.key(),
    );
    let width = format!("change p({answer})").chars().count();
    for neuron in &it.neurons {
        let Some(found) = &neuron.ablated else { continue };
        let change = it.change(neuron, metric).unwrap_or(f32::NAN);
        let (prob, logit) = (found.prob - it.clean.prob, found.logit - it.clean.logit);
        _ = writeln!(
            text,
            "{:>+8.4} {change:>+8.4}  {prob:>+width$.5}  {:>8.5}  {logit:>+7.3}  L{}N{}",
            neuron.estimate, found.prob, neuron.layer, neuron.index
        );
    }
    if let Some(agreement) = &it.agreement {
        _ = writeln!(text, "\nestimate and change: {}", words(agreement));
    }
    text
}
