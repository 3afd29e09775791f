use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::analysis::neuron_attribution::NeuronAttribution;
use crate::cli::output::minus;

pub(in crate::cli) fn to_json(it: &NeuronAttribution) -> Value {
    json!({
        "spec": it.spec,
        "neurons": it.top,
        // The sum over all neurons, layer by layer.
        "layers": it.layers,
        "others": it.others,
        "bias": it.unembed_bias,
        "sum": it.sum(),
        "logit": it.logit,
        "unit": "logit",
        "minus": minus(&it.prompt),
    })
}

pub(in crate::cli) fn to_text(it: &NeuronAttribution) -> String {
    let mut text = String::from("   logit  activation  per unit  neuron\n");
    for neuron in &it.top {
        _ = writeln!(
            text,
            "{:>+8.4}  {:>+10.4}  {:>+8.4}  L{}N{}",
            neuron.logit, neuron.activation, neuron.per_unit, neuron.layer, neuron.index
        );
    }
    let all: f64 = it.layers.iter().map(|&layer| f64::from(layer)).sum();
    _ = writeln!(text, "\n{all:>+8.4}  all neurons");
    _ = writeln!(text, "{:>+8.4}  embeddings, attention and b_out", it.others);
    _ = writeln!(text, "{:>+8.4}  bias of the final layer norm", it.unembed_bias);
    _ = writeln!(text, "\nsum {:.4}, logit {:.4}", it.sum(), it.logit);
    text
}
