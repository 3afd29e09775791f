//! How a logit adds up: what each layer, or each head, writes towards the answer.

use super::{HeadMap, Look};
use crate::analysis::logit_attribution::{Component, LogitAttribution, Parts};
use crate::figure::number::{signed, significant};
use crate::figure::words::{answer_piece, first_piece};
use crate::figure::{Bar, Bars, Chart, Figure, Lines, Pick, Series};

/// A difference from the model's own logit beyond this share of it is said to be one.
const TOLERANCE: f32 = 1e-3;

const QUANTITY: &str = "Contribution (logits)";

pub(super) fn figure(attribution: &LogitAttribution, look: &Look<'_>) -> Figure {
    let charts = match attribution.spec.by {
        Parts::Layers => {
            vec![Chart::Bars(in_depth_order(attribution)), Chart::Lines(added_up(attribution))]
        }
        Parts::Heads => by_heads(attribution, look),
    };
    let prompt = &attribution.prompt;
    let answer = answer_piece(prompt);
    let target = match &prompt.foil {
        Some(foil) => format!("logit({answer}) − logit({})", first_piece(foil)),
        None => format!("logit({answer}) minus the vocabulary mean"),
    };
    Figure {
        title: format!("Direct logit attribution — {target}"),
        charts,
        notes: notes(attribution, look),
    }
}

fn in_depth_order(attribution: &LogitAttribution) -> Bars {
    let bar = |component: Component, logit: f32| {
        let (label, pick) = match component {
            Component::Embed => ("Token embedding".to_owned(), Pick::default()),
            Component::PosEmbed => ("Position embedding".to_owned(), Pick::default()),
            Component::Bias => ("Attention biases".to_owned(), Pick::default()),
            Component::AttnOut(layer) => (format!("L{layer} attention"), Pick::layer(layer)),
            Component::MlpOut(layer) => (format!("L{layer} MLP"), Pick::layer(layer)),
            Component::Head { layer, head } => {
                (format!("L{layer} H{head}"), Pick::head(layer, head))
            }
        };
        Bar { label, value: logit, pick }
    };
    let parts = attribution.contributions.iter().map(|it| bar(it.component, it.logit));
    let bias = Bar {
        label: "Final layer norm's bias".to_owned(),
        value: attribution.unembed_bias,
        pick: Pick::default(),
    };
    Bars {
        name: "Contributions in order of depth".to_owned(),
        quantity: QUANTITY.to_owned(),
        bars: parts.chain([bias]).collect(),
    }
}

/// What the logit would be if it were read after each layer with the last layer norm's scale.
fn added_up(attribution: &LogitAttribution) -> Lines {
    let mut sum = f64::from(attribution.unembed_bias);
    let mut sums = Vec::new();
    for part in &attribution.contributions {
        sum += f64::from(part.logit);
        if let Component::MlpOut(_) = part.component {
            sums.push(sum as f32);
        }
    }
    Lines {
        name: "Added up".to_owned(),
        quantity: "Logit so far".to_owned(),
        layer_title: "Up to and with layer".to_owned(),
        series: vec![Series {
            name: "Biases, embeddings and all layers up to here".to_owned(),
            values: sums,
        }],
    }
}

fn by_heads(attribution: &LogitAttribution, look: &Look<'_>) -> Vec<Chart> {
    let find = |wanted: Component| {
        let mut parts = attribution.contributions.iter();
        parts.find(|it| it.component == wanted).map_or(f32::NAN, |it| it.logit)
    };
    let heads = || {
        attribution.contributions.iter().filter_map(|it| match it.component {
            Component::Head { layer, head } => Some((layer, head, it.logit)),
            _ => None,
        })
    };
    let n_layers = heads().map(|it| it.0 + 1).max().unwrap_or(0);
    let n_heads = heads().map(|it| it.1 + 1).max().unwrap_or(0);
    let mut values = vec![f32::NAN; n_layers * n_heads];
    for (layer, head, logit) in heads() {
        values[layer * n_heads + head] = logit;
    }
    let map = HeadMap {
        name: "Logit attribution of heads",
        quantity: QUANTITY,
        n_layers,
        n_heads,
        value: &|layer, head| values[layer * n_heads + head],
    };
    let mlps = Lines {
        name: "Logit attribution of MLPs".to_owned(),
        quantity: QUANTITY.to_owned(),
        layer_title: "Layer".to_owned(),
        series: vec![Series {
            name: "MLP".to_owned(),
            values: (0..n_layers).map(|layer| find(Component::MlpOut(layer))).collect(),
        }],
    };
    vec![Chart::Map(map.map(look)), Chart::Bars(map.largest(look)), Chart::Lines(mlps)]
}

fn notes(attribution: &LogitAttribution, look: &Look<'_>) -> Vec<String> {
    let (sum, logit) = (attribution.sum(), attribution.logit);
    let difference = sum - logit;
    let sign = if difference.abs() <= TOLERANCE * logit.abs() { "✓" } else { "≠" };
    let number = |value: f32| format!("{value:.3}").replace('-', "−");
    let mut notes = vec![format!(
        "Σ parts + bias = {}, logit = {} {sign}  (difference {})",
        number(sum),
        number(logit),
        significant(difference, 2),
    )];
    let mut no_layers = Vec::new();
    for part in &attribution.contributions {
        let name = match part.component {
            Component::Embed => "token embedding",
            Component::PosEmbed => "position embedding",
            Component::Bias => "attention biases of all layers",
            _ => continue,
        };
        no_layers.push(format!("{name} {}", signed(part.logit, 3)));
    }
    if attribution.spec.by == Parts::Heads && !no_layers.is_empty() {
        notes.push(format!("Of no head or MLP: {}", no_layers.join("  ·  ")));
    }
    let reference = match &attribution.prompt.foil {
        Some(foil) => format!("minus that of {}", first_piece(foil)),
        None => "minus the mean over the vocabulary".to_owned(),
    };
    notes.push(format!(
        "The answer's logit of {} {reference}, at the last position, with the final layer norm's \
         scale held fixed. The final layer norm's bias adds {}",
        number(attribution.raw_logit),
        signed(attribution.unembed_bias, 3),
    ));
    look.explain_planted(&mut notes);
    notes
}
